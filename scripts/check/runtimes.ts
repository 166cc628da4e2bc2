/**
 * Runs the probe of the built engine in each runtime.
 *
 * Rules:
 * - Deno and Node are those of the machine; Bun and workerd come from npm, at one version each.
 * - The probe and the engine lie in one folder of their own, so that no file of the repository
 *   (deno.json, a package.json) changes what a runtime does. The few lines that load them there are
 *   written here: in the repository they would import what is not beside them.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { output, plainEnv } from "../wasm/run.ts";

/** From npm. */
const BUN = "1.4.5";
const WORKERD = "1.20261117.1";

const PROBE = fileURLToPath(new URL("probe.js", import.meta.url));

/** Loads the engine from its file: Deno, Node and Bun. */
const MAIN = `import { readFileSync } from "node:fs";
import { probe } from "./probe.js";
import { instantiate } from "./reprise.js";

const bytes = readFileSync(new URL("./reprise.wasm", import.meta.url));
console.log(probe(instantiate, new WebAssembly.Module(bytes)));
`;

/** Has the engine from a static import: workerd, which compiles nothing while it runs. */
const WORKER = `import { probe } from "./probe.js";
import { instantiate } from "./reprise.js";
import wasmModule from "./reprise.wasm";

export default {
  test() {
    console.log(probe(instantiate, wasmModule));
  },
};
`;

const WORKERD_CONFIG = `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (services = [(name = "probe", worker = .worker)]);

const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "probe.js", esModule = embed "probe.js"),
    (name = "reprise.js", esModule = embed "reprise.js"),
    (name = "reprise.wasm", wasm = embed "reprise.wasm"),
  ],
  compatibilityDate = "2026-11-01",
);
`;

const npx = (name: string, ...args: string[]): [program: string, args: string[]] => [
  "npx",
  ["--yes", "--loglevel=error", name, ...args],
];

const RUNTIMES: Record<string, [program: string, args: string[]]> = {
  Deno: [Deno.execPath(), ["run", "--no-config", "--no-lock", "--allow-read", "main.mjs"]],
  Node: ["node", ["main.mjs"]],
  Bun: npx(`bun@${BUN}`, "main.mjs"),
  workerd: npx(`workerd@${WORKERD}`, "test", "workerd.capnp"),
};

export const runtimes: string[] = Object.keys(RUNTIMES);

/** Runs the probe on the engine in a folder and returns what it said. */
export async function probeIn(runtime: string, engine: string): Promise<string> {
  const cwd = await Deno.makeTempDir({ prefix: "reprise-probe-" });
  try {
    await Deno.copyFile(PROBE, join(cwd, "probe.js"));
    for (const name of ["reprise.js", "reprise.wasm"]) {
      await Deno.copyFile(join(engine, name), join(cwd, name));
    }
    await Deno.writeTextFile(join(cwd, "main.mjs"), MAIN);
    await Deno.writeTextFile(join(cwd, "worker.js"), WORKER);
    await Deno.writeTextFile(join(cwd, "workerd.capnp"), WORKERD_CONFIG);

    const [program, args] = RUNTIMES[runtime];
    const said = await output(program, args, { cwd, env: { ...plainEnv(), NO_COLOR: "1" } });
    const line = said.split("\n").find((line) => line.includes("boundary "));
    if (!line) throw new Error(`the probe said nothing in ${runtime}: ${said}`);
    return line.slice(line.indexOf("boundary "));
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

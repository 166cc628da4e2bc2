/**
 * Runs the probe of the built engine in each runtime.
 *
 * Rules:
 * - Deno and Node are those of the machine; Bun and workerd come from npm, at one version each.
 * - The probe and the engine lie in one folder of their own, so that no file of the repository
 *   (deno.json, a package.json) changes what a runtime does.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { output, plainEnv } from "../wasm/run.ts";

/** From npm. */
const BUN = "1.4.5";
const WORKERD = "1.20261117.1";

const PROBE = fileURLToPath(new URL("probe", import.meta.url));
const npx = (
  name: string,
  ...args: string[]
): [string, string[]] => ["npx", ["--yes", name, ...args]];

const RUNTIMES: Record<string, [program: string, args: string[]]> = {
  Deno: [Deno.execPath(), ["run", "--no-config", "--no-lock", "--allow-read", "main.mjs"]],
  Node: ["node", ["main.mjs"]],
  Bun: npx(`bun@${BUN}`, "main.mjs"),
  workerd: npx(`workerd@${WORKERD}`, "test", "workerd.capnp", "--experimental"),
};

export const runtimes: string[] = Object.keys(RUNTIMES);

/** Runs the probe on the engine in a folder and returns what it said. */
export async function probeIn(runtime: string, engine: string): Promise<string> {
  const cwd = await Deno.makeTempDir({ prefix: "reprise-probe-" });
  try {
    for await (const { name } of Deno.readDir(PROBE)) {
      await Deno.copyFile(join(PROBE, name), join(cwd, name));
    }
    for (const name of ["reprise.js", "reprise.wasm"]) {
      await Deno.copyFile(join(engine, name), join(cwd, name));
    }
    const [program, args] = RUNTIMES[runtime];
    const said = await output(program, args, { cwd, env: { ...plainEnv(), NO_COLOR: "1" } });
    const line = said.split("\n").find((line) => line.includes("boundary "));
    if (!line) throw new Error(`the probe said nothing in ${runtime}: ${said}`);
    return line.slice(line.indexOf("boundary "));
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

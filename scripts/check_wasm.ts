// deno-lint-ignore-file no-console
/**
 * Proves the committed engine: `deno task check:wasm`.
 *
 * Rules:
 * - One line for each check; the first word is `ok`, `FAIL` or `skip`. One failure fails the whole.
 * - The engine is built again beside the committed one. With the toolchain of the record every byte
 *   must be the same; with another, the exports and types.
 *
 * Options: `--cold` builds every dependency again, `--same-toolchain` fails with a toolchain other
 * than the record's (for CI), `--no-rebuild` leaves the build out (where there is no Rust).
 */
import { join } from "node:path";
import { buildWasm } from "./wasm/build.ts";
import { machinePaths } from "./check/machine_paths.ts";
import { pkg } from "./wasm/places.ts";
import { type BuildRecord, makeRecord, OUTPUTS, readRecord, sourceHash } from "./wasm/record.ts";
import { probeIn, runtimes } from "./check/runtimes.ts";

const OPTIONS = ["--cold", "--same-toolchain", "--no-rebuild"];
for (const option of Deno.args) {
  if (!OPTIONS.includes(option)) throw new TypeError(`Expected one of ${OPTIONS}, got ${option}`);
}
const asked = (option: string) => Deno.args.includes(option);

let failures = 0;

/** Runs one check: what it throws is its failure, what it returns is said. */
async function check(name: string, body: () => Promise<string>) {
  try {
    console.log(`ok   ${name}: ${await body()}`);
  } catch (error) {
    failures += 1;
    console.log(`FAIL ${name}: ${error instanceof Error ? error.message : error}`);
  }
}

const read = (folder: string, name: string) => Deno.readFile(join(folder, name));
const committed = await readRecord(pkg);

await check("record", async () => {
  const now = await makeRecord(pkg, committed.toolchain);
  for (const name of OUTPUTS) {
    if (now.outputs[name].sha256 !== committed.outputs[name].sha256) {
      throw new Error(`${name} is not the file that was built`);
    }
  }
  if (await sourceHash() !== committed.source) throw new Error("the source has changed since");
  return `files and source are those of BUILD.json`;
});

await check("machine paths", async () => {
  for (const name of [...OUTPUTS, "BUILD.json"]) {
    const found = machinePaths(await read(pkg, name));
    if (found.length > 0) throw new Error(`${name} names ${found.slice(0, 5).join(", ")}`);
  }
  return "none";
});

if (asked("--no-rebuild")) console.log("skip rebuild: not asked for");
else await check("rebuild", rebuild);

for (const runtime of runtimes) await check(runtime, () => probeIn(runtime, pkg));

if (failures > 0) Deno.exit(1);

async function rebuild(): Promise<string> {
  const scratch = await Deno.makeTempDir({ prefix: "reprise-check-" });
  try {
    const out = join(scratch, "pkg");
    await buildWasm({
      out,
      target: asked("--cold") ? join(scratch, "target") : undefined,
      relink: true,
    });
    const differs = toolchainDifference(committed, await readRecord(out));
    if (differs === null) return await sameBytes(out);
    if (asked("--same-toolchain")) throw new Error(differs);
    return `${await sameInterface(out)} (bytes not compared: ${differs})`;
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

function toolchainDifference(a: BuildRecord, b: BuildRecord): string | null {
  for (const name of Object.keys({ ...a.toolchain, ...b.toolchain })) {
    const [then, now] = [a.toolchain[name], b.toolchain[name]];
    if (then !== now) return `${name} was ${then ?? "not there"}, is ${now ?? "not there"}`;
  }
  return null;
}

async function sameBytes(out: string): Promise<string> {
  for (const name of [...OUTPUTS, "BUILD.json"]) {
    const [then, now] = [await read(pkg, name), await read(out, name)];
    const at = then.findIndex((byte, at) => byte !== now[at]);
    if (at >= 0 || then.length !== now.length) {
      throw new Error(`${name} differs from byte ${at} on; ${then.length} and ${now.length} bytes`);
    }
  }
  return "every byte is the same";
}

async function sameInterface(out: string): Promise<string> {
  const [then, now] = await Promise.all([pkg, out].map(async (folder) => {
    const module = new WebAssembly.Module(await read(folder, "reprise.wasm"));
    const names = WebAssembly.Module.exports(module).map(({ name, kind }) => `${kind} ${name}`);
    return { names: names.sort().join("\n"), types: (await read(folder, "reprise.d.ts")).join() };
  }));
  if (then.names !== now.names) throw new Error("the exports differ");
  if (then.types !== now.types) throw new Error("the types differ");
  return "the exports and types are the same";
}

/**
 * One build of the engine, from source to the folder with the four files that are committed.
 *
 * Steps: rustls less one line, cargo through wasm-pack, Binaryen, the factory around the glue, record.
 */
import { join } from "node:path";
import { wrapGlue, wrapTypes } from "./glue.ts";
import { preparePatchedRustls } from "./patched_rustls.ts";
import { crate, target } from "./places.ts";
import { makeRecord, OUTPUTS, writeRecord } from "./record.ts";
import { run } from "./run.ts";
import { encodedRustflags, findToolchain, type Toolchain } from "./toolchain.ts";
import { optimize } from "./wasm_opt.ts";

export interface BuildOptions {
  /** Where the files go. */
  out: string;
  /** Cargo's folder; its contents are used again. */
  target?: string;
  /** Build the crate itself even if cargo finds nothing changed. */
  relink?: boolean;
}

/** Builds, and says with what. A build that fails leaves the output as it was. */
export async function buildWasm(options: BuildOptions): Promise<Toolchain> {
  const folder = options.target ?? target;
  await Deno.mkdir(folder, { recursive: true });
  // A second build in the same folder waits: what lies there between the steps is the first one's.
  using lock = await Deno.open(join(folder, "build.lock"), { create: true, write: true });
  await lock.lock(true);
  return await build(options);
}

async function build(options: BuildOptions): Promise<Toolchain> {
  const toolchain = await findToolchain();
  await preparePatchedRustls(toolchain);
  const bound = await compile(toolchain, options);

  const made = join(bound, "made");
  await Deno.mkdir(made, { recursive: true });
  await optimize(join(bound, "reprise_bg.wasm"), join(made, "reprise.wasm"), toolchain.env);
  for (const [name, wrap] of [["reprise.js", wrapGlue], ["reprise.d.ts", wrapTypes]] as const) {
    const glue = await Deno.readTextFile(join(bound, name));
    await Deno.writeTextFile(join(made, name), wrap(glue));
  }
  const versions = { ...toolchain.versions, walrus: await walrusVersion(bound) };
  await writeRecord(made, await makeRecord(made, versions));

  await Deno.mkdir(options.out, { recursive: true });
  for (const name of [...OUTPUTS, "BUILD.json"]) {
    await Deno.copyFile(join(made, name), join(options.out, name));
  }
  return toolchain;
}

/** wasm-bindgen is installed without a lock; of what it is made of, walrus writes the wasm. */
async function walrusVersion(bound: string): Promise<string> {
  const module = new WebAssembly.Module(await Deno.readFile(join(bound, "reprise_bg.wasm")));
  const [producers] = WebAssembly.Module.customSections(module, "producers");
  const found = /walrus.([0-9.]+)/.exec(new TextDecoder("latin1").decode(producers));
  if (!found) throw new Error("wasm-bindgen does not say which walrus it has");
  return found[1];
}

/** Compiles and binds; returns the folder with the output of wasm-bindgen. */
async function compile(toolchain: Toolchain, options: BuildOptions): Promise<string> {
  const { cargo, cargoArgs } = toolchain;
  const targetDir = options.target ?? target;
  await run(cargo, ["fetch", "--quiet", "--locked"], { env: toolchain.env, cwd: crate });
  const env = {
    ...toolchain.env,
    CARGO_TARGET_DIR: targetDir,
    CARGO_ENCODED_RUSTFLAGS: await encodedRustflags(toolchain),
  };
  if (options.relink) {
    const clean = ["clean", "--quiet", "--release", "--target", "wasm32-unknown-unknown"];
    await run(cargo, [...clean, "--package", "reprise"], { env, cwd: crate });
  }
  const bound = join(targetDir, "bound");
  // The folder is named: without a name wasm-pack takes the first of cargo's arguments for it.
  const pack = ["build", ".", "--mode", "no-install", "--target", "web", "--release"];
  const plain = ["--no-pack", "--no-opt", "--out-name", "reprise", "--out-dir", bound];
  await run("wasm-pack", [...pack, ...plain, "--", "--locked", ...cargoArgs], { env, cwd: crate });
  return bound;
}

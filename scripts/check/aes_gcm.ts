// deno-lint-ignore-file no-console
/**
 * Runs the checks of `wasm/aes_gcm/checks` in wasm: what is tested natively is another backend.
 *
 * Rules:
 * - Compiled and optimised as the engine is, with the same flags.
 * - Each check is an export; one that fails traps.
 *
 * `deno run -A scripts/check/aes_gcm.ts` runs them alone; `--measure` times them beside ring, both
 * in turn, `--measure=FILE` as well and leaves the wasm there, for `aes_gcm_measure.ts` elsewhere.
 */
import { join } from "node:path";
import { crate, target } from "../wasm/places.ts";
import { preparePatchedRustls } from "../wasm/patched_rustls.ts";
import { run } from "../wasm/run.ts";
import { encodedRustflags, findToolchain, type Toolchain } from "../wasm/toolchain.ts";
import { optimize } from "../wasm/wasm_opt.ts";
import { exportsOf, measure } from "./aes_gcm_measure.ts";

const TARGET = "wasm32-unknown-unknown";
const PACKAGE = "reprise_aes_gcm_checks";

/** Compiles the checks and runs each; throws the first that fails. */
export async function checkAesGcm(toolchain: Toolchain) {
  const exports = exportsOf(await Deno.readFile(await build(toolchain)));
  const checks = Object.entries(exports).filter(([name]) => name.startsWith("check "));
  if (checks.length === 0) throw new Error(`${PACKAGE} exports no check`);
  for (const [name, check] of checks) {
    try {
      check();
    } catch (cause) {
      throw new Error(`aes_gcm in wasm: ${name} failed`, { cause });
    }
  }
  console.log(`ok   aes_gcm in wasm: ${checks.length} checks`);
}

/** Returns the path of the wasm. */
async function build(toolchain: Toolchain): Promise<string> {
  const env = {
    ...toolchain.env,
    CARGO_TARGET_DIR: target,
    CARGO_ENCODED_RUSTFLAGS: await encodedRustflags(toolchain),
  };
  const what = ["--locked", "--release", "--target", TARGET, "--package", PACKAGE];
  await run(toolchain.cargo, ["build", "--quiet", ...what, ...toolchain.cargoArgs], {
    env,
    cwd: crate,
  });
  const folder = join(target, TARGET, "release");
  const optimized = join(folder, `${PACKAGE}.opt.wasm`);
  await optimize(join(folder, `${PACKAGE}.wasm`), optimized, toolchain.env);
  return optimized;
}

if (import.meta.main) {
  const toolchain = await findToolchain();
  await preparePatchedRustls(toolchain);
  const [option, file] = (Deno.args[0] ?? "").split("=");
  if (option === "--measure") {
    const wasm = await build(toolchain);
    if (file) await Deno.copyFile(wasm, file);
    measure(exportsOf(await Deno.readFile(wasm)));
  } else await checkAesGcm(toolchain);
}

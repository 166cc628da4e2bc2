// deno-lint-ignore-file no-console
/**
 * Builds the engine into `wasm/pkg`, which is committed: `deno task build:wasm`.
 *
 * Needs what `scripts/install.sh` installs. `check_wasm.ts` proves what was built.
 */
import { buildWasm } from "./wasm/build.ts";
import { pkg } from "./wasm/places.ts";
import { readRecord } from "./wasm/record.ts";

const started = performance.now();
const { kind } = await buildWasm({ out: pkg });
for (const [name, { bytes, gzip }] of Object.entries((await readRecord(pkg)).outputs)) {
  console.log(`${name}: ${bytes} bytes, ${gzip} gzipped`);
}
console.log(`built with ${kind} in ${((performance.now() - started) / 1000).toFixed(0)} s`);

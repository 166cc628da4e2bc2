// deno-lint-ignore-file no-console
/**
 * Times AES-GCM beside ring's, both in turn in one run. In any runtime that has `node:fs`:
 * `bun scripts/check/aes_gcm_measure.ts FILE`, where FILE is what `aes_gcm.ts --measure=FILE` left.
 */
import { readFileSync } from "node:fs";
import process from "node:process";

/** The functions of the wasm, by name. */
export type Exports = Record<string, (...args: number[]) => void>;

const ROUNDS = 201;

/** What the wasm of the checks exports. ring's imports (random bytes) are not called. */
export function exportsOf(bytes: Uint8Array<ArrayBuffer>): Exports {
  const module = new WebAssembly.Module(bytes);
  const imports: Record<string, Record<string, () => never>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {};
    imports[from][name] = () => {
      throw new Error(`Nothing should call ${name}`);
    };
  }
  return new WebAssembly.Instance(module, imports).exports as Exports;
}

/** Prints microseconds for a message. */
export function measure(exports: Exports) {
  console.log("us for a message: median (fastest)");
  compare(exports, "the first 8 of 16384 B", "", [16, 16384, 1], 8);
  compare(exports, "AES-128, 16384 B", "", [16, 16384, 4]);
  compare(exports, "AES-256, 16384 B", "", [32, 16384, 4]);
  compare(exports, "AES-128, 1024 B", "", [16, 1024, 40]);
  compare(exports, "AES-128, 64 B", "", [16, 64, 400]);
  compare(exports, "AES-128, 64 B, each with a new key", ", new keys", [16, 64, 200]);
}

/** The arguments: bytes of the key, bytes of a message, messages. */
function compare(
  exports: Exports,
  what: string,
  suffix: string,
  args: [number, number, number],
  rounds = ROUNDS,
) {
  const both = ["ring", "ours"].map((whose) => ({ whose, took: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    for (const { whose, took } of both) {
      const started = performance.now();
      exports[`measure ${whose}${suffix}`](...args);
      took.push((performance.now() - started) * 1000 / args[2]);
    }
  }
  const said = both.map(({ whose, took }) => {
    took.sort((a, b) => a - b);
    return `${whose} ${median(took).toFixed(2)} (${took[0].toFixed(2)})`;
  });
  const times = median(both[0].took) / median(both[1].took);
  console.log(`${what}: ${said.join(", ")}; ${times.toFixed(2)} times as fast`);
}

function median(sorted: number[]): number {
  return sorted[sorted.length >> 1];
}

if (/aes_gcm_measure\.[jt]s$/.test(process.argv[1] ?? "")) {
  measure(exportsOf(new Uint8Array(readFileSync(process.argv[2]))));
}

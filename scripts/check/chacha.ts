// deno-lint-ignore-file no-console
/**
 * ChaCha20-Poly1305 in wasm: the cases of `wasm/chacha/tests`, and how long it takes beside ring's.
 */
import { join } from "node:path";
import { chacha, target } from "../wasm/places.ts";
import { run } from "../wasm/run.ts";
import { encodedRustflags, type Toolchain } from "../wasm/toolchain.ts";
import { optimize } from "../wasm/wasm_opt.ts";

/** As the engine is compiled and optimised: builds `wasm/chacha/examples/in_wasm.rs` with vectors, runs each of its cases, and measures. */
export async function checkChacha(toolchain: Toolchain): Promise<void> {
  const { cargo, cargoArgs, env } = toolchain;
  const folder = join(target, "in_wasm");
  const wasm = ["--target", "wasm32-unknown-unknown", ...cargoArgs];
  const flags = await encodedRustflags(toolchain);
  await run(cargo, ["build", "--locked", "--release", "--example", "in_wasm", ...wasm], {
    cwd: chacha,
    env: { ...env, CARGO_TARGET_DIR: folder, CARGO_ENCODED_RUSTFLAGS: flags },
  });
  const examples = join(folder, "wasm32-unknown-unknown", "release", "examples");
  const file = join(examples, "in_wasm.opt.wasm");
  await optimize(join(examples, "in_wasm.wasm"), file, env);
  const say = (text: number, length: number) => {
    const bytes = new Uint8Array(exports.memory.buffer, text, length);
    console.log(new TextDecoder().decode(bytes));
  };
  const { instance } = await WebAssembly.instantiate(await Deno.readFile(file), { host: { say } });
  const exports = instance.exports as {
    memory: WebAssembly.Memory;
    count(): number;
    run(number: number): void;
    seal(withRing: boolean, length: number, times: number): void;
  };
  const count = exports.count();
  if (count === 0) throw new Error("There are no cases in the wasm");
  // A case that fails has said why, and traps.
  for (let number = 0; number < count; number++) exports.run(number);
  console.log(`${count} cases hold in wasm`);
  for (const length of [64, 1024, 16384]) measure(length);

  /** In turns, so that what else the machine does meets both. */
  function measure(length: number) {
    const rounds = 41;
    const times = Math.ceil(200_000 / (length + 200));
    const took = [[], []] as [number[], number[]];
    for (let round = 0; round < rounds; round++) {
      for (const subject of [0, 1] as const) {
        const start = performance.now();
        exports.seal(subject === 1, length, times);
        took[subject].push((performance.now() - start) / times * 1000);
      }
    }
    const [ours, rings] = took.map((all) => all.sort((a, b) => a - b)[rounds >> 1]);
    const of = (value: number) => `${value.toFixed(2)} µs`;
    console.log(`${length} bytes sealed: ours ${of(ours)}, ring's ${of(rings)}`);
  }
}

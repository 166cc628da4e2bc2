/**
 * The watch sees what it is for: in this process, and in victims of each runtime.
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { until } from "../engine/bounded.ts";
import { runScript } from "../peers/process.ts";
import { type Bundle, bundleVictim } from "./victims/bundle.ts";
import { Victim, VictimLost, type VictimRuntime } from "./victims/process.ts";
import { compute, STALL_MS, VitalSigns } from "./vitals.ts";
import { PAGE, wasmMemory } from "./wasm_memory.ts";
import { Watch, watched } from "./watch.ts";

Deno.test.sanitizer({ ops: false, resources: false });

/** An instance with nothing but a memory of one page. */
function instance(): WebAssembly.Memory {
  const HEADER = [0, 97, 115, 109, 1, 0, 0, 0];
  const MEMORY = [5, 3, 1, 0, 1];
  const EXPORT = [7, 10, 1, 6, ...new TextEncoder().encode("memory"), 2, 0];
  const module = new WebAssembly.Module(Uint8Array.from([...HEADER, ...MEMORY, ...EXPORT]));
  return new WebAssembly.Instance(module).exports.memory as WebAssembly.Memory;
}

/** Long enough for a timer of the watch. */
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 50));

Deno.test("a test passes in which nothing happens", watched({}, turn));

Deno.test("a stop of the timers fails a test", async () => {
  const test = watched({}, async () => {
    await turn();
    compute(STALL_MS);
    await turn();
  });
  const error = await assertRejects(test, Error);
  assertMatch(error.message, /The timers stopped for \d+ ms/);
});

Deno.test("microtasks that do not end for a while fail a test", async () => {
  const test = watched({}, async () => {
    await turn();
    for (let turns = 0; turns < 50; turns++) {
      await Promise.resolve();
      compute(STALL_MS / 50);
    }
    await turn();
  });
  const error = await assertRejects(test, Error);
  assertMatch(error.message, /The timers stopped for \d+ ms/);
});

Deno.test("a rejection that nobody catches fails a test", async () => {
  const test = watched({}, async () => {
    Promise.reject(new Error("nobody catches it"));
    await turn();
  });
  const error = await assertRejects(test, Error);
  assertMatch(error.message, /nobody catches it/);
});

Deno.test("wasm memory beyond a bound fails a test", async () => {
  const memory = instance();
  const grow = async () => {
    memory.grow(4);
    await turn();
  };
  await watched({ wasm: 4 * PAGE }, grow)();
  const error = await assertRejects(watched({ wasm: 3 * PAGE }, grow), Error);
  assertMatch(error.message, /Wasm memory grew by 0.3 MiB, and 0.2 MiB are allowed/);
  assert(wasmMemory() >= 9 * PAGE);
});

Deno.test("file descriptors that stay open fail a test", async () => {
  using signs = new VitalSigns();
  const look = () => Promise.resolve(signs.look());
  if (signs.look().descriptors === null) return;
  const collect = () => Promise.resolve();
  const watch = await Watch.begin({ look, collect }, { descriptors: 100, settle: 100 });
  const files = Array.from({ length: 200 }, () => Deno.openSync("/dev/null"));
  const error = await assertRejects(() => watch.end(), Error);
  assertMatch(error.message, /\d+ file descriptors are still open/);
  for (const file of files) file.close();
  await watch.end();
});

let bundle: Bundle;
Deno.test.beforeAll(async () => {
  bundle = await bundleVictim();
});
Deno.test.afterAll(async () => {
  await bundle[Symbol.asyncDispose]();
});

for (const runtime of ["Deno", "Node", "Bun"] satisfies VictimRuntime[]) {
  Deno.test(`${runtime}: a victim is seen to come to harm`, async () => {
    await using victim = await Victim.start(runtime, { bundle: bundle.folder });
    assertMatch(await victim.call("version", null), new RegExp(`^${runtime} `));
    await victim.look();
    await victim.call("harm", { how: "reject" });
    await turn();
    const { uncaught } = await victim.look();
    assertEquals(uncaught.length, 1);
    assertMatch(uncaught[0], /nobody catches it/);
    await victim.call("harm", { how: "compute", for: STALL_MS }).catch(() => {});
    // It may be lost by now: no sign of life has come.
    if (!victim.lost) assert((await victim.look()).stall >= STALL_MS);
  });

  Deno.test(`${runtime}: a victim whose microtasks do not end is lost`, async () => {
    await using victim = await Victim.start(runtime, { bundle: bundle.folder });
    const lost = () => victim.call("harm", { how: "microtasks" });
    const error = await assertRejects(lost, VictimLost);
    assertMatch(error.message, /its timers have stopped/);
    await assertRejects(() => victim.look(), VictimLost);
  });

  Deno.test(`${runtime}: a victim whose microtasks do not end ends with its test`, async () => {
    const script = new URL("./victims/orphan_script.ts", import.meta.url);
    const input = { runtime, bundle: bundle.folder };
    const pid = await runScript<number>(script, { input });
    const gone = () => {
      try {
        // A process that has ended may be there until somebody asks how.
        return /^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
      } catch {
        return true;
      }
    };
    await until(gone, "the victim's end");
  });
}

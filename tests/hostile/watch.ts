/**
 * Fails a test in which a process came to harm: its timers stopped for 500 ms, its memory passed a
 * bound that the test states, it failed to catch a rejection, or it kept file descriptors.
 *
 * Rules:
 * - `watched()` is for victims in the test's own process. What may stop the process belongs in a
 *   child (`victims/process.ts`), which is killed; a test that stops its own process cannot fail.
 * - Memory is compared with the first look. Wasm memory never shrinks: a bound on what one attack
 *   takes wants a victim that nobody has used before, or one that has grown already.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { collectGarbage, STALL_MS, type Vitals, VitalSigns } from "./vitals.ts";

export type { Vitals } from "./vitals.ts";
export { STALL_MS } from "./vitals.ts";

const MiB = 1024 * 1024;
const LOOK_MS = 50;

/** What a test allows. */
export interface Bounds {
  /** Bytes by which wasm memory may grow; 1 MiB by default. */
  wasm?: number;
  /** Bytes by which the process may grow; 96 MiB by default. */
  rss?: number;
  /** File descriptors that may stay; none by default. */
  descriptors?: number;
  /** Milliseconds that a closed connection may take to be gone; 10,000 by default. */
  settle?: number;
}

/** Who can be looked at: this process, or a child. */
export interface Watched {
  look(): Promise<Vitals>;
  collect(): Promise<void>;
}

/** Throws where a look shows a stop of the timers, or something that nobody caught. */
export function assertUnharmed({ stall, uncaught }: Vitals): void {
  assertEquals(uncaught, [], "Nothing is left uncaught");
  assert(stall < STALL_MS, `The timers stopped for ${Math.round(stall)} ms`);
}

/** A watch on one process, from the first look to {@linkcode Watch.end}. */
export class Watch {
  readonly #process: Watched;
  readonly #bounds: Bounds;
  readonly #before: Vitals;

  private constructor(process: Watched, bounds: Bounds, before: Vitals) {
    this.#process = process;
    this.#bounds = bounds;
    this.#before = before;
  }

  /** Takes the first look. What had happened before is not held against the test. */
  static async begin(process: Watched, bounds: Bounds = {}): Promise<Watch> {
    await process.collect();
    return new Watch(process, bounds, await process.look());
  }

  /** Looks while the attack goes on, or is over: memory, timers, rejections. */
  async look(): Promise<Vitals> {
    const now = await this.#process.look();
    const { wasm = MiB, rss = 96 * MiB } = this.#bounds;
    assertUnharmed(now);
    assertGrowth("Wasm memory", now.wasm - this.#before.wasm, wasm);
    assertGrowth("The process", now.rss - this.#before.rss, rss);
    return now;
  }

  /**
   * The last look where memory is to be given back: garbage is collected for as long as that may
   * take, since nobody tells when a runtime lets go of a buffer.
   */
  async endCollected(): Promise<void> {
    const { wasm = MiB, settle = 10_000 } = this.#bounds;
    const end = performance.now() + settle;
    do {
      await this.#process.collect();
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const now = await this.#process.look();
      if (now.wasm - this.#before.wasm <= wasm) break;
    } while (performance.now() < end);
    await this.end();
  }

  /** The last look; waits until the file descriptors are back. */
  async end(): Promise<void> {
    await this.look();
    const { descriptors = 0, settle = 10_000 } = this.#bounds;
    const end = performance.now() + settle;
    for (;;) {
      const now = await this.#process.look();
      assertUnharmed(now);
      if (now.descriptors === null) return;
      const kept = now.descriptors - this.#before.descriptors!;
      if (kept <= descriptors) return;
      assert(performance.now() < end, `${kept} file descriptors are still open`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

function assertGrowth(what: string, grown: number, bound: number): void {
  const text = (bytes: number) => `${(bytes / MiB).toFixed(1)} MiB`;
  assert(grown <= bound, `${what} grew by ${text(grown)}, and ${text(bound)} are allowed`);
}

/**
 * Makes of a test's function one that fails where this process comes to harm meanwhile. What other
 * threads of it do is not looked at: file descriptors not at all, its size where a bound is given.
 */
export function watched(
  bounds: Bounds,
  test: (watch: Watch) => Promise<void>,
): () => Promise<void> {
  return async () => {
    using signs = new VitalSigns();
    const watch = await Watch.begin({
      look: () => Promise.resolve({ ...signs.look(), descriptors: null }),
      collect: () => Promise.resolve(collectGarbage()),
    }, { rss: Infinity, ...bounds });
    await test(watch);
    await watch.end();
  };
}

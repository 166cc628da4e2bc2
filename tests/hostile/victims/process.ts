/**
 * A victim in a process of its own, seen from the test.
 *
 * Rules:
 * - Whatever is asked of it, and whatever is waited for in `guard()`, ends in an error once the
 *   victim's timers stop: no sign of life comes while its main thread computes for 500 ms. Where the
 *   system does not tell what a thread computes, no sign of life for 5 seconds counts.
 * - `await using` ends it. One whose timers have stopped is killed at once, and one whose test is gone
 *   ends by itself: see `orphan.ts`.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BUN, npmProgram } from "../../npm.ts";
import { settledWithin } from "../../peers/child.ts";
import { STALL_MS, threadTime, type Vitals } from "../vitals.ts";
import type { Watched } from "../watch.ts";
import { BEAT_MS } from "./lines.ts";
import type { Call, Input, Line, Operations, Result } from "./protocol.ts";

/** Where victims live. */
export type VictimRuntime = "Deno" | "Node" | "Bun";

/** For one call or one wait: long enough for a machine that is busy. */
const LIMIT_MS = 30_000;
/** Without a word on what a thread computes. */
const SILENCE_MS = 5_000;
/** So many looks in a row must find no sign of life, so that lines on their way are read. */
const LOOKS = 4;
const STOP_MS = 3_000;

const DENO_MAIN = fileURLToPath(new URL("./main_deno.ts", import.meta.url));

async function command(
  runtime: VictimRuntime,
  bundle: string | undefined,
  pages: number | undefined,
): Promise<string[]> {
  const args = pages === undefined ? [] : [String(pages)];
  if (runtime === "Deno") {
    const flags = ["--quiet", "--no-lock", "--no-check", "-A", "--v8-flags=--expose-gc"];
    return [Deno.execPath(), "run", ...flags, DENO_MAIN, ...args];
  }
  const main = join(bundle!, "victim.mjs");
  if (runtime === "Node") return ["node", "--expose-gc", "--no-warnings", main, ...args];
  return [await npmProgram(BUN, "bun"), main, ...args];
}

/** The victim is no longer what it was: its timers stopped, or it ended. */
export class VictimLost extends Error {
  override readonly name = "VictimLost";
}

/** A running victim. */
export class Victim implements AsyncDisposable, Watched {
  readonly runtime: VictimRuntime;
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #lost = Promise.withResolvers<never>();
  readonly #ended: Promise<unknown>;
  #loss: VictimLost | undefined;
  #next = 0;
  #beats = 0;
  /** Resolves with the first sign of life: what a start computes is nobody's fault. */
  readonly #alive = Promise.withResolvers<void>();

  private constructor(runtime: VictimRuntime, child: Deno.ChildProcess) {
    this.runtime = runtime;
    this.pid = child.pid;
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#lost.promise.catch(() => {});
    this.#ended = Promise.all([child.status, this.#read(), this.#watch()]);
  }

  /** Starts one. `bundle` is the folder of `bundleVictim()`; Deno needs none. */
  static async start(
    runtime: VictimRuntime,
    { bundle, pages }: { bundle?: string; pages?: number } = {},
  ): Promise<Victim> {
    const [program, ...args] = await command(runtime, bundle, pages);
    const child = new Deno.Command(program, {
      args,
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const victim = new Victim(runtime, child);
    await victim.guard(victim.#alive.promise, "the first sign of life");
    return victim;
  }

  /** Whether it can be used no more. */
  get lost(): boolean {
    return this.#loss !== undefined;
  }

  #lose(why: string): void {
    if (this.#loss !== undefined) return;
    this.#loss = new VictimLost(`The victim (${this.runtime}) ${why}`);
    this.#kill();
    this.#lost.reject(this.#loss);
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#hear(JSON.parse(line));
    }
    this.#lose("has ended");
  }

  #hear(line: Line): void {
    if ("beat" in line) {
      this.#beats++;
      this.#alive.resolve();
      return;
    }
    const { id, result, error } = line;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  /** Looks for signs of life until the victim is lost. */
  async #watch(): Promise<void> {
    const thread = `${this.pid}/task/${this.pid}`;
    await Promise.race([this.#alive.promise, this.#lost.promise]).catch(() => {});
    let beats = -1;
    let [wall, computed, looks] = [0, 0, 0];
    while (this.#loss === undefined) {
      await settledWithin(this.#lost.promise, BEAT_MS);
      const time = threadTime(thread);
      if (this.#beats !== beats) {
        [beats, wall, computed, looks] = [this.#beats, performance.now(), time ?? 0, 0];
        continue;
      }
      const silence = performance.now() - wall;
      if (++looks < LOOKS) continue;
      if (time === null ? silence < SILENCE_MS : time - computed < STALL_MS) continue;
      this.#lose(`gave no sign of life for ${Math.round(silence)} ms: its timers have stopped`);
    }
  }

  /** Asks, and waits. */
  call<Name extends keyof Operations>(
    operation: Name,
    input: Input<Name>,
  ): Promise<Result<Name>> {
    const id = this.#next++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    const line = JSON.stringify({ id, operation, input } satisfies Call);
    this.#writer.write(new TextEncoder().encode(`${line}\n`)).catch(() => {});
    return this.guard(waiting.promise as Promise<Result<Name>>, operation);
  }

  /** The promise's outcome, unless the victim is lost before, or the wait takes too long. */
  async guard<T>(promise: Promise<T>, what: string): Promise<T> {
    promise.catch(() => {});
    const settled = await settledWithin(Promise.race([promise, this.#lost.promise]), LIMIT_MS);
    if (this.#loss !== undefined) throw this.#loss;
    if (!settled) {
      throw new Error(`The victim did not come to an end within ${LIMIT_MS} ms: ${what}`);
    }
    return await promise;
  }

  look(): Promise<Vitals> {
    return this.call("look", null);
  }

  async collect(): Promise<void> {
    await this.call("collect", null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    if (!(await settledWithin(this.#child.status, STOP_MS))) this.#kill();
    await this.#ended;
  }
}

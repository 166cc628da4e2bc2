/**
 * What a process says of its health: whether its timers run, how much memory and how many file
 * descriptors it holds, and what it failed to catch. It runs in Deno, Node and Bun.
 *
 * Rules:
 * - A stop of the timers is counted in processor time of the thread that runs them, where the system
 *   tells it (Linux): a thread that computes for 500 ms without a timer in between stops them, one
 *   that another process keeps waiting does not. Elsewhere it is wall-clock time.
 * - Import this before the library: see `wasm_memory.ts`.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { wasmMemory } from "./wasm_memory.ts";

/** Timers must not stop for so long. */
export const STALL_MS = 500;
/** How often a timer looks for a stop. */
const TICK_MS = 25;
/** Kept of what was not caught. */
const MAX_UNCAUGHT = 20;

/** One look at a process. */
export interface Vitals {
  /** Bytes of wasm memory. */
  wasm: number;
  /** Bytes of memory that the system holds for the process, with all its threads. */
  rss: number;
  /** Open file descriptors; `null` where the system does not tell. */
  descriptors: number | null;
  /** The longest stop of the timers since the last look, in milliseconds. */
  stall: number;
  /** Rejections and exceptions that nobody caught, since the last look. */
  uncaught: string[];
}

/**
 * Milliseconds for which a thread has computed, by Linux; `null` elsewhere. Without an argument it
 * is the thread that asks.
 */
export function threadTime(thread = "thread-self"): number | null {
  try {
    return Number(readFileSync(`/proc/${thread}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return null;
  }
}

/** Computes for so many milliseconds of the thread's time, and lets no timer run. */
export function compute(milliseconds: number): void {
  const now = () => threadTime() ?? performance.now();
  for (const end = now() + milliseconds; now() < end;);
}

function descriptors(): number | null {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return null;
  }
}

/** Measures until it is disposed of. */
export class VitalSigns implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #letGo: () => void;
  #uncaught: string[] = [];
  #stall = 0;
  #wall = performance.now();
  #thread = threadTime();

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#letGo = catchAll((what) => {
      if (this.#uncaught.length < MAX_UNCAUGHT) this.#uncaught.push(what);
    });
  }

  #tick(): void {
    const wall = performance.now();
    const thread = threadTime();
    const passed = wall - this.#wall;
    const computed = thread === null ? passed : thread - this.#thread!;
    this.#stall = Math.max(this.#stall, Math.min(passed, computed));
    this.#wall = wall;
    this.#thread = thread;
  }

  /** How the process is; what counts since the last look begins anew. */
  look(): Vitals {
    this.#tick();
    const vitals = {
      wasm: wasmMemory(),
      rss: process.memoryUsage().rss,
      descriptors: descriptors(),
      stall: this.#stall,
      uncaught: this.#uncaught,
    };
    this.#stall = 0;
    this.#uncaught = [];
    return vitals;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#letGo();
  }
}

/** Hands over what nobody caught; returns what takes that back. */
function catchAll(report: (what: string) => void): () => void {
  const describe = (thrown: unknown) => String((thrown as Error)?.stack ?? thrown);
  if ("Deno" in globalThis) {
    const listener = (event: Event) => {
      event.preventDefault();
      const { reason, error } = event as PromiseRejectionEvent & ErrorEvent;
      report(describe(reason ?? error));
    };
    for (const name of ["unhandledrejection", "error"]) addEventListener(name, listener);
    return () => {
      for (const name of ["unhandledrejection", "error"]) removeEventListener(name, listener);
    };
  }
  const listener = (thrown: unknown) => report(describe(thrown));
  for (const name of ["unhandledRejection", "uncaughtException"]) process.on(name, listener);
  return () => {
    for (const name of ["unhandledRejection", "uncaughtException"]) process.off(name, listener);
  };
}

/** Collects garbage, where the process was started with what that needs. */
export function collectGarbage(): void {
  const { gc, Bun } = globalThis as {
    gc?: () => void;
    Bun?: { gc(synchronously: boolean): void };
  };
  gc?.();
  Bun?.gc(true);
}

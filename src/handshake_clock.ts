/**
 * How long handshakes have taken, and which of them take too long: one timer for all that share it.
 *
 * Rule: a turn of the event loop that took long, as this process was busy with others, counts as a
 * short one. The peers had no part of it.
 *
 * @module
 */

import { TlsError } from "./errors.ts";
import type { HalfOpenHandshake } from "./half_open.ts";

/** How often time is counted, at most and at least. */
const MIN_TICK_MS = 5;
const MAX_TICK_MS = 250;
/** Parts of the shortest limit in which time is counted. */
const TICKS = 8;

/** The clock of a listener's handshakes, or of a single one. */
export class HandshakeClock {
  readonly #handshakes = new Set<HalfOpenHandshake>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tick = MAX_TICK_MS;
  #ticked = 0;

  /** Counts the time of one more, until `remove()`. */
  add(handshake: HalfOpenHandshake): void {
    const { helloTimeout, handshakeTimeout } = handshake.options;
    const shortest = Math.min(helloTimeout, handshakeTimeout);
    if (shortest === Infinity) return;
    this.#handshakes.add(handshake);
    const now = performance.now();
    const tick = Math.max(MIN_TICK_MS, Math.min(MAX_TICK_MS, shortest / TICKS));
    if (this.#timer === undefined || tick < this.#tick) {
      clearTimeout(this.#timer);
      this.#tick = tick;
      this.#ticked = now;
      this.#schedule();
    }
    // The next tick counts more than it has been there for.
    handshake.age = this.#ticked - now;
  }

  /** It is over. */
  remove(handshake: HalfOpenHandshake): void {
    this.#handshakes.delete(handshake);
    if (this.#handshakes.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => this.#onTick(), this.#tick);
  }

  #onTick(): void {
    const now = performance.now();
    const elapsed = Math.min(now - this.#ticked, 2 * this.#tick);
    this.#ticked = now;
    this.#schedule();
    for (const handshake of [...this.#handshakes]) {
      handshake.age += elapsed;
      const late = lateness(handshake);
      if (late === undefined) continue;
      this.remove(handshake);
      handshake.abort(late);
    }
  }
}

function lateness({ age, stage, options }: HalfOpenHandshake): TlsError | undefined {
  const { helloTimeout, handshakeTimeout } = options;
  if (age >= handshakeTimeout) return timedOut(`No handshake within ${handshakeTimeout} ms`);
  if (stage === "handshake" || age < helloTimeout) return undefined;
  const what = stage === "silent" ? "The client sent nothing" : "The ClientHello was not whole";
  return timedOut(`${what} within ${helloTimeout} ms`);
}

function timedOut(message: string): TlsError {
  return new TlsError("ERR_TLS_HANDSHAKE_TIMEOUT", message, { origin: "peer" });
}

/**
 * What a connection received and nobody took yet.
 *
 * Rules: one read is under way at most, and only while the buffer is empty: memory is bounded, and
 * what is not asked for stays with the peer. Errors are kept, not thrown. A connection is not taken
 * at its word for how much it read.
 *
 * @module
 */

import type { HttpConn } from "./http_conn.ts";
import { turn } from "./turn.ts";

const BUFFER_BYTES = 32 * 1024;
/** Reads without a byte, one after the other: no connection has a reason for more. */
const MAX_EMPTY_READS = 64;

/** The receiving side of one connection. */
export class Input {
  readonly #conn: HttpConn;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #start = 0;
  #end = 0;
  #filling: Promise<void> | undefined;
  /** The connection ended in order. */
  ended = false;
  /** What a read threw. */
  failure: { error: unknown } | undefined;

  /** Reads from `conn`, when asked. */
  constructor(conn: HttpConn) {
    this.#conn = conn;
  }

  /** What is there, until the next `fill()`. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Nothing came: no byte, no end, no error. */
  get quiet(): boolean {
    return this.#start === this.#end && !this.ended && this.failure === undefined;
  }

  /** The first bytes are dealt with. */
  consume(length: number): void {
    this.#start += length;
  }

  /** Reads once, where nothing is there; waits for the read under way. Never rejects. */
  fill(): Promise<void> {
    if (!this.quiet) return Promise.resolve();
    return this.#filling ??= this.#fill();
  }

  async #fill(): Promise<void> {
    try {
      const n = await this.#readSome();
      if (n === null) this.ended = true;
      else [this.#start, this.#end] = [0, n];
    } catch (error) {
      this.failure = { error };
    } finally {
      this.#filling = undefined;
    }
  }

  /** Reads until bytes come: a read without any is no progress, and must not look like some. */
  async #readSome(): Promise<number | null> {
    for (let empty = 0; empty < MAX_EMPTY_READS; empty++) {
      const n = await this.#conn.read(this.#buffer);
      if (n === null) return null;
      if (!Number.isInteger(n) || n < 0 || n > this.#buffer.length) {
        throw new TypeError(
          `The connection's read() must say how many of ${this.#buffer.length} bytes it read, ` +
            `got ${n}`,
        );
      }
      if (n > 0) return n;
      await turn();
    }
    throw new Error(`The connection's read() gave no byte ${MAX_EMPTY_READS} times`);
  }
}

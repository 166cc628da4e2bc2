/**
 * What a connection received and nobody took yet.
 *
 * Rules: one read is under way at most, and only while the buffer is empty: memory is bounded, and
 * what is not asked for stays with the peer. Errors are kept, not thrown.
 *
 * @module
 */

import type { HttpConn } from "./http_conn.ts";

const BUFFER_BYTES = 32 * 1024;

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
      const n = await this.#conn.read(this.#buffer);
      if (n === null) this.ended = true;
      else [this.#start, this.#end] = [0, n];
    } catch (error) {
      this.failure = { error };
    } finally {
      this.#filling = undefined;
    }
  }
}

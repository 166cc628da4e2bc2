/**
 * A connection without a network: what it hands out is scripted, what it is given is kept.
 *
 * Rules: it answers a read only with bytes that were fed. After them a read waits, ends or throws,
 * as `end` says. `close()` makes a read under way reject, as a `TlsConn` does.
 *
 * @module
 */

import { HttpError, type HttpErrorCode } from "../../src/http/mod.ts";
import { deferred } from "../../src/deferred.ts";
import { TlsError } from "../../src/errors.ts";
import { assert, assertEquals } from "@std/assert";
import { within } from "../engine/bounded.ts";

export const URL_A = "https://a.example/x";

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Each byte as the character of its number, which `TextDecoder` has nothing for. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** What a connection that is cut off throws. */
export function truncated(): TlsError {
  return new TlsError("ERR_TLS_TRUNCATED", "No close_notify", { origin: "transport" });
}

/** What comes after the bytes: nothing, an end in order, or an error. */
export type End = "open" | "end" | Error;

export class FakeConn {
  /** All that was written. */
  sent = "";
  /** The sizes of what was written at once. */
  writes: number[] = [];
  reads = 0;
  /** How many bytes were handed out. */
  taken = 0;
  closes = 0;
  alpnProtocol: string | null = null;
  /** Called before a write resolves. */
  onWrite: (text: string) => void | Promise<void> = () => {};
  #pieces: Uint8Array[] = [];
  #end: End = "open";
  #change = deferred<void>();

  constructor(pieces: (string | Uint8Array)[] = [], end: End = "open") {
    this.feed(pieces, end);
  }

  /** More to hand out, each piece by a read of its own. */
  feed(pieces: (string | Uint8Array)[], end: End = this.#end): void {
    for (const piece of pieces) {
      const bytes = typeof piece === "string" ? bytesOf(piece) : piece;
      if (bytes.length > 0) this.#pieces.push(bytes);
    }
    this.#end = end;
    this.#changed();
  }

  /** Answers each write that ends a request without a body. */
  answers(...answers: string[]): this {
    this.onWrite = (text) => {
      if (text.endsWith("\r\n\r\n")) this.feed([answers.shift() ?? ""]);
    };
    return this;
  }

  handshake() {
    return Promise.resolve({ alpnProtocol: this.alpnProtocol });
  }

  async read(into: Uint8Array): Promise<number | null> {
    this.reads++;
    for (;;) {
      if (this.closes > 0) throw new TlsError("ERR_TLS_CLOSED", "Closed", { origin: "local" });
      const piece = this.#pieces[0];
      if (piece !== undefined) {
        const n = Math.min(piece.length, into.length);
        into.set(piece.subarray(0, n));
        if (n === piece.length) this.#pieces.shift();
        else this.#pieces[0] = piece.subarray(n);
        this.taken += n;
        return n;
      }
      if (this.#end === "end") return null;
      if (this.#end !== "open") throw this.#end;
      await this.#change.promise;
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    const text = textOf(bytes);
    this.sent += text;
    this.writes.push(bytes.length);
    await this.onWrite(text);
    return bytes.length;
  }

  close(): Promise<void> {
    this.closes++;
    this.#changed();
    return Promise.resolve();
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = deferred();
  }
}

/** A connection that answers the first request with these pieces, one read each. */
export function answering(pieces: string | (string | Uint8Array)[], end: End = "open"): FakeConn {
  const conn = new FakeConn();
  conn.onWrite = () => {
    conn.onWrite = () => {};
    conn.feed(typeof pieces === "string" ? [pieces] : pieces, end);
  };
  return conn;
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let rejected: { error: unknown } | undefined;
  await within(promise.catch((error) => rejected = { error }), "the promise settles");
  assert(rejected !== undefined, "The promise is to reject");
  return rejected.error;
}

/** The `HttpError` a promise is to reject with. */
export async function httpError(
  promise: Promise<unknown>,
  code: HttpErrorCode,
  limit?: string,
): Promise<HttpError> {
  const error = await rejection(promise);
  assert(error instanceof HttpError, `${error} is an HttpError`);
  assertEquals([error.code, error.limit], [code, limit], error.message);
  return error;
}

/**
 * A response's body out of the bytes that carry it: by length, or to the end of the connection.
 * Chunks are in `chunked.ts`.
 *
 * Rule: a decoder holds no data; what it returns is part of what it was given.
 *
 * @module
 */

import { HttpError } from "./errors.ts";

/** What a decoder made of some bytes. */
export interface Decoded {
  /** How many bytes it took. */
  consumed: number;
  /** Content among them; `null`: none. */
  data: Uint8Array | null;
}

/** Finds the content in what a connection carries. */
export interface BodyDecoder {
  /** Whether the body is complete; it is over when this is true, whatever else comes. */
  readonly done: boolean;
  /** Takes bytes up to the next content, of which it returns `max` bytes at most. */
  next(bytes: Uint8Array, max: number): Decoded;
  /** The connection ended in order: completes the body, or throws as it is cut short. */
  end(): void;
}

/** A body of a known length. */
export class LengthDecoder implements BodyDecoder {
  #left: number;

  /** `length` is above 0. */
  constructor(length: number) {
    this.#left = length;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  next(bytes: Uint8Array, max: number): Decoded {
    const length = Math.min(this.#left, bytes.length, max);
    this.#left -= length;
    return { consumed: length, data: length === 0 ? null : bytes.subarray(0, length) };
  }

  end(): void {
    throw new HttpError(
      "ERR_HTTP_TRUNCATED",
      `The connection ended ${this.#left} bytes before the end of the body`,
    );
  }
}

/** A body that ends with the connection. */
export class UntilCloseDecoder implements BodyDecoder {
  done = false;

  next(bytes: Uint8Array, max: number): Decoded {
    const length = Math.min(bytes.length, max);
    return { consumed: length, data: length === 0 ? null : bytes.subarray(0, length) };
  }

  end(): void {
    this.done = true;
  }
}

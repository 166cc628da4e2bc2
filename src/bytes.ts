/**
 * Reading and writing of big-endian binary formats, with every length checked.
 *
 * @module
 */

/** Thrown by {@linkcode ByteReader}; callers turn it into what their format calls for. */
export class ShortRead extends Error {}

/** The last time that a `Date` can hold, in seconds. */
const MAX_TIME = 8.64e12;

/** Reads fields in order; throws {@linkcode ShortRead} where one is not there. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  /** The next `n` bytes, as a view. */
  take(n: number): Uint8Array {
    if (n > this.remaining) throw new ShortRead(`Expected ${n} bytes, got ${this.remaining}`);
    this.#offset += n;
    return this.#bytes.subarray(this.#offset - n, this.#offset);
  }

  /** An unsigned integer of up to 6 bytes. */
  uint(size: number): number {
    return this.take(size).reduce((value, byte) => value * 256 + byte, 0);
  }

  /** An unsigned integer of 8 bytes; what is no time, in seconds or milliseconds, throws. */
  uint64(max: number = MAX_TIME): number {
    if (this.uint(2) !== 0) throw new ShortRead("Expected an integer below 2^48");
    const value = this.uint(6);
    if (value > max) throw new ShortRead(`Expected an integer up to ${max}, got ${value}`);
    return value;
  }

  /** A vector (RFC 8446 §3.4): a length of `size` bytes, then that many bytes. */
  vector(size: number, min: number = 0, max: number = Infinity): Uint8Array {
    const length = this.uint(size);
    if (length < min || length > max) {
      throw new ShortRead(`Expected ${min} to ${max} bytes, got ${length}`);
    }
    return this.take(length);
  }
}

/**
 * Writes fields in order into one array that grows.
 *
 * What is written may be secret: arrays that it outgrew are wiped, and so is its own when it is
 * finished or fails. What {@linkcode ByteWriter.finish} returns is the only copy, and the caller's.
 */
export class ByteWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;

  #reserve(n: number): number {
    const at = this.#length;
    if (at + n > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, at + n));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes.fill(0);
      this.#bytes = larger;
    }
    this.#length += n;
    return at;
  }

  bytes(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  uint(size: number, value: number): this {
    const at = this.#reserve(size);
    for (let i = size - 1; i >= 0; i--) {
      this.#bytes[at + i] = value % 256;
      value = Math.floor(value / 256);
    }
    if (value !== 0) {
      this.#bytes.fill(0);
      throw new RangeError(`An integer does not fit ${size} bytes`);
    }
    return this;
  }

  uint64(value: number): this {
    return this.uint(8, value);
  }

  vector(size: number, bytes: Uint8Array): this {
    return this.uint(size, bytes.length).bytes(bytes);
  }

  /** What was written; the writer's own copy is wiped and must not be used again. */
  finish(): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes.slice(0, this.#length);
    this.#bytes.fill(0);
    return bytes;
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Text of UTF-8; throws on anything else. */
export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Lower-case hexadecimal. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether two byte strings are the same. Not for secrets: it stops at the first difference. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Standard base64, padded or not. Throws where a character is foreign. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

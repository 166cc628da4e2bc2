/**
 * The presentation language of TLS (RFC 8446 §3): numbers in network order, and vectors.
 *
 * Rules: what is built may be wrong on purpose, so no range of a protocol is checked here; a number
 * is cut to its bytes. What is read must be whole: reading past the end throws.
 *
 * @module
 */

/** The bytes of all parts, one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The same bytes again and again. */
export function repeat(bytes: Uint8Array, times: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(bytes.length * times);
  for (let at = 0; at < whole.length; at += bytes.length) whole.set(bytes, at);
  return whole;
}

/** Whether both are the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** A number in so many bytes. */
function uint(size: number, value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = size - 1, left = value; at >= 0; at--, left = Math.floor(left / 256)) {
    bytes[at] = left % 256;
  }
  return bytes;
}

export const u8 = (value: number): Uint8Array<ArrayBuffer> => uint(1, value);
export const u16 = (value: number): Uint8Array<ArrayBuffer> => uint(2, value);
export const u24 = (value: number): Uint8Array<ArrayBuffer> => uint(3, value);
export const u32 = (value: number): Uint8Array<ArrayBuffer> => uint(4, value);
export const u64 = (value: number): Uint8Array<ArrayBuffer> => uint(8, value);

function vector(size: number, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const content = concat(...parts);
  return concat(uint(size, content.length), content);
}

/** Vectors, whose length stands before them in one, two or three bytes. */
export const vector8 = (...parts: Uint8Array[]): Uint8Array<ArrayBuffer> => vector(1, parts);
export const vector16 = (...parts: Uint8Array[]): Uint8Array<ArrayBuffer> => vector(2, parts);
export const vector24 = (...parts: Uint8Array[]): Uint8Array<ArrayBuffer> => vector(3, parts);

/** ASCII text, such as a name or a label. */
export function ascii(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Takes structures apart. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next bytes; all that are left, by default. */
  take(length: number = this.left): Uint8Array {
    if (length > this.left) throw new Error(`${length} bytes are expected, ${this.left} are left`);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #uint(size: number): number {
    return this.take(size).reduce((value, byte) => value * 256 + byte, 0);
  }

  u8 = (): number => this.#uint(1);
  u16 = (): number => this.#uint(2);
  u24 = (): number => this.#uint(3);
  u32 = (): number => this.#uint(4);
  vector8 = (): Uint8Array => this.take(this.u8());
  vector16 = (): Uint8Array => this.take(this.u16());
  vector24 = (): Uint8Array => this.take(this.u24());

  /** Reads items until nothing is left. */
  list<T>(item: (reader: Reader) => T): T[] {
    const items: T[] = [];
    while (this.left > 0) items.push(item(this));
    return items;
  }
}

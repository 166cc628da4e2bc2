/**
 * Lines that end with CRLF, from bytes that come in any pieces.
 *
 * Rules: a CR without LF or a LF without CR is an error, as recipients differ on what it means
 * (RFC 9112 §2.2); so is anything beyond the limit. It does not know what is in a line.
 *
 * @module
 */

import { beyond, malformed } from "./errors.ts";

const CR = 13;
const LF = 10;

/** Bytes as characters of the same numbers: what fields are, whatever they mean. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return text;
}

/** Lines of one part of a message. */
export class LineReader {
  readonly #part: string;
  readonly #option: string;
  readonly #limit: number;
  readonly #allowance: number;
  #text = "";
  #afterCr = false;
  #taken = 0;

  /**
   * `part` is named in errors; `option` limits the bytes of all its lines to `limit`. What belongs
   * to the part and does not count is the `allowance`.
   */
  constructor(part: string, option: string, limit: number, allowance = 0) {
    this.#part = part;
    this.#option = option;
    this.#limit = limit;
    this.#allowance = allowance;
  }

  /** What there is of a line that is not whole yet. */
  get begun(): string {
    return this.#text;
  }

  /** Takes bytes to the end of one line: how many, and the line without CRLF if it is whole. */
  take(bytes: Uint8Array): { consumed: number; line: string | null } {
    let at = 0;
    if (!this.#afterCr) {
      while (at < bytes.length && bytes[at] !== CR && bytes[at] !== LF) at++;
      // What is beyond the limit is not even collected.
      this.#count(at);
      this.#text += latin1(bytes.subarray(0, at));
      if (at === bytes.length) return { consumed: at, line: null };
      if (bytes[at] === LF) throw malformed(`${this.#part} has a line that ends with a bare LF`);
      this.#count(1);
      at++;
      this.#afterCr = true;
    }
    if (at === bytes.length) return { consumed: at, line: null };
    if (bytes[at] !== LF) throw malformed(`${this.#part} has a bare CR`);
    this.#count(1);
    const line = this.#text;
    this.#text = "";
    this.#afterCr = false;
    return { consumed: at + 1, line };
  }

  #count(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken > this.#limit + this.#allowance) {
      throw beyond(this.#option, `${this.#part} is longer`, this.#limit);
    }
  }
}

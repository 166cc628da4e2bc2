/**
 * The chunked transfer coding (RFC 9112 §7.1), decoded from bytes that come in any pieces.
 *
 * Rules: a size is hexadecimal digits and nothing else; extensions are checked and skipped, and
 * trailers checked and dropped, both within limits. It holds no data: what it returns is part of what it was
 * given.
 *
 * @module
 */

import type { BodyDecoder, Decoded } from "./body_decoder.ts";
import { beyond, HttpError, malformed } from "./errors.ts";
import { clip, parseField } from "./fields.ts";
import { LineReader } from "./lines.ts";
import type { Limits } from "./options.ts";

/** Digits of a size, leading zeros too: more of them say nothing. */
const MAX_DIGITS = 16;
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const QUOTED = String.raw`"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"`;
const SPACE = "[ \\t]*";
const EXTENSION = `${SPACE};${SPACE}${TOKEN}(?:${SPACE}=${SPACE}(?:${TOKEN}|${QUOTED}))?`;
const SIZE_LINE = new RegExp(`^([0-9A-Fa-f]+)((?:${EXTENSION})*)$`);

/** Decodes one body. */
export class ChunkedDecoder implements BodyDecoder {
  readonly #limits: Limits;
  #state: "size" | "data" | "after_data" | "trailers" | "done" = "size";
  #line: LineReader;
  #left = 0;
  #extensionBytes = 0;
  #trailerCount = 0;
  #crTaken = false;

  /** Makes one for the next body. */
  constructor(limits: Limits) {
    this.#limits = limits;
    this.#line = this.#sizeLine();
  }

  get done(): boolean {
    return this.#state === "done";
  }

  next(bytes: Uint8Array, max: number): Decoded {
    let at = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state === "data") {
        const length = Math.min(this.#left, bytes.length - at, max);
        if (length === 0) break;
        this.#left -= length;
        if (this.#left === 0) this.#state = "after_data";
        return { consumed: at + length, data: bytes.subarray(at, at + length) };
      }
      at += this.#state === "after_data"
        ? this.#afterData(bytes[at])
        : this.#takeLine(bytes.subarray(at));
    }
    return { consumed: at, data: null };
  }

  end(): void {
    throw new HttpError("ERR_HTTP_TRUNCATED", "The connection ended before the last chunk");
  }

  #afterData(byte: number): number {
    if (byte !== (this.#crTaken ? 10 : 13)) throw malformed("A chunk is longer than its size says");
    if (this.#crTaken) {
      this.#state = "size";
      this.#line = this.#sizeLine();
    }
    this.#crTaken = !this.#crTaken;
    return 1;
  }

  #takeLine(bytes: Uint8Array): number {
    const { consumed, line } = this.#line.take(bytes);
    if (line === null) return consumed;
    if (this.#state === "size") this.#addSize(line);
    else this.#addTrailer(line);
    return consumed;
  }

  #sizeLine(): LineReader {
    const { maxChunkExtensionBytes } = this.#limits;
    // The size itself and its CRLF do not count, nor does what came before.
    const allowance = MAX_DIGITS + 2 - this.#extensionBytes;
    return new LineReader(
      "A chunk's first line",
      "maxChunkExtensionBytes",
      maxChunkExtensionBytes,
      allowance,
    );
  }

  #addSize(line: string): void {
    const match = line.match(SIZE_LINE);
    const [, digits = "", extension = ""] = match ?? [];
    const size = parseInt(digits, 16);
    if (
      match === null || digits.length > MAX_DIGITS ||
      !Number.isSafeInteger(size)
    ) {
      throw malformed(`A chunk's size is invalid: ${JSON.stringify(clip(line))}`);
    }
    this.#extensionBytes += extension.length;
    const { maxChunkExtensionBytes, maxTrailerBytes } = this.#limits;
    if (this.#extensionBytes > maxChunkExtensionBytes) {
      throw beyond(
        "maxChunkExtensionBytes",
        "The chunk extensions are longer",
        maxChunkExtensionBytes,
      );
    }
    this.#left = size;
    this.#state = size > 0 ? "data" : "trailers";
    // The empty line at the end is no trailer.
    if (size === 0) {
      this.#line = new LineReader("The trailers", "maxTrailerBytes", maxTrailerBytes, 2);
    }
  }

  #addTrailer(line: string): void {
    if (line === "") {
      this.#state = "done";
      return;
    }
    parseField(line);
    const { maxHeaderCount } = this.#limits;
    if (++this.#trailerCount > maxHeaderCount) {
      throw beyond("maxHeaderCount", "The response has more trailers", maxHeaderCount);
    }
  }
}

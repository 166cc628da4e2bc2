/**
 * A response's status line and fields (RFC 9112 §4 and §5), from bytes that come in any pieces.
 *
 * Rules: what is no HTTP/1 is told by its first bytes, without waiting for more; nothing before the
 * status line is skipped. It does not know what a field means.
 *
 * @module
 */

import { beyond, malformed } from "./errors.ts";
import { clip, type Field, parseField } from "./fields.ts";
import { LineReader } from "./lines.ts";
import type { Limits } from "./options.ts";

/** What comes before a response's body. */
export interface ResponseHead {
  /** 0 or 1, of HTTP/1. */
  minor: number;
  status: number;
  reason: string;
  fields: Field[];
}

const START = "HTTP/1.";
// RFC 9112 §4 has a space after the status even without a reason; servers leave it out.
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;

/** Reads one head. */
export class HeadReader {
  readonly #lines: LineReader;
  readonly #maxCount: number;
  #begun: ResponseHead | undefined;
  /** The head, when it is whole. */
  head: ResponseHead | null = null;

  /** Makes one for the next head. */
  constructor({ maxHeadBytes, maxHeaderCount }: Limits) {
    this.#lines = new LineReader("The response's head", "maxHeadBytes", maxHeadBytes);
    this.#maxCount = maxHeaderCount;
  }

  /** Takes bytes, none of them beyond the head; returns how many. */
  take(bytes: Uint8Array): number {
    let at = 0;
    if (this.#begun === undefined) this.#checkStart(bytes);
    while (at < bytes.length && this.head === null) {
      const { consumed, line } = this.#lines.take(bytes.subarray(at));
      at += consumed;
      if (line !== null) this.#add(line);
    }
    return at;
  }

  #checkStart(bytes: Uint8Array): void {
    const from = this.#lines.begun.length;
    for (let i = from; i < START.length && i - from < bytes.length; i++) {
      if (bytes[i - from] !== START.charCodeAt(i)) {
        throw malformed("The server's answer is no HTTP/1 response");
      }
    }
  }

  #add(line: string): void {
    if (this.#begun === undefined) {
      this.#begun = parseStatusLine(line);
    } else if (line === "") {
      this.head = this.#begun;
    } else {
      if (this.#begun.fields.length === this.#maxCount) {
        throw beyond("maxHeaderCount", "The response has more fields", this.#maxCount);
      }
      this.#begun.fields.push(parseField(line));
    }
  }
}

function parseStatusLine(line: string): ResponseHead {
  const match = line.match(STATUS_LINE);
  if (match === null) throw malformed(`The status line is invalid: ${JSON.stringify(clip(line))}`);
  const [, minor, status, reason = ""] = match;
  return { minor: Number(minor), status: Number(status), reason, fields: [] };
}

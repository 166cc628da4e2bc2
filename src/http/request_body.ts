/**
 * A request's body: where its bytes come from, and how they are framed (RFC 9112 §6).
 *
 * Rules: a body of known length is sent with Content-Length, another one in chunks. Its end is never
 * made up: what is cancelled stays incomplete.
 *
 * @module
 */

import { deadline } from "../deadline.ts";
import { badOption, reading } from "../option_errors.ts";
import { bufferSourceBytes } from "../options.ts";
import { BodySource, type Gathered } from "./body_source.ts";
import { HttpError } from "./errors.ts";

/** How long a stream may take to end for its length to be known. */
const MEASURE_MS = 50;
/** What is written at once. */
const PIECE_BYTES = 64 * 1024;
/** Of the size of a chunk, which is a piece or a small one. */
const MAX_HEX_DIGITS = 5;
const EMPTY = new Uint8Array(0);
const LAST_CHUNK = Uint8Array.of(0x30, 13, 10, 13, 10);

/** One body, sent once. */
export class RequestBody {
  /** Of the Content-Type that goes with it; `null`: none. */
  readonly type: string | null;
  readonly #absent: boolean;
  /** What is to be sent before anything of the source. */
  #buffered: Uint8Array[];
  /** `null`: there is none, or all of it is buffered. */
  #source: BodySource | null;
  #length: number | null;
  #cancelled = false;
  /** All of the message is handed over to be written. */
  exhausted = false;

  private constructor(
    { bytes, source = null, length, type = null, absent = false }: {
      bytes?: Uint8Array;
      source?: BodySource | null;
      length: number | null;
      type?: string | null;
      absent?: boolean;
    },
  ) {
    this.#buffered = bytes === undefined || bytes.length === 0 ? [] : [bytes];
    this.#source = source;
    this.#length = length;
    this.type = type;
    this.#absent = absent;
  }

  /** No body; `counted` says so with a Content-Length. */
  static none(counted: boolean): RequestBody {
    return new RequestBody({ length: 0, absent: !counted });
  }

  /** The body of a `Request`, which is then used. */
  static ofRequest(request: Request): RequestBody | null {
    if (request.bodyUsed) throw new TypeError("The request's body is used already");
    const { body } = request;
    if (body === null) return null;
    if (body !== undefined) return RequestBody.#ofStream(body, null);
    // A browser without `Request.body`: it can be read at once only.
    if (request.method === "GET" || request.method === "HEAD") return null;
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const bytes = new Uint8Array(await request.arrayBuffer());
        if (bytes.length > 0) controller.enqueue(bytes);
        controller.close();
      },
    }, { highWaterMark: 0 });
    return RequestBody.#ofStream(stream, null);
  }

  /** Any body that `fetch` takes; `null`: none. */
  static of(body: unknown): RequestBody | null {
    if (body === null) return null;
    reading('Option "body"', () => body instanceof Object);
    if (body instanceof ReadableStream) return RequestBody.#ofStream(body, null);
    if (typeof body === "string") {
      const bytes = new TextEncoder().encode(body);
      return new RequestBody({ bytes, length: bytes.length, type: "text/plain;charset=UTF-8" });
    }
    if (body instanceof URLSearchParams) {
      const type = "application/x-www-form-urlencoded;charset=UTF-8";
      const bytes = new TextEncoder().encode(body.toString());
      return new RequestBody({ bytes, length: bytes.length, type });
    }
    // As they are now: the caller may go on with the buffer.
    const bytes = bufferSourceBytes("body", body, "Option");
    if (bytes !== undefined) return new RequestBody({ bytes, length: bytes.length });
    if (body instanceof Blob) return RequestBody.#ofStream(body.stream(), body.size, body.type);
    if (body instanceof FormData) {
      // It knows the format, and its boundary.
      const form = new Response(body);
      return RequestBody.#ofStream(form.body!, null, form.headers.get("content-type"));
    }
    badOption(
      "body",
      "a string, bytes, a Blob, FormData, URLSearchParams or a ReadableStream",
      body,
    );
  }

  static #ofStream(
    stream: ReadableStream<Uint8Array>,
    length: number | null,
    type: string | null = null,
  ): RequestBody {
    if (stream.locked) throw new TypeError("The request's body is locked");
    return new RequestBody({ source: new BodySource(stream), length, type: type || null });
  }

  /** What says the framing: a field's line, or `none`. */
  get framing(): string {
    if (this.#absent) return "none";
    if (this.#length === null) return "transfer-encoding: chunked";
    return `content-length: ${this.#length}`;
  }

  /** The caller's word for the length; it is held to it. */
  declare(length: number): void {
    this.#length ??= length;
    if (this.#length !== length) {
      throw new TypeError(
        `Header "content-length" is ${length}, and the body has ${this.#length} bytes`,
      );
    }
  }

  /** Reads a stream for a short time and no more than `limit` bytes, for its length. */
  async measure(limit: number): Promise<void> {
    const source = this.#source;
    if (this.#length !== null || source === null || limit === 0) return;
    const over = Symbol();
    using patience = deadline(MEASURE_MS, undefined, () => over);
    // A source that never makes anybody wait lets no timer run.
    const until = performance.now() + MEASURE_MS;
    let length = 0;
    try {
      while (length <= limit && performance.now() < until) {
        const next = await patience.race(source.next(limit + 1 - length));
        if (next === null) {
          this.#length = length;
          this.#source = null;
          return;
        }
        source.taken();
        this.#buffered.push(next.bytes);
        length += next.bytes.length;
      }
    } catch (error) {
      if (error !== over) throw error;
    }
  }

  /** The message from its head on, in pieces to be written one after the other. */
  async *pieces(head: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
    const chunked = this.#length === null;
    let sent = 0;
    const ready = join(this.#buffered);
    this.#buffered = [];
    sent += ready.length;
    const source = this.#source;
    const closed = source === null;
    this.exhausted = closed && ready.length <= PIECE_BYTES;
    if (ready.length <= PIECE_BYTES) {
      yield join([head, chunked ? chunk(ready) : ready]);
    } else {
      yield head;
      for (let at = 0; at < ready.length; at += PIECE_BYTES) {
        const piece = ready.subarray(at, at + PIECE_BYTES);
        this.exhausted = closed && at + PIECE_BYTES >= ready.length;
        yield chunked ? chunk(piece) : piece;
      }
    }
    if (closed) return;
    for (let next; (next = await this.#next(source, sent)) !== null;) {
      source.taken();
      const { bytes, lengths } = next;
      sent += bytes.length;
      if (this.#length !== null && sent > this.#length) throw this.#mismatch(sent);
      const last = sent === this.#length;
      if (chunked && lengths.length > 1) {
        yield chunks(next);
        continue;
      }
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        const piece = bytes.subarray(at, at + PIECE_BYTES);
        this.exhausted = last && at + PIECE_BYTES >= bytes.length;
        yield chunked ? chunk(piece) : piece;
      }
    }
    if (this.#cancelled) return;
    if (this.#length !== null && sent < this.#length) throw this.#mismatch(sent);
    this.exhausted = true;
    if (chunked) yield LAST_CHUNK;
  }

  /** Nothing was sent: a source that was not read from stays the caller's, to be sent elsewhere. */
  leave(reason: unknown): void {
    if (this.#source?.begun) this.cancel(reason);
  }

  /** Nothing more is read of it, and its source is told. */
  cancel(reason: unknown): void {
    if (this.exhausted || this.#cancelled) return;
    this.#cancelled = true;
    this.#source?.cancel(reason);
  }

  /** What is to be sent next; `null` at the end, or where all is sent and nothing comes soon. */
  async #next(source: BodySource, sent: number): Promise<Gathered | null> {
    if (sent !== this.#length) return await source.next(PIECE_BYTES);
    const over = Symbol();
    using patience = deadline(MEASURE_MS, undefined, () => over);
    try {
      return await patience.race(source.next(1));
    } catch (error) {
      if (error !== over) throw error;
      source.cancel(new Error("The request has its length"));
      return null;
    }
  }

  #mismatch(sent: number): HttpError {
    const more = sent > this.#length! ? "or more " : "";
    return new HttpError(
      "ERR_HTTP_BODY_LENGTH",
      `The request's body has ${sent} bytes ${more}and a content-length of ${this.#length}`,
    );
  }
}

/** One chunk (RFC 9112 §7.1); nothing, for no bytes: that would be the last one. */
function chunk(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 ? EMPTY : chunks({ bytes, lengths: [bytes.length] });
}

/** Chunks as the source gave them, but for those without bytes. */
function chunks({ bytes, lengths }: Gathered): Uint8Array {
  const framing = lengths.length * (MAX_HEX_DIGITS + 4);
  const framed = new Uint8Array(bytes.length + framing);
  let from = 0;
  let to = 0;
  for (const length of lengths) {
    if (length === 0) continue;
    for (const digit of length.toString(16)) framed[to++] = digit.charCodeAt(0);
    to = lineBreak(framed, to);
    framed.set(bytes.subarray(from, from += length), to);
    to = lineBreak(framed, to + length);
  }
  return framed.subarray(0, to);
}

function lineBreak(bytes: Uint8Array, at: number): number {
  bytes[at] = 13;
  bytes[at + 1] = 10;
  return at + 2;
}

function join(parts: Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

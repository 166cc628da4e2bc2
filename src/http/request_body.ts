/**
 * A request's body: where its bytes come from, and how they are framed (RFC 9112 §6).
 *
 * Rules: a body of known length is sent with Content-Length, another one in chunks. A stream is read
 * one chunk ahead at most, and its end is never made up: what is cancelled stays incomplete.
 *
 * @module
 */

import { deadline } from "../deadline.ts";
import { badOption, reading } from "../option_errors.ts";
import { bufferSourceBytes } from "../options.ts";
import { HttpError } from "./errors.ts";

/** How long a stream may take to end for its length to be known. */
const MEASURE_MS = 50;
/** What is written at once. */
const PIECE_BYTES = 64 * 1024;
const EMPTY = new Uint8Array(0);
const LAST_CHUNK = Uint8Array.of(0x30, 13, 10, 13, 10);

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** One body, sent once. */
export class RequestBody {
  /** Of the Content-Type that goes with it; `null`: none. */
  readonly type: string | null;
  readonly #absent: boolean;
  #buffered: Uint8Array[];
  #open: (() => Reader) | null;
  #reader: Reader | null = null;
  #reading: Promise<ReadableStreamReadResult<Uint8Array>> | undefined;
  #length: number | null;
  #cancelled = false;
  /** All of the message is handed over to be written. */
  exhausted = false;

  private constructor(
    { bytes, open = null, length, type = null, absent = false }: {
      bytes?: Uint8Array;
      open?: (() => Reader) | null;
      length: number | null;
      type?: string | null;
      absent?: boolean;
    },
  ) {
    this.#buffered = bytes === undefined || bytes.length === 0 ? [] : [bytes];
    this.#open = open;
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
    return new RequestBody({ open: () => stream.getReader(), length, type: type || null });
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
    if (this.#length !== null || this.#open === null || limit === 0) return;
    const over = Symbol();
    using patience = deadline(MEASURE_MS, undefined, () => over);
    let length = 0;
    try {
      while (length <= limit) {
        const bytes = await patience.race(this.#peek());
        if (bytes === null) {
          this.#length = length;
          this.#open = null;
          return;
        }
        this.#reading = undefined;
        this.#buffered.push(bytes);
        length += bytes.length;
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
    const closed = this.#open === null;
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
    for (let bytes; (bytes = await this.#next(sent)) !== null;) {
      this.#reading = undefined;
      sent += bytes.length;
      if (this.#length !== null && sent > this.#length) throw this.#mismatch(sent);
      const last = sent === this.#length;
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
    if (this.#reader !== null) this.cancel(reason);
  }

  /** Nothing more is read of it, and its source is told. */
  cancel(reason: unknown): void {
    if (this.exhausted || this.#cancelled) return;
    this.#cancelled = true;
    try {
      const reader = this.#reader ?? this.#open?.();
      reader?.cancel(reason).catch(() => {});
    } catch {
      // Somebody else has it by now.
    }
  }

  /** What is to be sent next; `null` at the end, or where all is sent and nothing comes soon. */
  async #next(sent: number): Promise<Uint8Array | null> {
    if (sent !== this.#length) return await this.#peek();
    const over = Symbol();
    using patience = deadline(MEASURE_MS, undefined, () => over);
    try {
      return await patience.race(this.#peek());
    } catch (error) {
      if (error !== over) throw error;
      this.#reader?.cancel(new Error("The request has its length")).catch(() => {});
      return null;
    }
  }

  /** The next bytes of the stream, which stay the next ones; `null` at the end. */
  async #peek(): Promise<Uint8Array | null> {
    if (this.#cancelled) return null;
    this.#reader ??= this.#open!();
    const { done, value } = await (this.#reading ??= this.#reader.read());
    if (done || this.#cancelled) return null;
    if (!(value instanceof Uint8Array)) {
      throw new TypeError(`A request's body must be a stream of Uint8Array, got ${typeof value}`);
    }
    return value;
  }

  #mismatch(sent: number): HttpError {
    const more = sent > this.#length! ? "or more " : "";
    return new HttpError(
      "ERR_HTTP_BODY_LENGTH",
      `The request's body has ${sent} bytes ${more}and a content-length of ${this.#length}`,
    );
  }
}

function chunk(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return EMPTY;
  const size = new TextEncoder().encode(`${bytes.length.toString(16)}\r\n`);
  return join([size, bytes, Uint8Array.of(13, 10)]);
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

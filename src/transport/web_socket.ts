/**
 * A WebSocket as a pair of web streams: bytes through proxies and to places that speak HTTP only.
 * TLS over it is end to end: whoever carries the messages sees ciphertext.
 *
 * Rules:
 * - Binary messages only. Where a message ends means nothing: the bytes are one stream.
 * - A `WebSocket` cannot be told to wait. What nobody has read yet is bounded, and beyond the bound
 *   the connection fails: it neither loses bytes nor grows without end. A `WebSocketStream` can
 *   (`web_socket_stream.ts`).
 * - What came before an end or an error is read before it.
 * - There is no half close: what ends one direction ends the other.
 *
 * @module
 */

import { deferred } from "../deferred.ts";
import { reading } from "../option_errors.ts";
import { checkInteger } from "../options.ts";
import { type KnownOptions, readOptions } from "../read_options.ts";
import type { ByteStreams } from "./streams.ts";
import {
  aborted,
  checkChunk,
  closed,
  CUT_OFF,
  errorOf,
  MAX_MESSAGE_BYTES,
  NORMAL,
  notBinary,
} from "./web_socket_close.ts";
import { isWebSocketStream, streamsOf, type WebSocketStreamLike } from "./web_socket_stream.ts";

export type { WebSocketStreamLike } from "./web_socket_stream.ts";

/** What is used of a WebSocket: that of browsers, Deno, Bun, Node 22, workerd, or npm's `ws`. */
export interface WebSocketLike {
  /** Set to `"arraybuffer"`. */
  binaryType?: string;
  /** 0: connecting, 1: open, 2: closing, 3: closed. */
  readonly readyState: number;
  /** Bytes that were sent and are here still. workerd does not have it. */
  readonly bufferedAmount?: number;
  /** Sends a binary message. */
  send(data: Uint8Array<ArrayBuffer>): void;
  /** Ends the connection. */
  close(code?: number, reason?: string): void;
  /** Listens to `open`, `message`, `error` and `close`. */
  // deno-lint-ignore no-explicit-any -- each runtime has event types of its own
  addEventListener(type: any, listener: (event: any) => void): void;
}

/** Options of {@linkcode webSocketStreams}. */
export interface WebSocketStreamsOptions {
  /**
   * Bytes that may wait to be read, 16 MiB by default; each message counts as 128 more. Beyond
   * them the streams fail and the socket is closed: a `WebSocket` takes what its peer sends, whether
   * or not anybody reads, so who reads slowly needs a bound as large as the download, or a
   * `WebSocketStream`. Without effect with that one: it holds its peer up.
   */
  maxQueued?: number;
  /**
   * Bytes that may wait in the socket to be sent, 1 MiB by default: a write waits for the rest.
   * Without effect where the socket has no `bufferedAmount`, and with a `WebSocketStream`, whose
   * writes wait by themselves.
   */
  maxBuffered?: number;
}

const OPTIONS = {
  maxQueued: "anywhere",
  maxBuffered: "anywhere",
} as const satisfies KnownOptions<WebSocketStreamsOptions>;

/** What an entry of the queue costs besides its bytes. */
const MESSAGE_OVERHEAD = 128;
/** `bufferedAmount` has no event. */
const POLL_MS = 4;

const CONNECTING = 0;
const OPEN = 1;

/**
 * The two directions of a WebSocket, for `startTls()` or `acceptTls()`.
 *
 * The socket may be connecting still. It must be given before its first message is dispatched: in
 * the turn that made it, or in workerd that accepted it (`socket.accept()`). Closing or aborting
 * the writable or cancelling the readable closes the socket. A close with code 1000, 1001 or
 * without one is the end of the readable, anything else an error.
 *
 * A page that may read more slowly than its peer sends, a large download for one, should give a
 * `WebSocketStream` where there is one (Chromium; Deno with `--unstable-net`): nothing is queued
 * then, the peer is held up. With a `WebSocket` the streams fail once `maxQueued` bytes wait.
 *
 * @throws {TypeError} on what is no WebSocket, and on a bad option.
 *
 * @example
 * ```ts ignore
 * const streams = webSocketStreams(new WebSocket("wss://tunnel.example/db"));
 * await using conn = await startTls(streams, { hostname: "db.internal", caCerts: [ca] });
 * ```
 *
 * @example Back-pressure, where the runtime has it
 * ```ts ignore
 * const Socket = globalThis.WebSocketStream ?? WebSocket;
 * const streams = webSocketStreams(new Socket("wss://tunnel.example/db"));
 * ```
 */
export function webSocketStreams(
  socket: WebSocketLike | WebSocketStreamLike,
  options: WebSocketStreamsOptions = {},
): ByteStreams {
  const argument = 'Argument "socket"';
  const isPlain = reading(argument, () => isWebSocket(socket));
  if (!isPlain && !reading(argument, () => isWebSocketStream(socket))) {
    throw new TypeError('Argument "socket" must be a WebSocket or a WebSocketStream');
  }
  const given = readOptions(options, OPTIONS, "webSocketStreams() options");
  const { maxQueued = 16 * 1024 * 1024, maxBuffered = 1024 * 1024 } = given;
  const queued = checkInteger("maxQueued", maxQueued, 1, Number.MAX_SAFE_INTEGER);
  const buffered = checkInteger("maxBuffered", maxBuffered, 0, Number.MAX_SAFE_INTEGER);
  if (!isPlain) return streamsOf(socket as WebSocketStreamLike);
  const both = new Both(socket as WebSocketLike, queued, buffered);
  return { readable: both.readable(), writable: both.writable() };
}

function isWebSocket(socket: unknown): socket is WebSocketLike {
  const { send, addEventListener } = (socket ?? {}) as Partial<WebSocketLike>;
  return typeof send === "function" && typeof addEventListener === "function";
}

/** One socket, and what waits on it. */
class Both {
  readonly #socket: WebSocketLike;
  readonly #maxQueued: number;
  readonly #maxBuffered: number;
  readonly #opened = deferred<void>();
  #queue: Uint8Array[] = [];
  /** Where the queue begins: to move the rest for each message would take the square of the time. */
  #first = 0;
  #queued = 0;
  /** There once nothing more comes: with an error, or without. */
  #end: { error?: Error } | undefined;
  #cancelled = false;
  #sending = false;
  /** Wakes the read that waits. */
  #wake: (() => void) | undefined;
  /** Fails the writable; gone once that has ended by itself. */
  #failWrites: ((error: Error) => void) | undefined;

  constructor(socket: WebSocketLike, maxQueued: number, maxBuffered: number) {
    this.#socket = socket;
    this.#maxQueued = maxQueued;
    this.#maxBuffered = maxBuffered;
    this.#opened.promise.catch(() => {});
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.#opened.resolve());
    socket.addEventListener("message", ({ data }) => this.#received(data));
    socket.addEventListener("error", ({ message, error }) => {
      const why = message ? `: ${message}` : "";
      this.#finish(new Error(`The WebSocket failed${why}`, error && { cause: error }));
    });
    socket.addEventListener("close", ({ code, reason }) => {
      this.#finish(errorOf(code, reason));
      // workerd leaves the answer to the program.
      this.#close(NORMAL);
    });
    if (socket.readyState === OPEN) this.#opened.resolve();
    else if (socket.readyState !== CONNECTING) this.#finish(new Error("The WebSocket is closed"));
  }

  #received(data: unknown): void {
    if (this.#end !== undefined) return;
    if (!(data instanceof ArrayBuffer || ArrayBuffer.isView(data))) {
      return this.#refuse(notBinary());
    }
    const bytes = data instanceof ArrayBuffer
      ? new Uint8Array(data)
      : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (bytes.length === 0) return;
    this.#queued += bytes.length + MESSAGE_OVERHEAD;
    if (this.#queued > this.#maxQueued) {
      return this.#refuse(
        new Error(`The WebSocket received more than is read: over ${this.#maxQueued} bytes wait`),
      );
    }
    this.#queue.push(bytes);
    this.#wake?.();
  }

  /** Ends the connection for what the peer did. */
  #refuse(error: Error): void {
    this.#finish(error);
    this.#close(CUT_OFF);
  }

  /** Nothing more comes, and nothing goes out any more. */
  #finish(error?: Error): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#opened.reject(error ?? closed());
    // After an end a write fails, and closing the writable does not: a pipe back comes to its end.
    if (error !== undefined) this.#failWrites?.(error);
    this.#wake?.();
  }

  #close(code: number): void {
    try {
      this.#socket.close(code);
    } catch {
      // It is closed, or was never open.
    }
  }

  readable(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        while (this.#first === this.#queue.length && this.#end === undefined) {
          await new Promise<void>((resolve) => this.#wake = resolve);
        }
        if (this.#cancelled) return;
        const next = this.#next();
        if (next !== undefined) {
          this.#queued -= next.length + MESSAGE_OVERHEAD;
          controller.enqueue(next);
        } else if (this.#end?.error !== undefined) controller.error(this.#end.error);
        else controller.close();
      },
      cancel: () => {
        this.#cancelled = true;
        this.#queue = [];
        this.#first = 0;
        // What is cut off must not look complete.
        this.#close(this.#sending ? CUT_OFF : NORMAL);
        this.#finish();
      },
    }, { highWaterMark: 0 });
  }

  /** The oldest message that nobody has read. */
  #next(): Uint8Array | undefined {
    const next = this.#queue[this.#first];
    if (next === undefined) return undefined;
    this.#first++;
    if (this.#first * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#first);
      this.#first = 0;
    }
    return next;
  }

  writable(): WritableStream<Uint8Array> {
    return new WritableStream<Uint8Array>({
      start: (controller) => {
        this.#failWrites = (error) => controller.error(error);
        // An abort waits for the write under way, which the peer may never take.
        controller.signal.addEventListener("abort", () => this.#abort(), { once: true });
        return this.#opened.promise;
      },
      write: (chunk) => this.#send(chunk),
      close: () => {
        this.#failWrites = undefined;
        this.#close(NORMAL);
      },
      abort: () => this.#abort(),
    });
  }

  #abort(): void {
    this.#failWrites = undefined;
    this.#close(CUT_OFF);
    this.#finish(aborted());
  }

  async #send(chunk: Uint8Array): Promise<void> {
    this.#sending = true;
    try {
      checkChunk(chunk);
      for (let at = 0; at < chunk.length; at += MAX_MESSAGE_BYTES) {
        // A closed socket takes bytes without a word, and drops them.
        this.#checkOpen();
        this.#socket.send(chunk.slice(at, at + MAX_MESSAGE_BYTES) as Uint8Array<ArrayBuffer>);
        while ((this.#socket.bufferedAmount ?? 0) > this.#maxBuffered) {
          await new Promise((resolve) => setTimeout(resolve, POLL_MS));
          this.#checkOpen();
        }
      }
    } catch (error) {
      this.#abort();
      throw error;
    } finally {
      this.#sending = false;
    }
  }

  #checkOpen(): void {
    if (this.#end !== undefined || this.#socket.readyState !== OPEN) {
      throw this.#end?.error ?? closed();
    }
  }
}

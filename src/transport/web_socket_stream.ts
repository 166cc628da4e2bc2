/**
 * A `WebSocketStream` as a pair of web streams of bytes. It holds its peer up while nobody reads, so
 * nothing waits here and nothing is lost.
 *
 * Rules:
 * - As for a `WebSocket`: binary messages only, whose borders mean nothing, and no half close.
 * - Its own streams end in the same way whatever the close code is. The code is asked for, so that
 *   what was cut off does not look complete, and one is given to the peer.
 * - Whoever aborts waits for nothing that the peer has to do. (The connection itself may: Deno has no
 *   way to end one whose peer reads nothing.)
 *
 * @module
 */

import { deadline } from "../deadline.ts";
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

/** How long the close code may take once the stream has ended. */
const CODE_MS = 5_000;

/** What is used of a `WebSocketStream`: that of Chromium, or of Deno with `--unstable-net`. */
export interface WebSocketStreamLike {
  /** Resolves with both directions once the connection is open. */
  readonly opened: Promise<{
    // deno-lint-ignore no-explicit-any -- Chromium's and Deno's types of chunks differ
    readable: ReadableStream<any>;
    // deno-lint-ignore no-explicit-any -- likewise
    writable: WritableStream<any>;
  }>;
  /** Resolves with how the connection was closed; rejects if it was lost. */
  readonly closed: Promise<{ closeCode?: number; reason?: string }>;
  /** Ends the connection. */
  close(info?: { closeCode?: number; reason?: string }): void;
}

/** Tells the two interfaces apart. */
export function isWebSocketStream(socket: unknown): socket is WebSocketStreamLike {
  const { opened, closed, close } = (socket ?? {}) as Partial<Record<string, unknown>>;
  const isPromise = (value: unknown) =>
    typeof (value as { then?: unknown } | null | undefined)?.then === "function";
  return isPromise(opened) && isPromise(closed) && typeof close === "function";
}

/** The two directions of a `WebSocketStream`. */
export function streamsOf(socket: WebSocketStreamLike): ByteStreams {
  const both = new Both(socket);
  return { readable: both.readable(), writable: both.writable() };
}

class Both {
  readonly #socket: WebSocketStreamLike;
  readonly #reader: Promise<ReadableStreamDefaultReader<unknown>>;
  readonly #writer: Promise<WritableStreamDefaultWriter<unknown>>;
  /** There once nothing more goes out: with an error, or without. */
  #end: { error?: Error } | undefined;
  #cancelled = false;
  #sending = false;
  /** Fails the writable; gone once that has ended by itself. */
  #failWrites: ((error: Error) => void) | undefined;

  constructor(socket: WebSocketStreamLike) {
    this.#socket = socket;
    const opened = Promise.resolve(socket.opened).catch((cause) => {
      throw failed(cause);
    });
    this.#reader = opened.then(({ readable }) => readable.getReader());
    this.#writer = opened.then(({ writable }) => writable.getWriter());
    this.#reader.catch((error) => this.#finish(error));
    this.#writer.then((writer) => writer.closed.catch(() => {}), () => {});
    this.#how().then((error) => this.#finish(error));
  }

  /** How the connection ended, when it has: `undefined`, if in order. */
  #how(): Promise<Error | undefined> {
    return Promise.resolve(this.#socket.closed).then(
      ({ closeCode = 1005, reason }) => errorOf(closeCode, reason),
      failed,
    );
  }

  /** Nothing goes out any more; what came is read still. */
  #finish(error?: Error): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    // After an end a write fails, and closing the writable does not: a pipe back comes to its end.
    if (error !== undefined) this.#failWrites?.(error);
  }

  #close(closeCode: number): void {
    try {
      this.#socket.close({ closeCode });
    } catch {
      // It is closed, or was never open.
    }
  }

  readable(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const reader = await this.#reader;
        for (;;) {
          const { done, value } = await reader.read().catch((cause) => {
            throw this.#end?.error ?? failed(cause);
          });
          if (this.#cancelled) return;
          if (done) return await this.#readEnd(controller);
          const bytes = bytesOf(value);
          if (bytes === undefined) throw this.#refuse(notBinary());
          if (bytes.length === 0) continue;
          return controller.enqueue(bytes);
        }
      },
      cancel: () => {
        this.#cancelled = true;
        // What is cut off must not look complete.
        this.#close(this.#sending ? CUT_OFF : NORMAL);
        this.#finish();
        this.#reader.then((reader) => reader.cancel()).catch(() => {});
      },
    }, { highWaterMark: 0 });
  }

  async #readEnd(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    using limit = deadline(CODE_MS, undefined, () => new Error("The WebSocket has no close code"));
    const error = await limit.race(this.#how());
    // Who aborted is told that, whatever the peer made of it.
    const own = this.#end?.error ?? error;
    if (own !== undefined) throw own;
    controller.close();
  }

  /** Ends the connection for what the peer did. */
  #refuse(error: Error): Error {
    this.#finish(error);
    this.#close(CUT_OFF);
    return error;
  }

  writable(): WritableStream<Uint8Array> {
    return new WritableStream<Uint8Array>({
      start: async (controller) => {
        this.#failWrites = (error) => controller.error(error);
        // An abort waits for the write under way, which the peer may never take.
        controller.signal.addEventListener("abort", () => this.#abort(), { once: true });
        await this.#writer;
      },
      write: (chunk, controller) => this.#send(chunk, controller.signal),
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

  async #send(chunk: Uint8Array, stop: AbortSignal): Promise<void> {
    this.#sending = true;
    try {
      checkChunk(chunk);
      const writer = await this.#writer;
      using over = deadline(Infinity, stop, () => undefined);
      for (let at = 0; at < chunk.length; at += MAX_MESSAGE_BYTES) {
        this.#checkOpen();
        // Copied: it may be transferred.
        const written = writer.write(chunk.slice(at, at + MAX_MESSAGE_BYTES));
        await over.race(written).catch((cause) => {
          throw this.#end?.error ?? failed(cause);
        });
      }
    } catch (error) {
      this.#abort();
      throw error;
    } finally {
      this.#sending = false;
    }
  }

  #checkOpen(): void {
    if (this.#end !== undefined) throw this.#end.error ?? closed();
  }
}

/** The bytes of a binary message; `undefined`: it is of text. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (!ArrayBuffer.isView(value)) return undefined;
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function failed(cause: unknown): Error {
  const message = (cause as { message?: unknown } | null | undefined)?.message;
  return new Error(`The WebSocket failed${message ? `: ${message}` : ""}`, { cause });
}

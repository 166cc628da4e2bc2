/**
 * An established TLS connection, as its user sees it.
 *
 * Rules:
 * - Plaintext that came before an error is read before the error is thrown; an error ends the
 *   connection, and every later call throws it again. EOF without close_notify is an error.
 * - What is cut off must not look complete: after an abort no close_notify is sent.
 * - Memory is bounded: `getSession()` and `sessions()` read ahead only while little waits to be read.
 * - No loop turns without progress, or a wait for something outside.
 *
 * It knows nothing of stores, contexts, or how the connection came about.
 *
 * @module
 */

import { type Deferred, deferred } from "./deferred.ts";
import { deadline } from "./deadline.ts";
import type { EngineConnection } from "./engine.ts";
import { closedError, TlsError } from "./errors.ts";
import type { HandshakeInfo, SessionMiss } from "./handshake_info.ts";
import { checkBytes, checkSignal, checkTimeout } from "./options.ts";
import { nameKind, Opaque } from "./opaque.ts";
import type { Pump } from "./pump.ts";
import { type KnownOptions, readOptions } from "./read_options.ts";
import type { Session } from "./session.ts";
import { SessionQueue } from "./session_queue.ts";

/** How long {@linkcode TlsConn.close} waits for the peer to take what is under way. */
const CLOSE_TIMEOUT_MS = 2_000;
/** How long {@linkcode TlsConn.getSession} waits by default. */
const SESSION_TIMEOUT_MS = 2_000;

const GET_SESSION_OPTIONS = {
  timeout: "anywhere",
  signal: "anywhere",
} as const satisfies KnownOptions<NonNullable<Parameters<TlsConn["getSession"]>[0]>>;

function transferred(name: string, when: string): TypeError {
  return new TypeError(`Argument "${name}" was transferred or shrank while ${when}`);
}

/** What a connection is made from; for modules of this library. */
export interface TlsConnInit {
  engine: EngineConnection;
  pump: Pump;
  sessions: SessionQueue;
  info: HandshakeInfo;
  sessionMiss: SessionMiss | null;
  /** What a server resumed with the session. */
  sessionData?: Uint8Array | null;
  /** What a server received before the handshake was complete. */
  earlyData?: Uint8Array | null;
}

/**
 * A TLS connection after its handshake.
 *
 * It is read and written by {@linkcode TlsConn.read} and {@linkcode TlsConn.write} or by the
 * streams, not by both at once.
 *
 * @example
 * ```ts ignore
 * await using conn = await connectTls({ hostname: "example.com", port: 443 });
 * await conn.write(new TextEncoder().encode("GET / HTTP/1.0\r\nhost: example.com\r\n\r\n"));
 * const session = await conn.getSession();
 * ```
 */
export class TlsConn extends Opaque {
  readonly #engine: EngineConnection;
  readonly #pump: Pump;
  readonly #sessions: SessionQueue;
  readonly #info: HandshakeInfo;
  readonly #sessionMiss: SessionMiss | null;
  readonly #sessionData: Uint8Array | null;
  readonly #earlyData: Uint8Array | null;
  #error: TlsError | undefined;
  /** Bytes were written since something was read: they may be on their way still. */
  #unanswered = false;
  #closing: Promise<void> | undefined;
  #ended = false;
  /** Why nothing more can be sent, on a connection that can be read still. */
  #exhausted: TlsError | undefined;
  #writing: Promise<unknown> = Promise.resolve();
  #drained: Deferred<void> | undefined;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  static {
    nameKind(TlsConn, "TlsConn");
  }

  /** Made by `connectTls()`, `startTls()`, `acceptTls()` and `listenTls()`. */
  constructor(init: TlsConnInit) {
    super();
    this.#engine = init.engine;
    this.#pump = init.pump;
    this.#sessions = init.sessions;
    this.#info = init.info;
    this.#sessionMiss = init.sessionMiss;
    this.#sessionData = init.sessionData ?? null;
    this.#earlyData = init.earlyData ?? null;
  }

  /** What the handshake negotiated. It has taken place; the promise is there for symmetry. */
  handshake(): Promise<HandshakeInfo> {
    return Promise.resolve({ ...this.#info });
  }

  /** Whether the connection resumed a session: both ends agree on it, or the handshake fails. */
  get sessionReused(): boolean {
    return this.#info.resumed;
  }

  /** Why the session that was asked for was not resumed; `null` if it was, or none was asked for. */
  get sessionMiss(): SessionMiss | null {
    return this.#sessionMiss;
  }

  /**
   * On a server: what its `sessionData` callback kept with the session that was resumed, or
   * `null`. It is as trustworthy as this server's own keys.
   */
  get sessionData(): Uint8Array | null {
    return this.#info.resumed ? this.#sessionData : null;
  }

  /**
   * On a server: the early data that was accepted, or `null` if there was none. It came before
   * the client proved that it is there: an attacker may have **replayed** it, to other servers or
   * an earlier time, as far as the store did not notice (RFC 8446 §8). Do nothing on its word
   * that must not happen twice.
   */
  get earlyReadable(): ReadableStream<Uint8Array> | null {
    const bytes = this.#earlyData;
    if (bytes === null) return null;
    return new ReadableStream({
      start(controller) {
        if (bytes.length > 0) controller.enqueue(bytes.slice());
        controller.close();
      },
    });
  }

  /** The newest session received so far, or `null`. */
  get session(): Session | null {
    return this.#sessions.newest;
  }

  /**
   * The newest session; waits for the first one where none has come yet. On TLS 1.3 servers send
   * tickets after the handshake, so this reads ahead, into the connection's bounded buffer.
   *
   * @param options `timeout` in milliseconds, 2,000 by default; `signal` stops the wait and
   * rejects with its reason.
   * @returns `null` if none came in time, or none can come any more.
   */
  async getSession(
    options: { timeout?: number; signal?: AbortSignal } = {},
  ): Promise<Session | null> {
    const given = readOptions(options, GET_SESSION_OPTIONS, "getSession() options");
    const signal = checkSignal("signal", given.signal);
    const timeout = checkTimeout("timeout", given.timeout, SESSION_TIMEOUT_MS);
    signal?.throwIfAborted();
    const timedOut = Symbol();
    using limit = deadline(timeout, signal, () => timedOut);
    try {
      while (this.#sessions.newest === null && this.#canReceive()) {
        await limit.race(this.#receiveAhead());
      }
    } catch (error) {
      if (error !== timedOut) throw error;
    }
    if (this.#sessions.newest === null && this.#engine.panic !== undefined) {
      throw this.#fail(this.#engine.panic);
    }
    return this.#sessions.newest;
  }

  /** Reads once, into the connection's buffer; errors are left for `read()` to throw. */
  async #receiveAhead(): Promise<void> {
    try {
      if (await this.#pump.fill("ahead") === "received") return;
      // Enough waits to be read: a ticket can come only when that has been.
      this.#drained ??= deferred<void>();
      await this.#drained.promise;
    } catch (error) {
      this.#fail(error as TlsError);
    }
  }

  /** Lets those go on who read ahead: there is room, or nothing more comes. */
  #announceDrained(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  #canReceive(): boolean {
    return this.#closing === undefined && this.#error === undefined &&
      !this.#engine.peerClosed && this.#engine.error === undefined;
  }

  /**
   * Sessions as they come, oldest first; ends with the connection. It reads ahead as
   * `getSession()` does. The 16 newest wait for a slow iterator; each goes to one iterator. A server
   * that sends more than 16 tickets is heard once a minute from then on.
   */
  async *sessions(): AsyncGenerator<Session, void, void> {
    for (;;) {
      const next = this.#sessions.shift();
      if (next !== undefined) yield next;
      else if (this.#canReceive()) await this.#receiveAhead();
      else return;
    }
  }

  /**
   * Reads decrypted bytes.
   *
   * @param into Where they go.
   * @returns How many, or `null` at the end: the peer sent close_notify.
   * @throws {TlsError} `ERR_TLS_TRUNCATED` if the byte stream ended without close_notify.
   * @throws {TypeError} if `into` was transferred while the read waited; no byte is lost.
   */
  async read(into: Uint8Array): Promise<number | null> {
    checkBytes("into", into);
    if (into.length === 0) return 0;
    for (;;) {
      if (into.length === 0) throw transferred("into", "the read waited");
      if (this.#closing !== undefined) throw this.#error ?? closedError();
      // Plaintext first: what came before an error is good.
      const n = this.#engine.readPlaintext(into);
      if (n > 0) {
        if (this.#engine.plaintextLength === 0) this.#announceDrained();
        this.#unanswered = false;
        return n;
      }
      const error = this.#error ?? this.#engine.error;
      if (error !== undefined) throw this.#abandon(error);
      if (this.#engine.peerClosed) return null;
      try {
        await this.#pump.fill();
      } catch (error) {
        this.#fail(error as TlsError);
      }
    }
  }

  /**
   * Encrypts and sends all of the bytes. The promise waits until the transport has taken them,
   * which is what slows a fast writer down.
   *
   * @returns The number of bytes: all.
   * @throws {TlsError} `ERR_TLS_KEYS_EXHAUSTED` where a TLS 1.2 connection has sent as much as its
   * keys may protect: close_notify is sent, and reading goes on.
   * @throws {TypeError} if `bytes` shrank or was transferred before all of it was sent; the connection
   * ends without close_notify, as the peer has a part of it.
   */
  write(bytes: Uint8Array): Promise<number> {
    if (this.#closing !== undefined) return Promise.reject(this.#error ?? closedError());
    try {
      checkBytes("bytes", bytes);
    } catch (error) {
      return Promise.reject(error);
    }
    const { length } = bytes;
    const written = this.#writing.then(() => this.#write(bytes, length));
    this.#writing = written.catch(() => {});
    return written;
  }

  async #write(bytes: Uint8Array, length: number): Promise<number> {
    for (let sent = 0; sent < length;) {
      const error = this.#error ?? this.#exhausted ?? this.#engine.error;
      if (error !== undefined) throw this.#isWithoutMemory ? this.#abandon(error) : error;
      if (this.#ended || this.#engine.closed) throw closedError();
      if (bytes.length < length) {
        if (sent > 0) this.#cut();
        throw transferred("bytes", `it was being sent: ${sent} of ${length} bytes were`);
      }
      this.#unanswered = true;
      try {
        sent += this.#engine.writePlaintext(bytes.subarray(sent, length));
      } catch (error) {
        throw await this.#afterRefusedWrite(error as TlsError);
      }
      try {
        await this.#pump.flush();
      } catch (error) {
        throw this.#fail(error as TlsError);
      }
    }
    return length;
  }

  /**
   * The engine does not encrypt any more. Keys that are used up put close_notify into the output: it
   * goes out before the caller is told. Where memory is out nothing is left of the connection.
   */
  async #afterRefusedWrite(error: TlsError): Promise<TlsError> {
    if (this.#isWithoutMemory) return this.#abandon(error);
    if (error.code !== "ERR_TLS_KEYS_EXHAUSTED") return error;
    this.#exhausted = error;
    try {
      await this.#pump.flush();
      return error;
    } catch (failure) {
      return this.#fail(failure as TlsError);
    }
  }

  /**
   * Sends close_notify: the peer reads an end, and can still send. A second call does nothing.
   *
   * @throws {TlsError} `ERR_TLS_CLOSED` after {@linkcode TlsConn.close}.
   */
  closeWrite(): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(this.#error ?? closedError());
    const closed = this.#writing.then(async () => {
      if (this.#error !== undefined) throw this.#error;
      if (this.#closing !== undefined) throw closedError();
      this.#engine.close();
      await this.#pump.flush();
    });
    this.#writing = closed.catch(() => {});
    return closed;
  }

  /**
   * Sends close_notify and ends the connection; waits, 2 seconds at most, until what was written
   * is sent. Reads under way reject with `ERR_TLS_CLOSED`. It never rejects; a second call waits
   * for the first. Sessions on their way to a store are not waited for: `context.settled()` does that.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** Ends the connection without close_notify: the peer is to see that something is missing. */
  #cut(): Promise<void> {
    return this.#closing ??= this.#close("cut");
  }

  async #close(how: "whole" | "cut" = "whole"): Promise<void> {
    using limit = deadline(CLOSE_TIMEOUT_MS, undefined, closedError);
    try {
      await limit.race(this.#writing);
      const alive = this.#error === undefined && this.#engine.error === undefined;
      if (alive && how === "whole") this.#engine.close();
      await limit.race(this.#pump.flush());
      if (
        how === "whole" && this.#unanswered && !this.#engine.peerClosed && this.#error === undefined
      ) {
        await limit.race(this.#pump.finish());
      }
    } catch {
      // The peer does not take it, or is gone: the connection ends all the same.
    }
    this.#ended = true;
    this.#announceDrained();
    await this.#pump.end();
  }

  /** Fails for good: nothing is left to read. The alert for the peer goes out if it can. */
  #abandon(error: TlsError): TlsError {
    const first = this.#fail(error);
    this.close();
    return first;
  }

  get #isWithoutMemory(): boolean {
    return this.#engine.error?.code === "ERR_TLS_OUT_OF_MEMORY";
  }

  /** Remembers the first error. */
  #fail(error: TlsError): TlsError {
    if (this.#error === undefined && this.#closing === undefined) {
      this.#error = error;
      this.#announceDrained();
    }
    return this.#error ?? closedError();
  }

  /** The decrypted bytes as a stream: it reads only when asked, and cancelling it closes. */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= new ReadableStream({
      type: "bytes",
      autoAllocateChunkSize: 64 * 1024,
      pull: async (controller) => {
        const request = controller.byobRequest!;
        const n = await this.read(request.view as Uint8Array);
        if (n === null) {
          controller.close();
          request.respond(0);
        } else request.respond(n);
      },
      cancel: () => this.close(),
    }, { highWaterMark: 0 }) as ReadableStream<Uint8Array<ArrayBuffer>>;
  }

  /** Takes bytes to send: closing it sends close_notify, aborting it ends the connection without. */
  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= new WritableStream({
      // An abort waits for the write under way, which the peer may never take.
      start: (controller) => {
        controller.signal.addEventListener("abort", () => this.#cut(), { once: true });
      },
      write: async (chunk) => {
        await this.write(chunk);
      },
      close: () => this.closeWrite(),
      abort: () => this.#cut(),
    });
  }

  /** As {@linkcode TlsConn.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Names the connection without its secrets. */
  override toString(): string {
    const how = this.#info.resumed ? "resumed" : "full";
    return `TlsConn(${this.#info.protocol}, ${this.#info.serverName}, ${how})`;
  }
}

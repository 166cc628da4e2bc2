/**
 * Accepts TLS connections as the server, over any byte stream.
 *
 * @module
 */

import { TlsError, transportError } from "./errors.ts";
import type { HalfOpen, HalfOpenHandshake, HalfOpenOptions } from "./half_open.ts";
import { HandshakeClock } from "./handshake_clock.ts";
import { abandonHandshake, driveHandshake } from "./handshake_drive.ts";
import { checkInstance } from "./opaque.ts";
import { checkSignal, checkTimeout } from "./options.ts";
import { Pump } from "./pump.ts";
import { type KnownOptions, readOptions } from "./read_options.ts";
import { ServerContext, serverContextInternals } from "./server_context.ts";
import { ServerEngine } from "./server_engine.ts";
import { SessionQueue } from "./session_queue.ts";
import { TlsConn } from "./tls_conn.ts";
import { prefixed } from "./transport/prefixed.ts";
import { type ByteStreams, checkStreams, streamsTransport } from "./transport/streams.ts";
import type { Transport } from "./transport/transport.ts";

const HANDSHAKE_TIMEOUT_MS = 10_000;
/** A ClientHello comes with the connection, or after a packet or two were lost. */
const HELLO_TIMEOUT_MS = 5_000;
/** Holds a ClientHello with a post-quantum key share. */
const FIRST_BYTES = 2048;

/** Options of {@linkcode acceptTls}. */
export interface AcceptTlsOptions {
  /** What the connection is accepted under. */
  context: ServerContext;
  /** Milliseconds for the handshake, 10,000 by default; `Infinity`: no limit. */
  handshakeTimeout?: number;
  /** Milliseconds until the client has sent its ClientHello, 5,000 by default; `Infinity`: no limit. */
  helloTimeout?: number;
  /** Aborts the handshake: the promise rejects with its reason. */
  signal?: AbortSignal;
}

const OPTIONS = {
  context: "anywhere",
  handshakeTimeout: "anywhere",
  helloTimeout: "anywhere",
  signal: "anywhere",
} as const satisfies KnownOptions<AcceptTlsOptions>;

/** Checks `handshakeTimeout`. */
export function checkHandshakeTimeout(value: unknown): number {
  return checkTimeout("handshakeTimeout", value, HANDSHAKE_TIMEOUT_MS);
}

/** Checks `helloTimeout`. */
export function checkHelloTimeout(value: unknown): number {
  return checkTimeout("helloTimeout", value, HELLO_TIMEOUT_MS);
}

/** Checks `context`. */
export function checkServerContext(value: unknown): asserts value is ServerContext {
  checkInstance("context", value, ServerContext);
}

/**
 * Accepts TLS as the server on any byte stream; resolves when the handshake is complete. The
 * streams stay locked until the connection ends. It counts as one of the handshakes that the context's
 * `maxPending` limits.
 *
 * @throws {TypeError} on a bad option; {@linkcode TlsError} on everything else but an abort, which
 * rejects with the signal's reason.
 *
 * @example
 * ```ts ignore
 * const listener = Deno.listen({ port: 8443 });
 * for await (const tcp of listener) {
 *   acceptTls(tcp, { context }).then(serve, (error) => console.error(error.code));
 * }
 * ```
 */
export async function acceptTls(
  streams: ByteStreams,
  options: AcceptTlsOptions,
): Promise<TlsConn> {
  const both = checkStreams(streams);
  const given = readOptions(options, OPTIONS, "acceptTls options");
  const { context } = given;
  checkServerContext(context);
  const signal = checkSignal("signal", given.signal);
  const limits = {
    handshakeTimeout: checkHandshakeTimeout(given.handshakeTimeout),
    helloTimeout: checkHelloTimeout(given.helloTimeout),
    // One of its own: in Workers a timer ends with the request that began it.
    clock: new HandshakeClock(),
    ...(signal && { signal }),
  };
  return await acceptTransport(streamsTransport(both), context, limits);
}

/** Under which limits a connection is accepted. */
export interface AcceptLimits extends HalfOpenOptions {
  /** Counts its time. */
  clock: HandshakeClock;
  /** The caller's. */
  signal?: AbortSignal;
}

/** Accepts over a transport. */
export async function acceptTransport(
  transport: Transport,
  context: ServerContext,
  limits: AcceptLimits,
): Promise<TlsConn> {
  const { clock, signal } = limits;
  const halfOpen = serverContextInternals.halfOpen(context);
  serverContextInternals.counters(context).add("accept");
  let handshake: HalfOpenHandshake;
  try {
    signal?.throwIfAborted();
    handshake = halfOpen.enter(limits);
  } catch (error) {
    transport.close();
    throw error;
  }
  clock.add(handshake);
  const onAbort = () => handshake.abort(signal!.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const first = await firstBytes(transport, handshake);
    halfOpen.advance(handshake, "hello");
    return await new Acceptance(prefixed(first, transport), context, handshake).run();
  } finally {
    halfOpen.leave(handshake);
    clock.remove(handshake);
    signal?.removeEventListener("abort", onAbort);
  }
}

/**
 * What a client sends first. Before it comes the connection has nothing but its transport: clients
 * that send nothing cost no more than that.
 */
async function firstBytes(
  transport: Transport,
  handshake: HalfOpenHandshake,
): Promise<Uint8Array> {
  const { signal } = handshake;
  handshake.onAbort = () => transport.close();
  try {
    let buffer = new Uint8Array(0);
    const n = await handshake.race(transport.read((available) => {
      return buffer = new Uint8Array(Math.min(available || FIRST_BYTES, FIRST_BYTES));
    }));
    signal.throwIfAborted();
    if (n === null) {
      throw new TlsError("ERR_TLS_TRUNCATED", "The client closed the connection and sent nothing", {
        origin: "peer",
      });
    }
    return buffer.subarray(0, n);
  } catch (error) {
    transport.close();
    throw signal.aborted ? signal.reason : transportError(error);
  } finally {
    handshake.onAbort = undefined;
  }
}

/** One handshake, from the first bytes of the ClientHello to the connection or its end. */
class Acceptance {
  readonly #server: ServerEngine;
  readonly #pump: Pump;
  readonly #handshake: HalfOpenHandshake;
  readonly #halfOpen: HalfOpen;
  #earlyData: Uint8Array[] = [];

  constructor(transport: Transport, context: ServerContext, handshake: HalfOpenHandshake) {
    try {
      this.#server = ServerEngine.begin(context);
    } catch (error) {
      transport.close();
      throw error;
    }
    this.#handshake = handshake;
    this.#halfOpen = serverContextInternals.halfOpen(context);
    this.#pump = new Pump(this.#server.connection, transport, () => this.#received());
  }

  /** After each read, during the connection's life too. */
  #received(): void {
    const { connection } = this.#server;
    this.#server.logKeys();
    this.#server.storeSessions();
    const early = connection.takeEarlyData();
    if (early !== undefined) this.#earlyData.push(early);
  }

  async run(): Promise<TlsConn> {
    const { signal } = this.#handshake;
    try {
      await this.#handshake.race(this.#drive());
      return this.#complete();
    } catch (error) {
      await abandonHandshake(this.#pump, signal);
      throw signal.aborted ? signal.reason : error;
    }
  }

  async #drive(): Promise<void> {
    const server = this.#server;
    await driveHandshake({
      connection: server.connection,
      verify: () => server.verify(),
      chooseConfig: () => {
        this.#halfOpen.advance(this.#handshake, "handshake");
        return server.chooseConfig(this.#handshake.signal);
      },
      received: () => this.#received(),
    }, this.#pump);
  }

  #complete(): TlsConn {
    const server = this.#server;
    server.count();
    const info = server.handshakeInfo();
    return new TlsConn({
      engine: server.connection,
      pump: this.#pump,
      sessions: new SessionQueue(),
      info,
      sessionMiss: server.sessionMiss,
      sessionData: server.sessionData,
      earlyData: info.earlyData === "accepted" ? concat(this.#earlyData) : null,
    });
  }
}

function concat(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

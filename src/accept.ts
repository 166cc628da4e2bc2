/**
 * Accepts TLS connections as the server, over any byte stream.
 *
 * @module
 */

import { type Deadline, deadline } from "./deadline.ts";
import { TlsError } from "./errors.ts";
import { abandonHandshake, driveHandshake } from "./handshake_drive.ts";
import { checkInstance } from "./opaque.ts";
import { checkSignal, checkTimeout } from "./options.ts";
import { Pump } from "./pump.ts";
import { type KnownOptions, readOptions } from "./read_options.ts";
import { ServerContext, serverContextInternals } from "./server_context.ts";
import { ServerEngine } from "./server_engine.ts";
import { SessionQueue } from "./session_queue.ts";
import { TlsConn } from "./tls_conn.ts";
import { type ByteStreams, checkStreams, streamsTransport } from "./transport/streams.ts";
import type { Transport } from "./transport/transport.ts";

const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Options of {@linkcode acceptTls}. */
export interface AcceptTlsOptions {
  /** What the connection is accepted under. */
  context: ServerContext;
  /** Milliseconds for the handshake, 10,000 by default; `Infinity`: no limit. */
  handshakeTimeout?: number;
  /** Aborts the handshake: the promise rejects with its reason. */
  signal?: AbortSignal;
}

const OPTIONS = {
  context: "anywhere",
  handshakeTimeout: "anywhere",
  signal: "anywhere",
} as const satisfies KnownOptions<AcceptTlsOptions>;

/** Checks `handshakeTimeout`. */
export function checkHandshakeTimeout(value: unknown): number {
  return checkTimeout("handshakeTimeout", value, HANDSHAKE_TIMEOUT_MS);
}

/** Checks `context`. */
export function checkServerContext(value: unknown): asserts value is ServerContext {
  checkInstance("context", value, ServerContext);
}

/**
 * Accepts TLS as the server on any byte stream; resolves when the handshake is complete. The
 * streams stay locked until the connection ends.
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
  const { context, handshakeTimeout, signal } = readOptions(options, OPTIONS, "acceptTls options");
  checkServerContext(context);
  const abort = checkSignal("signal", signal);
  const timeout = checkHandshakeTimeout(handshakeTimeout);
  return await acceptTransport(streamsTransport(both), context, timeout, abort);
}

/** Accepts over a transport. */
export async function acceptTransport(
  transport: Transport,
  context: ServerContext,
  timeout: number,
  signal?: AbortSignal,
): Promise<TlsConn> {
  using limit = deadline(
    timeout,
    signal,
    () =>
      new TlsError("ERR_TLS_HANDSHAKE_TIMEOUT", `No handshake within ${timeout} ms`, {
        origin: "peer",
      }),
  );
  serverContextInternals.counters(context).add("accept");
  let server: Acceptance | undefined;
  try {
    limit.signal.throwIfAborted();
    server = new Acceptance(transport, context, limit);
    await limit.race(server.run());
    return server.complete();
  } catch (error) {
    if (server === undefined) transport.close();
    else await server.end();
    throw limit.signal.aborted ? limit.signal.reason : error;
  }
}

/** One handshake, from the ClientHello to the connection or its end. */
class Acceptance {
  readonly #server: ServerEngine;
  readonly #pump: Pump;
  readonly #limit: Deadline;
  readonly #puts = new Set<Promise<void>>();
  #earlyData: Uint8Array[] = [];

  constructor(transport: Transport, context: ServerContext, limit: Deadline) {
    this.#server = ServerEngine.begin(context);
    this.#limit = limit;
    this.#pump = new Pump(this.#server.connection, transport, () => this.#received());
  }

  /** After each read, during the connection's life too. */
  #received(): void {
    const { connection } = this.#server;
    this.#server.logKeys();
    for (const put of this.#server.storeSessions()) {
      this.#puts.add(put);
      put.finally(() => this.#puts.delete(put));
    }
    const early = connection.takeEarlyData();
    if (early !== undefined) this.#earlyData.push(early);
  }

  async run(): Promise<void> {
    const server = this.#server;
    await driveHandshake({
      connection: server.connection,
      verify: () => server.verify(),
      chooseConfig: () => server.chooseConfig(this.#limit.signal),
      received: () => this.#received(),
    }, this.#pump);
  }

  complete(): TlsConn {
    const server = this.#server;
    server.count();
    const info = server.handshakeInfo();
    const sessions = new SessionQueue();
    return new TlsConn({
      engine: server.connection,
      pump: this.#pump,
      sessions,
      info,
      sessionMiss: server.sessionMiss,
      sessionData: server.sessionData,
      earlyData: info.earlyData === "accepted" ? concat(this.#earlyData) : null,
      onEnd: async () => {
        await Promise.allSettled(this.#puts);
      },
    });
  }

  end(): Promise<void> {
    return abandonHandshake(this.#pump);
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

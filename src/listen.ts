/**
 * Listens for TLS connections.
 *
 * Rules: a handshake that fails ends nothing but itself. Handshakes in flight and connections that
 * wait for the application are bounded together; beyond that nothing more is accepted, which the
 * system's backlog turns into back-pressure.
 *
 * @module
 */

import { deferred } from "./deferred.ts";
import { acceptTransport, checkHandshakeTimeout, checkServerContext } from "./accept.ts";
import { TlsError, transportError } from "./errors.ts";
import { currentListener } from "./listener.ts";
import { checkFunction, checkInteger } from "./options.ts";
import { type KnownOptions, readOptions } from "./read_options.ts";
import type { ServerContext } from "./server_context.ts";
import { listenAddress } from "./server_name.ts";
import type { TlsConn } from "./tls_conn.ts";
import type { ListenAddress, Transport, TransportListener } from "./transport/transport.ts";

/** Pause after the system refused to accept, as for want of file descriptors. */
const ACCEPT_RETRY_MS = 50;

/** Options of {@linkcode listenTls}. */
export interface ListenTlsOptions {
  /** The port; 0: one that is free. */
  port: number;
  /** The address to listen on, `"0.0.0.0"` by default; an IPv6 address may have a zone. */
  hostname?: string;
  /** What connections are accepted under. */
  context: ServerContext;
  /** Milliseconds for each handshake, 10,000 by default; `Infinity`: no limit. */
  handshakeTimeout?: number;
  /** Handshakes in flight and connections that wait to be taken, together; 1,000 by default. */
  maxPending?: number;
  /** Told of each handshake that failed, and of each failure to accept. */
  onError?: (error: Error) => void;
}

const OPTIONS = {
  port: "anywhere",
  hostname: "anywhere",
  context: "anywhere",
  handshakeTimeout: "anywhere",
  maxPending: "anywhere",
  onError: "anywhere",
} as const satisfies KnownOptions<ListenTlsOptions>;

/**
 * A listener: iterate it for connections whose handshake is complete.
 *
 * @example
 * ```ts ignore
 * const listener = listenTls({ port: 8443, context, onError: (error) => console.error(error) });
 * const { port } = await listener.listening;
 * for await (const conn of listener) serve(conn);
 * ```
 */
export class TlsListener implements AsyncIterable<TlsConn> {
  /** Resolves with the address when it listens; rejects with a `TlsError` if it cannot. */
  readonly listening: Promise<ListenAddress>;
  readonly #options: Required<Omit<ListenTlsOptions, "onError">>;
  readonly #onError: (error: Error) => void;
  readonly #handshakes = new Set<Promise<void>>();
  readonly #ready: TlsConn[] = [];
  #listener: TransportListener | undefined;
  #changed = deferred<void>();
  #closed = false;
  #closing: Promise<void> | undefined;
  readonly #accepting: Promise<void>;

  /** Made by {@linkcode listenTls}. */
  constructor(options: ListenTlsOptions) {
    const given = readOptions(options, OPTIONS, "listenTls options");
    const { context, hostname = "0.0.0.0", maxPending = 1000 } = given;
    checkServerContext(context);
    this.#onError = checkFunction("onError", given.onError) ?? (() => {});
    this.#options = {
      context,
      hostname: listenAddress("hostname", hostname),
      port: checkInteger("port", given.port, 0, 65_535),
      handshakeTimeout: checkHandshakeTimeout(given.handshakeTimeout),
      maxPending: checkInteger("maxPending", maxPending, 1, 1_000_000),
    };
    this.listening = this.#listen();
    this.#accepting = this.listening.then(() => this.#accept(), () => this.#end());
  }

  async #listen(): Promise<ListenAddress> {
    const { hostname, port } = this.#options;
    try {
      this.#listener = await currentListener()({ hostname, port });
    } catch (error) {
      throw error instanceof TypeError ? error : transportError(error);
    }
    if (this.#closed) this.#listener.close();
    return this.#listener.address;
  }

  #announce(): void {
    this.#changed.resolve();
    this.#changed = deferred<void>();
  }

  #end(): void {
    this.#closed = true;
    this.#announce();
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      if (this.#handshakes.size + this.#ready.length >= this.#options.maxPending) {
        await this.#changed.promise;
        continue;
      }
      let transport: Transport | null;
      try {
        transport = await this.#listener!.accept();
      } catch (error) {
        this.#report(transportError(error));
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
        continue;
      }
      if (transport === null) break;
      this.#begin(transport);
    }
    this.#end();
  }

  #begin(transport: Transport): void {
    const { context, handshakeTimeout } = this.#options;
    const handshake = acceptTransport(transport, context, handshakeTimeout)
      .then(
        (conn) => {
          this.#ready.push(conn);
        },
        (error) => this.#report(error),
      )
      .finally(() => {
        this.#handshakes.delete(handshake);
        this.#announce();
      });
    this.#handshakes.add(handshake);
  }

  #report(error: unknown): void {
    const reported = error instanceof Error
      ? error
      : new TlsError("ERR_TLS_TRANSPORT", String(error), { origin: "transport", cause: error });
    try {
      this.#onError(reported);
    } catch {
      // A callback that throws ends nothing.
    }
  }

  /**
   * Stops accepting, and waits for the handshakes in flight. Their connections are handed out
   * still; then the iteration ends. Connections handed out live on.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#closed = true;
    this.#listener?.close();
    this.#announce();
    await this.#accepting;
    await Promise.all(this.#handshakes);
    this.#announce();
  }

  /** As {@linkcode TlsListener.close}; connections that nobody took are closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await Promise.all(this.#ready.splice(0).map((conn) => conn.close()));
  }

  /** Connections in the order in which their handshakes completed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TlsConn, void, void> {
    await this.listening;
    for (;;) {
      const conn = this.#ready.shift();
      if (conn !== undefined) {
        this.#announce();
        yield conn;
      } else if (this.#closed && this.#handshakes.size === 0) return;
      else await this.#changed.promise;
    }
  }
}

/** Listens for TLS connections; see {@linkcode TlsListener}. Throws `TypeError` on a bad option. */
export function listenTls(options: ListenTlsOptions): TlsListener {
  return new TlsListener(options);
}

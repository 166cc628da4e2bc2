/**
 * Listens for TLS connections.
 *
 * Rules: a handshake that fails ends nothing but itself. Handshakes under way and connections that
 * wait for the application are bounded together. At the bound a client that has sent nothing goes for
 * the next one (`half_open.ts`). Where none can go nothing more is accepted, which the system's
 * backlog turns into back-pressure; where the system has no such backlog, newcomers are refused.
 *
 * @module
 */

import { deadline } from "./deadline.ts";
import { deferred } from "./deferred.ts";
import {
  acceptTransport,
  checkHandshakeTimeout,
  checkHelloTimeout,
  checkServerContext,
} from "./accept.ts";
import { closedError, TlsError, transportError } from "./errors.ts";
import { type HalfOpen, overloaded } from "./half_open.ts";
import { HandshakeClock } from "./handshake_clock.ts";
import { currentListener } from "./listener.ts";
import { checkFunction, checkInteger } from "./options.ts";
import { callQuietly } from "./quiet_callback.ts";
import { type KnownOptions, readOptions } from "./read_options.ts";
import { type ServerContext, serverContextInternals } from "./server_context.ts";
import { listenAddress } from "./server_name.ts";
import type { TlsConn } from "./tls_conn.ts";
import type { ListenAddress, Transport, TransportListener } from "./transport/transport.ts";

/** Pause after the system refused to accept, as for want of file descriptors. */
const ACCEPT_RETRY_MS = 50;
/**
 * Connections that are taken in one turn of the event loop where the system does not queue them: more
 * would push out clients whose ClientHello is there, and was not read yet.
 */
const MAX_A_TURN = 256;
/** How often a listener that is full looks whether a handshake is under way for too long. */
const LOOK_AGAIN_MS = 250;
/** How long {@linkcode TlsListener.close} waits for handshakes whose ClientHello is there. */
const CLOSE_TIMEOUT_MS = 5_000;

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
  /** Milliseconds until a client has sent its ClientHello, 5,000 by default; `Infinity`: no limit. */
  helloTimeout?: number;
  /**
   * Handshakes under way and connections that wait to be taken, together; as the context's
   * `maxPending` by default, which counts the handshakes of all that use it.
   */
  maxPending?: number;
  /** Told of each handshake that failed, and of each failure to accept. */
  onError?: (error: Error) => void;
}

const OPTIONS = {
  port: "anywhere",
  hostname: "anywhere",
  context: "anywhere",
  handshakeTimeout: "anywhere",
  helloTimeout: "anywhere",
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
  readonly #halfOpen: HalfOpen;
  readonly #clock = new HandshakeClock();
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
    const { context, hostname = "0.0.0.0" } = given;
    checkServerContext(context);
    const { maxPending = serverContextInternals.maxPending(context) } = given;
    this.#onError = checkFunction("onError", given.onError) ?? (() => {});
    this.#halfOpen = serverContextInternals.halfOpen(context);
    this.#options = {
      context,
      hostname: listenAddress("hostname", hostname),
      port: checkInteger("port", given.port, 0, 65_535),
      handshakeTimeout: checkHandshakeTimeout(given.handshakeTimeout),
      helloTimeout: checkHelloTimeout(given.helloTimeout),
      maxPending: checkInteger("maxPending", maxPending, 1, 1_000_000),
    };
    this.listening = this.#listen();
    this.#accepting = this.listening.then(() => this.#accept(), () => this.#end());
  }

  async #listen(): Promise<ListenAddress> {
    const { hostname, port } = this.#options;
    try {
      this.#listener = await currentListener()({ hostname, port }, () => this.#onRefused());
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

  get #isFull(): boolean {
    return this.#handshakes.size + this.#ready.length >= this.#options.maxPending;
  }

  async #accept(): Promise<void> {
    const listener = this.#listener!;
    for (let taken = 1; !this.#closed; taken++) {
      if (!listener.systemQueues && taken % MAX_A_TURN === 0) {
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      if (listener.systemQueues && this.#isFull && !this.#halfOpen.canEvict(this)) {
        await this.#change();
        continue;
      }
      let transport: Transport | null;
      try {
        transport = await listener.accept();
      } catch (error) {
        this.#report(transportError(error));
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
        continue;
      }
      if (transport === null) break;
      // Those under way may have come further since, and keep their places now.
      let hasRoom = this.#makeRoom();
      while (listener.systemQueues && !hasRoom && !this.#closed) {
        await this.#change();
        hasRoom = this.#makeRoom();
      }
      if (this.#closed) transport.close();
      else if (hasRoom) this.#begin(transport);
      else this.#refuse(transport);
    }
    this.#end();
  }

  /** Whether one more may begin; where there are too many, another one goes for it. */
  #makeRoom(): boolean {
    return !this.#isFull || this.#halfOpen.evict(this);
  }

  /** Waits until something is over, or for a moment: what is under way for long may go. */
  async #change(): Promise<void> {
    using moment = deadline(LOOK_AGAIN_MS, undefined, () => undefined);
    await moment.race(this.#changed.promise).catch(() => {});
  }

  #refuse(transport: Transport): void {
    transport.close();
    this.#onRefused();
  }

  /** A connection was closed because there are too many. */
  #onRefused(): void {
    serverContextInternals.counters(this.#options.context).add("refused");
    this.#report(overloaded());
  }

  #begin(transport: Transport): void {
    const { context, handshakeTimeout, helloTimeout } = this.#options;
    const limits = { handshakeTimeout, helloTimeout, owner: this, clock: this.#clock };
    const handshake = acceptTransport(transport, context, limits)
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
    callQuietly(this.#onError, reported);
  }

  /**
   * Stops accepting, and waits for the handshakes under way, 5 seconds at most; those of clients that
   * have not sent a ClientHello are ended. The connections of the others are handed out still; then
   * the iteration ends. Connections handed out live on.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#closed = true;
    this.#listener?.close();
    this.#announce();
    await this.#accepting;
    this.#halfOpen.dropUnheard(this, closedError);
    using limit = deadline(CLOSE_TIMEOUT_MS, undefined, closedError);
    const onLate = () => this.#halfOpen.dropAll(this, closedError);
    limit.signal.addEventListener("abort", onLate, { once: true });
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

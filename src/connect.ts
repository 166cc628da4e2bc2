/**
 * Opens TLS connections: the session is chosen, the handshake driven, within one deadline.
 *
 * @module
 */

import { ClientEngine } from "./client_engine.ts";
import { currentConnector } from "./connector.ts";
import { ClientContext, clientContextInternals } from "./context.ts";
import { CLIENT_CONTEXT_OPTIONS, type ClientContextOptions } from "./context_options.ts";
import { type Deadline, deadline } from "./deadline.ts";
import { TlsError } from "./errors.ts";
import { abandonHandshake, driveHandshake } from "./handshake_drive.ts";
import { checkNetworkPartition } from "./network_partition.ts";
import { checkInstance } from "./opaque.ts";
import {
  bytesOf,
  checkInteger,
  checkOneOf,
  checkSignal,
  checkString,
  checkTimeout,
} from "./options.ts";
import { Pump } from "./pump.ts";
import { type KnownOptions, type Read, readOptions } from "./read_options.ts";
import { addressOf, canonicalServerName } from "./server_name.ts";
import { MAX_SESSION_BYTES, Session } from "./session.ts";
import type { SessionTarget } from "./session_offer.ts";
import { SessionQueue, TicketBudget } from "./session_queue.ts";
import { TlsConn } from "./tls_conn.ts";
import { type ByteStreams, checkStreams, streamsTransport } from "./transport/streams.ts";
import type { Transport } from "./transport/transport.ts";

const HANDSHAKE_TIMEOUT_MS = 30_000;

/** Options of {@linkcode startTls}. */
export interface StartTlsOptions extends ClientContextOptions {
  /** The server: a DNS name, in ASCII or not, or an IP address; nothing else, such as a port. */
  hostname: string;
  /** The server's port; sessions are bound to it. */
  port?: number;
  /** The name to send (RFC 6066 SNI) and to verify, where it is another than `hostname`. */
  serverName?: string;
  /** What the connection is made under, instead of its options inline. */
  context?: ClientContext;
  /** The session to resume, or its bytes. One that cannot be used costs a full handshake. */
  session?: Session | Uint8Array | undefined;
  /**
   * Bytes to send with the ClientHello (RFC 8446 §2.3), if a session is resumed whose server takes
   * them. They are **not protected against replay**: an attacker can make the server see them
   * again. What does not go early is sent after the handshake, as `onEarlyDataRejected` says.
   */
  earlyData?: Uint8Array;
  /**
   * What becomes of early data that the server did not take, or that could not be sent early:
   * `"resend"`, the default, writes it after the handshake; `"report"` leaves it to the caller,
   * who looks at `handshake().earlyData`, and sends all of it early or nothing.
   */
  onEarlyDataRejected?: "resend" | "report";
  /**
   * Keeps the sessions of a pool apart from those of other names, so that none links the two;
   * 4,096 bytes of UTF-8 at most.
   */
  networkPartition?: string;
  /** Milliseconds for connecting and the handshake, 30,000 by default; `Infinity`: no limit. */
  handshakeTimeout?: number;
  /** Aborts connecting and the handshake: the promise rejects with its reason. */
  signal?: AbortSignal;
}

/** Options of {@linkcode connectTls}. */
export interface ConnectTlsOptions extends StartTlsOptions {
  /** The server's port. */
  port: number;
}

const CONNECTION_OPTIONS = {
  hostname: "anywhere",
  port: "anywhere",
  serverName: "anywhere",
  context: "anywhere",
  session: "anywhere",
  earlyData: "anywhere",
  onEarlyDataRejected: "anywhere",
  networkPartition: "anywhere",
  handshakeTimeout: "anywhere",
  signal: "anywhere",
} as const satisfies KnownOptions<Omit<ConnectTlsOptions, keyof ClientContextOptions>>;

const OPTIONS = {
  ...CONNECTION_OPTIONS,
  ...CLIENT_CONTEXT_OPTIONS,
} as const satisfies KnownOptions<ConnectTlsOptions>;

/** What was asked for. Disposing of it lets go of the deadline, and wipes the copy of a session. */
interface Request extends Disposable {
  target: SessionTarget;
  /** What to connect to. */
  address: string;
  session: Session | Uint8Array | undefined;
  earlyData: Uint8Array;
  resend: boolean;
  deadline: Deadline;
}

/** The context that was given, or one of the options inline. */
function checkContext(options: Read<typeof OPTIONS>): ClientContext {
  const { context } = options;
  const inline = Object.entries(options).filter(([name, value]) =>
    Object.hasOwn(CLIENT_CONTEXT_OPTIONS, name) && value !== undefined
  );
  if (context === undefined) return new ClientContext(Object.fromEntries(inline));
  checkInstance("context", context, ClientContext);
  if (inline.length > 0) {
    const [[both]] = inline;
    throw new TypeError(`Option "${both}" belongs to the context: give it there, or no context`);
  }
  return context;
}

/** A session, or a copy of its bytes. */
function checkSession(value: unknown): Session | Uint8Array | undefined {
  if (value === undefined) return undefined;
  if (ArrayBuffer.isView(value)) {
    return bytesOf("session", value, "Option", MAX_SESSION_BYTES + 1);
  }
  checkInstance("session", value, Session, "Option", " or a Uint8Array");
  return value;
}

function check(given: unknown, needsPort: boolean): Request {
  const options = readOptions(given, OPTIONS, "connection options");
  const { hostname, onEarlyDataRejected = "resend", earlyData } = options;
  checkString("hostname", hostname);
  const canonical = canonicalServerName("hostname", hostname);
  const port = options.port === undefined && !needsPort
    ? 0
    : checkInteger("port", options.port, needsPort ? 1 : 0, 65_535);
  const signal = checkSignal("signal", options.signal);
  const rejected = checkOneOf("onEarlyDataRejected", onEarlyDataRejected, ["resend", "report"]);
  const networkPartition = checkNetworkPartition(options.networkPartition);
  const timeout = checkTimeout("handshakeTimeout", options.handshakeTimeout, HANDSHAKE_TIMEOUT_MS);
  const context = checkContext(options);
  const serverName = options.serverName === undefined
    ? canonical
    : canonicalServerName("serverName", options.serverName);
  const timedOut = () =>
    new TlsError("ERR_TLS_HANDSHAKE_TIMEOUT", `No handshake within ${timeout} ms`, {
      origin: "peer",
    });
  const request = {
    target: { context, serverName, port, networkPartition },
    address: addressOf(canonical, hostname),
    earlyData: earlyData === undefined
      ? new Uint8Array(0)
      : bytesOf("earlyData", earlyData, "Option"),
    resend: rejected === "resend",
    session: checkSession(options.session),
    deadline: deadline(timeout, signal, timedOut),
  };
  return {
    ...request,
    [Symbol.dispose]() {
      request.deadline[Symbol.dispose]();
      if (request.session instanceof Uint8Array) request.session.fill(0);
    },
  };
}

/**
 * Opens a TLS connection over TCP; resolves when the handshake is complete.
 *
 * @throws {TypeError} on a bad option; {@linkcode TlsError} on everything else but an abort, which
 * rejects with the signal's reason.
 *
 * @example
 * ```ts ignore
 * await using conn = await connectTls({ hostname: "example.com", port: 443 });
 * const session = await conn.getSession();
 * const bytes = session?.toBytes();                  // keep them as you would a private key
 *
 * await using again = await connectTls({ hostname: "example.com", port: 443, session: bytes });
 * console.log(again.sessionReused, again.sessionMiss);
 * ```
 */
export async function connectTls(options: ConnectTlsOptions): Promise<TlsConn> {
  using request = check(options, true);
  const connect = currentConnector();
  const { deadline: limit } = request;
  const { address, target: { port } } = request;
  limit.signal.throwIfAborted();
  let transport: Transport;
  try {
    transport = await connect({ hostname: address, port }, limit.signal);
  } catch (error) {
    if (limit.signal.aborted) throw limit.signal.reason;
    throw new TlsError(
      "ERR_TLS_TRANSPORT",
      `Cannot connect to ${address}:${port}: ${error instanceof Error ? error.message : error}`,
      { origin: "transport", cause: error },
    );
  }
  return await handshake(transport, request);
}

/**
 * Starts TLS as the client on any byte stream, such as a Workers socket or a WebSocket tunnel;
 * resolves when the handshake is complete. The streams stay locked until the connection ends.
 *
 * @throws {TypeError} on a bad option; {@linkcode TlsError} on everything else but an abort, which
 * rejects with the signal's reason.
 *
 * @example
 * ```ts ignore
 * const socket = connect("db.internal:5432");        // cloudflare:sockets
 * await using conn = await startTls(socket, { hostname: "db.internal", caCerts: [ca] });
 * ```
 */
export async function startTls(streams: ByteStreams, options: StartTlsOptions): Promise<TlsConn> {
  const both = checkStreams(streams);
  using request = check(options, false);
  return await handshake(streamsTransport(both), request);
}

async function handshake(transport: Transport, request: Request): Promise<TlsConn> {
  clientContextInternals.counters(request.target.context).add("connect");
  const { deadline: limit } = request;
  let attempt: Attempt | undefined;
  try {
    attempt = await limit.race(Attempt.begin(transport, request));
    await limit.race(attempt.run());
    const conn = attempt.complete();
    if (request.resend && attempt.earlyDataLeft.length > 0) {
      await limit.race(conn.write(attempt.earlyDataLeft));
    }
    return conn;
  } catch (error) {
    if (attempt === undefined) transport.close();
    else await attempt.end(limit.signal);
    throw limit.signal.aborted ? limit.signal.reason : error;
  }
}

/** One handshake, from the choice of the session to the connection or its end. */
class Attempt {
  readonly #client: ClientEngine;
  readonly #pump: Pump;
  readonly #sessions = new SessionQueue();
  readonly #budget = new TicketBudget();

  static async begin(transport: Transport, request: Request): Promise<Attempt> {
    const { target, session, earlyData, resend, deadline: { signal } } = request;
    // Where nobody sends the rest, all of it goes early or nothing: `earlyData` says then of all of it
    // what became of it.
    const client = await ClientEngine.begin(target, session, earlyData, signal, !resend);
    const attempt = new Attempt(client, transport);
    // Nobody waits for it any more: what was begun is freed.
    if (signal.aborted) void attempt.end(signal);
    return attempt;
  }

  private constructor(client: ClientEngine, transport: Transport) {
    this.#client = client;
    this.#pump = new Pump(client.connection, transport, () => this.#received());
  }

  /** After each read. */
  #received(): void {
    const client = this.#client;
    client.logKeys();
    const { handshaking, error } = client.connection;
    if (handshaking || error !== undefined) return;
    client.settle();
    while (client.connection.sessionsWaiting > 0) {
      if (!this.#budget.take()) {
        client.ignoreSession();
        continue;
      }
      const session = client.pollSession();
      if (session === undefined) return;
      this.#sessions.push(session);
      client.keep(session);
    }
  }

  async run(): Promise<void> {
    const client = this.#client;
    const { connection } = client;
    const verify = () => client.verify();
    await driveHandshake({ connection, verify, received: () => this.#received() }, this.#pump);
    client.checkEarlyData();
  }

  complete(): TlsConn {
    this.#client.settle();
    return new TlsConn({
      engine: this.#client.connection,
      pump: this.#pump,
      sessions: this.#sessions,
      info: this.#client.handshakeInfo(),
      sessionMiss: this.#client.sessionMiss,
    });
  }

  /** What of the early data the server did not get. */
  get earlyDataLeft(): Uint8Array {
    return this.#client.earlyDataLeft;
  }

  end(signal: AbortSignal): Promise<void> {
    return abandonHandshake(this.#pump, signal);
  }
}

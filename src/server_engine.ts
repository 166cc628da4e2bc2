/**
 * A server's connection without I/O: between the ClientHello and the answer it chooses the
 * certificate and looks for the session that the client offers.
 *
 * Rules on resumption (each has a test): the same server name, a certificate for the same names, the
 * same policy on client certificates, the same configuration; not expired; the client's chain verified again, and the
 * `verify` callback asked again, before anything of the client is believed. What does not qualify
 * costs a full handshake and is counted by its reason.
 *
 * It knows nothing of transports, deadlines or streams.
 *
 * @module
 */

import type { ServerContext as EngineContext } from "../wasm/pkg/reprise.js";
import { fromUtf8 } from "./bytes.ts";
import { type ClientHello, readClientHello } from "./client_hello.ts";
import type {
  Connection as EngineHandle,
  ServerCredentials as EngineCredentials,
} from "../wasm/pkg/reprise.js";
import {
  callConnection,
  type EngineConnection,
  type EngineInstance,
  now,
  Refusal,
  wrapConnection,
} from "./engine.ts";
import { currentEngine, retireEngine } from "./engine_pool.ts";
import { diagnose } from "./diagnostics.ts";
import { TlsError } from "./errors.ts";
import type { HandshakeInfo, SessionMiss } from "./handshake_info.ts";
import { bytesOf } from "./options.ts";
import { callQuietly } from "./quiet_callback.ts";
import { cipherSuiteName, groupName, protocolName } from "./registry.ts";
import { type ServerContext, serverContextInternals } from "./server_context.ts";
import type { Found } from "./server_sessions.ts";
import { certificateList } from "./session_state.ts";
import { ticketKeysInternals } from "./ticket_keys.ts";

const UNRECOGNIZED_NAME = 112;
const INTERNAL_ERROR = 80;
/** Keeps a ticket, chain and all, below the 4 KiB at which it is not sent. */
const MAX_SESSION_DATA = 2048;

/** A TLS server without I/O. Bytes are moved by its {@linkcode ServerEngine.connection}. */
export class ServerEngine {
  /** The engine's connection. */
  readonly connection: EngineConnection;
  readonly #instance: EngineInstance;
  readonly #context: ServerContext;
  readonly #engine: EngineContext;
  #hello: ClientHello | undefined;
  #miss: SessionMiss | null = null;
  /** A session was found, and handed to the engine. */
  #preloaded = false;
  /** What the application kept with it. */
  #sessionData: Uint8Array | null = null;
  #info: HandshakeInfo | undefined;

  /** Waits for a ClientHello. */
  static begin(context: ServerContext): ServerEngine {
    const instance = currentEngine();
    const engine = serverContextInternals.engine(context, instance);
    const ask = serverContextInternals.callbacks(context).verify !== undefined;
    try {
      const connection = wrapConnection(instance, instance.call(() => engine.accept(ask)));
      return new ServerEngine(context, instance, engine, connection);
    } catch (error) {
      if ((error as TlsError).code === "ERR_TLS_OUT_OF_MEMORY") retireEngine(instance);
      throw error;
    }
  }

  private constructor(
    context: ServerContext,
    instance: EngineInstance,
    engine: EngineContext,
    connection: EngineConnection,
  ) {
    this.#context = context;
    this.#instance = instance;
    this.#engine = engine;
    this.connection = connection;
  }

  #call<T>(action: (handle: EngineHandle) => T): T {
    return callConnection(this.connection, action);
  }

  /**
   * Answers the ClientHello, when `wantsConfig` says that it is there.
   *
   * @param signal Stops after each await: the connection may be gone by then.
   */
  async chooseConfig(signal: AbortSignal): Promise<void> {
    try {
      await this.#chooseConfig(signal);
    } catch (error) {
      // What a callback throws the caller learns; the client learns that it is over.
      signal.throwIfAborted();
      this.#call((handle) => handle.refuse(INTERNAL_ERROR));
      throw error;
    }
  }

  async #chooseConfig(signal: AbortSignal): Promise<void> {
    const hello = this.#hello = readClientHello(this.#call((handle) => handle.client_hello()));
    const serverName = hello?.serverName ?? "";
    const credentials = await serverContextInternals.credentials(
      this.#context,
      this.#instance,
      serverName,
    );
    signal.throwIfAborted();
    if (credentials === null) {
      this.#call((handle) => handle.refuse(UNRECOGNIZED_NAME));
      return;
    }
    if (hello !== undefined) {
      const preload = await this.#findSession(hello, credentials);
      signal.throwIfAborted();
      if (preload !== undefined) this.#preload(preload.id, preload.session);
      await this.#setSessionData(hello, signal);
      await this.#keepSessions(signal);
      signal.throwIfAborted();
    }
    this.#call((handle) => handle.choose_config(credentials, now()));
  }

  #preload(id: Uint8Array, session: Uint8Array): void {
    this.#preloaded = true;
    const data = this.#instance.call((exports) => exports.server_session_data(session));
    this.#sessionData = data.length === 0 ? null : data;
    this.#call((handle) => handle.preload(id, session));
    session.fill(0);
  }

  async #keepSessions(signal: AbortSignal): Promise<void> {
    const ticketKeys = serverContextInternals.ticketKeys(this.#context);
    if (serverContextInternals.sessions(this.#context) !== undefined) {
      this.#call((handle) => handle.keep_sessions());
    } else if (ticketKeys !== undefined) {
      let ring: Uint8Array;
      try {
        const given = await ticketKeysInternals.ring(ticketKeys);
        // With an empty ring tickets are taken, and none is issued.
        ring = given.seals ? given.ring : new Uint8Array(0);
      } catch {
        // A ring that cannot be had means a handshake without tickets, not none.
        serverContextInternals.counters(this.#context).add("putsFailed");
        return;
      }
      signal.throwIfAborted();
      this.#call((handle) => handle.issue_tickets(ring));
    }
  }

  async #setSessionData(hello: ClientHello, signal: AbortSignal): Promise<void> {
    const { sessionData } = serverContextInternals.callbacks(this.#context);
    if (sessionData === undefined) return;
    const data = await sessionData({
      serverName: hello.serverName || null,
      alpnProtocols: hello.alpnProtocols.map((bytes) => decodeLossy(bytes)),
      previous: this.sessionData,
    });
    signal.throwIfAborted();
    if (data === null) return;
    if (!(data instanceof Uint8Array) || data.length > MAX_SESSION_DATA) {
      throw new TypeError(
        `"sessionData" must return null or a Uint8Array of up to ${MAX_SESSION_DATA} bytes`,
      );
    }
    const copy = bytesOf("sessionData()", data);
    this.#call((handle) => handle.set_session_data(copy));
  }

  /** The session that the client may resume. */
  async #findSession(
    hello: ClientHello,
    credentials: EngineCredentials,
  ): Promise<{ id: Uint8Array; session: Uint8Array } | undefined> {
    for (const { id, find } of this.#candidates(hello)) {
      const found = await find();
      const miss = found.miss ?? await this.#refusal(hello, credentials, found.session!);
      if (miss === null) return { id, session: found.session! };
      found.session?.fill(0);
      this.#miss = miss;
    }
    return undefined;
  }

  /** What the client offers, in the order in which it is looked at. */
  #candidates(hello: ClientHello): { id: Uint8Array; find: () => Promise<Found> }[] {
    const instance = this.#instance;
    const sessions = serverContextInternals.sessions(this.#context);
    const tls13 = hello.tls13 && serverContextInternals.takesTls13(this.#context);
    if (sessions !== undefined) {
      if (tls13) {
        // Without the store's word on who took it, early data could be a replay.
        const replayable = hello.earlyData && sessions.mayHaveForgotten &&
          serverContextInternals.takesEarlyData(this.#context);
        if (replayable) return [];
        return hello.identities.map((id) => ({
          id,
          find: () => sessions.find(instance, id, "take"),
        }));
      }
      // A ticket, where the client has one, is the session's id.
      const id = hello.ticket.length > 0 ? hello.ticket : hello.sessionId;
      if (id.length === 0) return [];
      return [{ id, find: () => sessions.find(instance, id, "peek") }];
    }
    if (serverContextInternals.ticketKeys(this.#context) === undefined) return [];
    const tickets = tls13 ? hello.identities : [hello.ticket].filter((each) => each.length > 0);
    return tickets.map((id) => ({ id, find: () => this.#openTicket(hello, id) }));
  }

  async #openTicket(hello: ClientHello, ticket: Uint8Array): Promise<Found> {
    try {
      const ticketKeys = serverContextInternals.ticketKeys(this.#context)!;
      const { ring } = await ticketKeysInternals.ring(ticketKeys);
      return {
        session: this.#instance.call(() =>
          this.#engine.open_ticket(ring, hello.serverName, ticket)
        ),
      };
    } catch (error) {
      if (error instanceof Refusal) return { miss: error.reason as SessionMiss };
      if (error instanceof TlsError) throw error;
      return { miss: "store_error" };
    }
  }

  /** Why an opened session may not be resumed, or `null`. */
  async #refusal(
    hello: ClientHello,
    credentials: EngineCredentials,
    session: Uint8Array,
  ): Promise<SessionMiss | null> {
    const reason = this.#instance.call(() =>
      this.#engine.check_session(session, hello.serverName, credentials, now())
    );
    if (reason !== "") return reason as SessionMiss;
    const { verify } = serverContextInternals.callbacks(this.#context);
    const peerCertificates = certificateList(
      this.#instance.call((exports) => exports.server_session_chain(session)),
    );
    if (verify === undefined || peerCertificates.length === 0) return null;
    const serverName = hello.serverName || null;
    try {
      const accepted: unknown = await verify({ peerCertificates, serverName, resumed: true });
      return accepted === true ? null : "verify_refused";
    } catch {
      return "verify_refused";
    }
  }

  /** Answers `wantsVerify` by the context's callback. Throws its refusal as a `TlsError`. */
  async verify(): Promise<void> {
    const verify = serverContextInternals.callbacks(this.#context).verify!;
    const peerCertificates = this.connection.peerCertificates();
    const serverName = this.#hello?.serverName || null;
    let accepted: unknown = false;
    let cause: unknown;
    try {
      accepted = await verify({ peerCertificates, serverName, resumed: false });
    } catch (error) {
      cause = error;
    }
    this.connection.verified(accepted === true);
    if (accepted === true) return;
    throw new TlsError("ERR_TLS_CERT_INVALID", "The verify callback refused the client's chain", {
      origin: "local",
      alert: "access_denied",
      cause,
    });
  }

  /** Hands key log lines to the context's callback. */
  logKeys(): void {
    const { keyLog } = serverContextInternals.callbacks(this.#context);
    if (keyLog === undefined) return;
    for (let line = this.connection.pollKeyLog(); line; line = this.connection.pollKeyLog()) {
      callQuietly(keyLog, line);
    }
  }

  /** Sends new sessions on their way to the store, which nobody waits for. */
  storeSessions(): void {
    const sessions = serverContextInternals.sessions(this.#context);
    if (sessions === undefined) return;
    for (;;) {
      const kept = this.connection.pollKeptSession();
      if (kept === undefined) return;
      sessions.keep(this.#instance, kept);
    }
  }

  /** What was negotiated; only after the handshake. */
  handshakeInfo(): HandshakeInfo {
    if (this.#info !== undefined) return this.#info;
    const { protocol, cipherSuite, group, alpnProtocol } = this.connection.negotiated();
    const { earlyDataOffered, earlyDataAccepted, resumed } = this.connection;
    return this.#info = {
      protocol: protocolName(protocol)!,
      cipherSuite: cipherSuiteName(cipherSuite)!,
      keyExchangeGroup: groupName(group) ?? null,
      alpnProtocol: alpnProtocol === undefined ? null : fromUtf8(alpnProtocol),
      serverName: this.#hello?.serverName || null,
      resumed,
      earlyData: !earlyDataOffered ? "none" : earlyDataAccepted ? "accepted" : "rejected",
      peerCertificates: this.connection.peerCertificates(),
    };
  }

  /** Why the session that the client offered was not resumed. */
  get sessionMiss(): SessionMiss | null {
    if (this.connection.resumed) return null;
    // Found and handed to rustls, which resumes with the same suite, name and EMS only.
    return this.#miss ?? (this.#preloaded ? "other_context" : null);
  }

  /** The application's data in the session that the client offered, or `null`. */
  get sessionData(): Uint8Array | null {
    return this.#sessionData?.slice() ?? null;
  }

  /** Counts the handshake, when it is complete. */
  count(): void {
    const counters = serverContextInternals.counters(this.#context);
    const { resumed, earlyData } = this.handshakeInfo();
    counters.add("acceptGood");
    if (resumed) counters.add("hits");
    if (earlyData !== "none") counters.earlyData(earlyData);
    const { sessionMiss } = this;
    const { onDiagnostic } = serverContextInternals.callbacks(this.#context);
    const { serverName } = this.handshakeInfo();
    if (resumed) diagnose(onDiagnostic, { type: "session_resumed", serverName });
    if (sessionMiss !== null) {
      counters.miss(sessionMiss);
      diagnose(onDiagnostic, { type: "session_missed", serverName, reason: sessionMiss });
    }
    counters.add("ticketsTooLarge", this.#call((handle) => handle.tickets_too_large()));
  }
}

function decodeLossy(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

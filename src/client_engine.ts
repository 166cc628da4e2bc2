/**
 * A client's connection without I/O: the engine's connection together with what the host knows of
 * it: the session that was offered, the context's callbacks, and the sessions that come.
 *
 * It knows nothing of transports, deadlines or streams.
 *
 * @module
 */

import type { ClientContext as EngineClientContext } from "../wasm/pkg/reprise.js";
import { fromUtf8 } from "./bytes.ts";
import { clientContextInternals } from "./context.ts";
import { diagnose } from "./diagnostics.ts";
import { type EngineConnection, type EngineInstance, now, wrapConnection } from "./engine.ts";
import { currentEngine, retireEngine } from "./engine_pool.ts";
import { TlsError } from "./errors.ts";
import { checkNetworkPartition } from "./network_partition.ts";
import { callQuietly } from "./quiet_callback.ts";
import { cipherSuiteName, groupName, protocolName } from "./registry.ts";
import { type Session, sessionInternals } from "./session.ts";
import { type Offer, prepareOffer, receivedSession, type SessionTarget } from "./session_offer.ts";
import type { HandshakeInfo, SessionMiss } from "./handshake_info.ts";

const NOTHING = new Uint8Array(0);

/** The plaintext of a full record (RFC 8446 §5.1), and what encryption adds: its type and a tag. */
const RECORD_BYTES = 16_384;
const RECORD_OVERHEAD = 17;

/**
 * How many bytes to send early. The limit is one of plaintext (RFC 8446 §4.2.10), but a server that
 * refuses early data cannot decrypt what it skips, and some count that against the limit.
 */
function earlyBytes(length: number, limit: number, whole: boolean): number {
  const records = Math.floor(limit / (RECORD_BYTES + RECORD_OVERHEAD));
  const rest = limit - records * (RECORD_BYTES + RECORD_OVERHEAD) - RECORD_OVERHEAD;
  const room = records * RECORD_BYTES + Math.max(0, rest);
  return length <= room ? length : whole ? 0 : room;
}

/** The session given by hand, or one from the pool; checked. `undefined`: none was asked for. */
async function findOffer(
  given: Session | Uint8Array | undefined,
  target: SessionTarget,
  instance: EngineInstance,
  context: EngineClientContext,
  signal: AbortSignal | undefined,
): Promise<Offer | undefined> {
  if (given !== undefined) return await prepareOffer(given, target, instance, context, signal);
  const pool = clientContextInternals.pool(target.context);
  if (pool === undefined) return undefined;
  const drawn = await pool.draw(instance, { networkPartition: "", ...target });
  if (drawn.miss !== undefined) return { miss: drawn.miss };
  return await prepareOffer(drawn.session, target, instance, context, signal);
}

/**
 * A TLS client without I/O. Bytes are moved by its {@linkcode ClientEngine.connection}; this adds
 * sessions and what was negotiated.
 *
 * @example
 * ```ts ignore
 * const client = await ClientEngine.begin({ context, serverName: "example.com", port: 443 });
 * const { connection } = client;
 * while (connection.handshaking) {
 *   for (let out = connection.pollTransmit(); out; out = connection.pollTransmit()) {
 *     socket.send(out.slice());
 *     connection.transmitted();
 *   }
 *   const bytes = await socket.receive();
 *   connection.inputSpace().set(bytes);               // bytes that fit the space
 *   connection.receiveTls(bytes.length);
 *   if (connection.wantsVerify) await client.verify();
 *   if (connection.error) throw connection.error;
 * }
 * ```
 */
export class ClientEngine {
  /** The engine's connection. */
  readonly connection: EngineConnection;
  readonly #instance: EngineInstance;
  readonly #target: SessionTarget;
  readonly #offer: Offer | undefined;
  readonly #earlyData: Uint8Array;
  readonly #sentEarly: number;
  readonly #startedAt = Math.floor(now());
  #info: HandshakeInfo | undefined;
  #settled = false;
  #dropped: Promise<void> | undefined;

  /**
   * Checks the session, if there is one, and starts the handshake: the ClientHello is in the
   * output. Asynchronous for the `verify` callback and the default roots alone. A signal that
   * aborts meanwhile rejects with its reason, and a session that was given is not used up.
   *
   * Of `earlyData` goes with the ClientHello what the session's server takes; with `earlyDataWhole`
   * all of it or nothing.
   */
  static async begin(
    target: SessionTarget,
    session?: Session | Uint8Array,
    earlyData: Uint8Array = NOTHING,
    signal?: AbortSignal,
    earlyDataWhole = false,
  ): Promise<ClientEngine> {
    checkNetworkPartition(target.networkPartition);
    const instance = currentEngine();
    const context = await clientContextInternals.engine(target.context, instance);
    const found = await findOffer(session, target, instance, context, signal);
    // Told by its reason, which an offer without a session has itself. What else it lacks, a polluted
    // Object.prototype may have: its state would be offered, and nobody checked that.
    const offer = found?.miss === undefined ? found : undefined;
    signal?.throwIfAborted();
    if (offer?.session !== undefined) {
      const { serverName } = target;
      diagnose(clientContextInternals.onDiagnostic(target.context), {
        type: "session_offered",
        serverName,
        sessionId: offer.session.id,
      });
    }
    const ask = clientContextInternals.verify(target.context) !== undefined;
    const state = offer?.state ?? NOTHING;
    const limit = offer?.session?.maxEarlyData ?? 0;
    const early = earlyData.subarray(0, earlyBytes(earlyData.length, limit, earlyDataWhole));
    let connection;
    try {
      connection = instance.call(() =>
        context.connect(target.serverName, state, ask, early, now())
      );
    } catch (error) {
      if ((error as TlsError).code === "ERR_TLS_OUT_OF_MEMORY") retireEngine(instance);
      throw error;
    } finally {
      offer?.state?.fill(0);
    }
    const sent = instance.call(() => connection.early_data_sent());
    const engine = wrapConnection(instance, connection);
    return new ClientEngine(target, instance, engine, found, earlyData, sent);
  }

  private constructor(
    target: SessionTarget,
    instance: EngineInstance,
    connection: EngineConnection,
    offer: Offer | undefined,
    earlyData: Uint8Array,
    sentEarly: number,
  ) {
    this.#target = target;
    this.#instance = instance;
    this.connection = connection;
    this.#offer = offer;
    this.#earlyData = earlyData;
    this.#sentEarly = sentEarly;
  }

  /** Answers `wantsVerify` by the context's callback. Throws its refusal as a `TlsError`. */
  async verify(): Promise<void> {
    const verify = clientContextInternals.verify(this.#target.context)!;
    const peerCertificates = this.connection.peerCertificates();
    let accepted: unknown = false;
    let cause: unknown;
    try {
      const { serverName } = this.#target;
      accepted = await verify({ peerCertificates, serverName, resumed: false });
    } catch (error) {
      cause = error;
    }
    this.connection.verified(accepted === true);
    if (accepted === true) return;
    throw new TlsError("ERR_TLS_CERT_INVALID", "The verify callback refused the chain", {
      origin: "local",
      alert: "access_denied",
      cause,
    });
  }

  /** Hands key log lines to the context's callback. */
  logKeys(): void {
    const keyLog = clientContextInternals.keyLog(this.#target.context);
    if (keyLog === undefined) return;
    for (let line = this.connection.pollKeyLog(); line; line = this.connection.pollKeyLog()) {
      callQuietly(keyLog, line);
    }
  }

  /** The oldest session received and not polled; none before the handshake is complete. */
  pollSession(): Session | undefined {
    if (this.connection.handshaking) return undefined;
    for (;;) {
      const state = this.connection.pollSession();
      if (state === undefined) return undefined;
      const { alpnProtocol, resumed } = this.handshakeInfo();
      const handshakeTime = resumed
        ? sessionInternals.binding(this.#offer!.session!).handshakeTime
        : this.#startedAt;
      const session = receivedSession(
        state,
        this.#target,
        alpnProtocol,
        handshakeTime,
        this.#instance,
      );
      state.fill(0);
      if (session === null) continue;
      const onDiagnostic = clientContextInternals.onDiagnostic(this.#target.context);
      // A session's id costs a digest.
      if (onDiagnostic !== undefined) {
        diagnose(onDiagnostic, {
          type: "session_received",
          serverName: session.serverName,
          sessionId: session.id,
          expiresAt: session.expiresAt,
        });
      }
      return session;
    }
  }

  /** Passes over the oldest session that was received: the connection brought more than are kept. */
  ignoreSession(): void {
    this.connection.pollSession()?.fill(0);
    clientContextInternals.counters(this.#target.context).add("ticketsIgnored");
  }

  /** What was negotiated; only after the handshake. */
  handshakeInfo(): HandshakeInfo {
    if (this.#info !== undefined) return this.#info;
    const { protocol, cipherSuite, group, alpnProtocol } = this.connection.negotiated();
    const { earlyDataOffered, earlyDataAccepted } = this.connection;
    return this.#info = {
      protocol: protocolName(protocol)!,
      cipherSuite: cipherSuiteName(cipherSuite)!,
      keyExchangeGroup: groupName(group) ?? null,
      alpnProtocol: alpnProtocol === undefined ? null : fromUtf8(alpnProtocol),
      serverName: this.#target.serverName,
      resumed: this.connection.resumed,
      earlyData: !earlyDataOffered ? "none" : earlyDataAccepted ? "accepted" : "rejected",
      peerCertificates: this.connection.peerCertificates(),
    };
  }

  /** What of the early data the server did not get: the part that did not fit, or all. */
  get earlyDataLeft(): Uint8Array {
    const taken = this.connection.earlyDataAccepted ? this.#sentEarly : 0;
    return this.#earlyData.subarray(taken);
  }

  /**
   * Throws if the server took early data under another application protocol than the session's,
   * for which it was written (RFC 8446 §4.2.10); rustls does not look.
   */
  checkEarlyData(): void {
    if (!this.connection.earlyDataAccepted) return;
    if (this.handshakeInfo().alpnProtocol === this.#offer?.session?.alpnProtocol) return;
    throw new TlsError(
      "ERR_TLS_PEER_MISBEHAVED",
      "The server took early data under another application protocol",
      { origin: "peer", alert: "illegal_parameter" },
    );
  }

  /** Puts a session that was received into the context's pool, if it has one. */
  keep(session: Session): Promise<void> | undefined {
    const pool = clientContextInternals.pool(this.#target.context);
    const to = { networkPartition: "", ...this.#target };
    // A family that is being dropped must be gone before a fresh one comes.
    return pool?.add(this.#instance, to, session, this.#dropped);
  }

  /**
   * Tells and counts how the handshake came out, once, when it is complete and before sessions are
   * kept; a pool drops what was refused.
   */
  settle(): Promise<void> | undefined {
    if (this.#settled) return this.#dropped;
    this.#settled = true;
    const { context, serverName } = this.#target;
    this.#count();
    const onDiagnostic = clientContextInternals.onDiagnostic(context);
    const miss = this.sessionMiss;
    if (this.connection.resumed) diagnose(onDiagnostic, { type: "session_resumed", serverName });
    if (miss !== null) diagnose(onDiagnostic, { type: "session_missed", serverName, reason: miss });
    const refused = this.#offer?.session;
    const pool = clientContextInternals.pool(context);
    if (miss !== "declined_by_peer" || refused === undefined || pool === undefined) return;
    diagnose(onDiagnostic, { type: "family_dropped", serverName });
    const from = { networkPartition: "", ...this.#target };
    return this.#dropped = pool.dropFamily(this.#instance, from, refused);
  }

  #count(): void {
    const counters = clientContextInternals.counters(this.#target.context);
    const { resumed, earlyData } = this.handshakeInfo();
    counters.add("connectGood");
    if (resumed) counters.add("hits");
    if (earlyData !== "none") counters.earlyData(earlyData);
    if (this.sessionMiss !== null) counters.miss(this.sessionMiss);
  }

  /** Why the session that was asked for was not resumed. */
  get sessionMiss(): SessionMiss | null {
    if (this.#offer === undefined || this.connection.resumed) return null;
    return this.#offer.miss ?? "declined_by_peer";
  }
}

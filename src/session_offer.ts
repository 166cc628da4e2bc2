/**
 * Whether a session may be offered, and what becomes of the ones a connection receives.
 *
 * Rules (each has a test): a session goes back only to the server, port and context it came from,
 * before it expires, with a chain that verifies today, and once on TLS 1.3. One that does not
 * qualify costs a full handshake and is told by a reason; it never fails a connection.
 *
 * @module
 */

import type { ClientContext as EngineContext } from "../wasm/pkg/reprise.js";
import { sameBytes } from "./bytes.ts";
import { type ClientContext, clientContextInternals } from "./context.ts";
import { type EngineInstance, now } from "./engine.ts";
import { TlsError } from "./errors.ts";
import { Session, sessionInternals } from "./session.ts";
import { readSessionState } from "./session_state.ts";
import type { SessionMiss } from "./handshake_info.ts";

/** RFC 8446 §4.6.1: no ticket lives longer, however often it is renewed. */
const MAX_LIFETIME_S = 7 * 24 * 60 * 60;
/** How far ahead of ours the clock of who stored a session may be. */
const CLOCK_SKEW_S = 60;

/** What sessions of one connection are bound to. */
export interface SessionTarget {
  /** The context; decides who is trusted. */
  context: ClientContext;
  /** The server's name in canonical form: lower case ASCII, no dot at the end. */
  serverName: string;
  /** The server's port; 0: unknown. */
  port: number;
  /** Keeps a pool's sessions apart from those of other names; empty by default. */
  networkPartition?: string;
}

/** A session that may be offered, or the reason why it may not. */
export type Offer =
  | { session: Session; state: Uint8Array; miss?: undefined }
  | { session?: undefined; state?: undefined; miss: SessionMiss };

function parse(given: Session | Uint8Array): Session | SessionMiss {
  if (given instanceof Session) return given;
  try {
    return Session.fromBytes(given);
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
    return error.code === "ERR_TLS_SESSION_VERSION" ? "version" : "tampered";
  }
}

function bindingMiss(session: Session, target: SessionTarget): SessionMiss | undefined {
  const binding = sessionInternals.binding(session);
  const seconds = now();
  const fingerprint = clientContextInternals.fingerprint(target.context);
  if (!sameBytes(binding.contextFingerprint, fingerprint)) return "other_context";
  if (binding.serverName !== target.serverName || binding.port !== target.port) {
    return "other_server";
  }
  const { receivedAt } = readSessionState(sessionInternals.state(session))!;
  if (Math.max(binding.handshakeTime, receivedAt) > seconds + CLOCK_SKEW_S) {
    return "not_yet_valid";
  }
  // Whoever stored it may have a context with a higher limit.
  const maxAge = Math.min(MAX_LIFETIME_S, clientContextInternals.maxAge(target.context));
  const end = Math.min(binding.expiresAt, binding.handshakeTime + maxAge);
  return seconds >= end ? "expired" : undefined;
}

/** Checks a session against all of the rules; asks the context's `verify` callback last. */
export async function prepareOffer(
  given: Session | Uint8Array,
  target: SessionTarget,
  instance: EngineInstance,
  engine: EngineContext,
  signal?: AbortSignal,
): Promise<Offer> {
  const session = parse(given);
  if (!(session instanceof Session)) return { miss: session };
  if (sessionInternals.isDisposed(session)) return { miss: "used_already" };
  const miss = bindingMiss(session, target);
  if (miss !== undefined) return { miss };
  const state = sessionInternals.state(session);
  const reason = instance.call(() => engine.check_session(target.serverName, state, now()));
  if (reason !== "") return { miss: reason as SessionMiss };
  const verify = clientContextInternals.verify(target.context);
  if (verify !== undefined) {
    const { peerCertificates } = session;
    const input = { peerCertificates, serverName: target.serverName, resumed: true };
    let accepted: unknown = false;
    try {
      accepted = await verify(input);
    } catch {
      // A callback that throws refuses; the full handshake asks it again and reports that.
    }
    signal?.throwIfAborted();
    if (accepted !== true) return { miss: "verify_refused" };
  }
  if (!sessionInternals.claim(session)) return { miss: "used_already" };
  // A copy: the session may be disposed of before the ClientHello is made.
  return { session, state: state.slice() };
}

/**
 * Binds a state that the engine received. `null`: it is not to be kept (lifetime 0 on TLS 1.3, or
 * over already).
 *
 * @param handshakeTime Of the full handshake behind the connection, in seconds since 1970.
 */
export function receivedSession(
  state: Uint8Array,
  target: SessionTarget,
  alpnProtocol: string | null,
  handshakeTime: number,
  instance: EngineInstance,
): Session | null {
  const fields = readSessionState(state);
  if (fields === undefined) return null;
  if (fields.protocol === "TLSv1.3" && fields.lifetime === 0) return null;
  const ends = fields.peerCertificates
    .map((der) => instance.call((exports) => exports.not_after(der)))
    // Servers send expired cross-signed certificates along that no path goes through.
    .filter((end) => end > fields.receivedAt);
  const expiresAt = Math.min(
    fields.receivedAt + (fields.lifetime || MAX_LIFETIME_S),
    handshakeTime + Math.min(MAX_LIFETIME_S, clientContextInternals.maxAge(target.context)),
    ...ends,
  );
  if (expiresAt <= fields.receivedAt) return null;
  return sessionInternals.make({
    contextFingerprint: clientContextInternals.fingerprint(target.context),
    handshakeTime,
    expiresAt,
    serverName: target.serverName,
    port: target.port,
    alpnProtocol,
  }, state);
}

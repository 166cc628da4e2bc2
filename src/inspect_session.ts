/**
 * What may be told of a session's bytes.
 *
 * @module
 */

import { currentEngine } from "./engine_pool.ts";
import { envelopeKeyId, open } from "./envelope.ts";
import { TlsError } from "./errors.ts";
import { checkInstance } from "./opaque.ts";
import { checkBytes } from "./options.ts";
import type { CipherSuite, ProtocolVersion } from "./registry.ts";
import { SealingKeys } from "./sealing_keys.ts";
import { Session } from "./session.ts";

/** What {@linkcode inspectSession} tells; nothing of it is a secret. */
export interface SessionInspection {
  /** What the bytes are. */
  kind: "plain" | "sealed" | "unknown";
  /** Bytes altogether. */
  length: number;
  /** For sealed bytes: the id of the key they were sealed under. */
  keyId?: string;
  /** Why they cannot be looked into: no keys were given, or they do not open. */
  problem?: "no_keys" | "wrong_key" | "tampered" | "version" | "not_a_session";
  /** The session, where it can be looked into. */
  session?: {
    /** {@linkcode Session.id}. */
    id: string;
    /** The protocol version. */
    protocol: ProtocolVersion;
    /** The cipher suite, if this build has it. */
    cipherSuite: CipherSuite | undefined;
    /** The server's name. */
    serverName: string;
    /** Its port; 0: unknown. */
    port: number;
    /** The application protocol, or `null`. */
    alpnProtocol: string | null;
    /** When the full handshake behind it took place. */
    createdAt: Date;
    /** From when on it is not offered. */
    expiresAt: Date;
    /** Whether that is over. */
    expired: boolean;
    /** Seconds; the server's hint. */
    ticketLifetimeHint: number;
    /** Whether it has a ticket. */
    hasTicket: boolean;
    /** Bytes of early data that the server takes. */
    maxEarlyData: number;
    /** Certificates in the chain. */
    chainLength: number;
    /** The fingerprint of the context it is bound to. */
    contextFingerprint: string;
  };
}

/**
 * Tells what a session's bytes are: those of `toBytes()`, or of `seal()` if the keys are given.
 * What a store holds is bound to its place there and does not open here.
 *
 * @throws {TypeError} if `bytes` is no `Uint8Array`, or `keys` are none; on anything in the
 * bytes, never.
 *
 * @example
 * ```ts
 * import { inspectSession } from "@reprise/tls";
 *
 * const { kind, problem } = inspectSession(new Uint8Array(100));
 * console.assert(kind === "unknown" && problem === "not_a_session");
 * ```
 */
export function inspectSession(bytes: Uint8Array, keys?: SealingKeys): SessionInspection {
  checkBytes("bytes", bytes);
  if (keys !== undefined) checkInstance("keys", keys, SealingKeys, "Argument");
  const { length } = bytes;
  const keyId = envelopeKeyId(bytes);
  if (keyId === undefined) return look("plain", bytes, { length });
  if (keys === undefined) return { kind: "sealed", length, keyId, problem: "no_keys" };
  const opened = open(currentEngine(), keys, { purpose: "session" }, bytes);
  if (opened.miss !== undefined) return { kind: "sealed", length, keyId, problem: opened.miss };
  try {
    return look("sealed", opened.plain, { length, keyId });
  } finally {
    opened.plain.fill(0);
  }
}

function look(
  kind: "plain" | "sealed",
  plain: Uint8Array,
  known: { length: number; keyId?: string },
): SessionInspection {
  try {
    using session = Session.fromBytes(plain);
    return {
      kind,
      ...known,
      session: {
        id: session.id,
        protocol: session.protocol,
        cipherSuite: session.cipherSuite,
        serverName: session.serverName,
        port: session.port,
        alpnProtocol: session.alpnProtocol,
        createdAt: session.createdAt,
        expiresAt: session.expiresAt,
        expired: session.expiresAt.getTime() <= Date.now(),
        ticketLifetimeHint: session.ticketLifetimeHint,
        hasTicket: session.hasTicket,
        maxEarlyData: session.maxEarlyData,
        chainLength: session.peerCertificates.length,
        contextFingerprint: session.contextFingerprint,
      },
    };
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
    if (error.code === "ERR_TLS_SESSION_VERSION") return { kind, ...known, problem: "version" };
    return { kind: "unknown", ...known, problem: "not_a_session" };
  }
}

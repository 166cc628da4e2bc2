/**
 * Errors: one class, stable codes.
 *
 * Rules: a `code` never changes its meaning; messages may. No message, cause or property of an
 * error holds a secret. A bad option is a `TypeError`, an abort rejects with the signal's reason;
 * everything else that goes wrong is a {@linkcode TlsError}.
 *
 * @module
 */

/** Every value of {@linkcode TlsError.code}. */
export type TlsErrorCode =
  | "ERR_TLS_CERT_EXPIRED"
  | "ERR_TLS_CERT_NOT_YET_VALID"
  | "ERR_TLS_CERT_UNKNOWN_ISSUER"
  | "ERR_TLS_CERT_NAME_MISMATCH"
  | "ERR_TLS_CERT_REVOKED"
  | "ERR_TLS_CERT_INVALID"
  | "ERR_TLS_ALERT_RECEIVED"
  | "ERR_TLS_PEER_MISBEHAVED"
  | "ERR_TLS_PEER_INCOMPATIBLE"
  | "ERR_TLS_TRUNCATED"
  | "ERR_TLS_TRANSPORT"
  | "ERR_TLS_CLOSED"
  | "ERR_TLS_HANDSHAKE_TIMEOUT"
  | "ERR_TLS_OVERLOADED"
  | "ERR_TLS_OUT_OF_MEMORY"
  | "ERR_TLS_KEYS_EXHAUSTED"
  | "ERR_TLS_RANDOM_UNAVAILABLE"
  | "ERR_TLS_SESSION_INVALID"
  | "ERR_TLS_SESSION_VERSION"
  | "ERR_TLS_SESSION_UNSEALABLE"
  | "ERR_TLS_ENGINE_PANICKED"
  | "ERR_TLS_ENGINE_MISUSE";

/** Where an error began: with this program, the peer, the byte stream below, or a store. */
export type TlsErrorOrigin = "local" | "peer" | "transport" | "store";

/** What a {@linkcode TlsError} is made from, next to its code and message. */
export interface TlsErrorInit {
  /** Where it began. */
  origin: TlsErrorOrigin;
  /** The alert received from, or sent to, the peer by its RFC 8446 §6 name. */
  alert?: string;
  /** The error behind it. */
  cause?: unknown;
}

/**
 * What every failed operation of this library rejects with, but for bad options (`TypeError`) and
 * aborts (the signal's own reason).
 *
 * | code | meaning |
 * | --- | --- |
 * | `ERR_TLS_CERT_EXPIRED`, `_NOT_YET_VALID`, `_UNKNOWN_ISSUER`, `_NAME_MISMATCH`, `_REVOKED` | the peer's chain does not verify, for this reason |
 * | `ERR_TLS_CERT_INVALID` | the chain does not verify for another reason: encoding, signature, purpose, pinned key, `verify` said no |
 * | `ERR_TLS_ALERT_RECEIVED` | the peer ended the connection with `alert` |
 * | `ERR_TLS_PEER_MISBEHAVED` | the peer broke the protocol, or does not speak TLS |
 * | `ERR_TLS_PEER_INCOMPATIBLE` | no version, suite, group or application protocol in common |
 * | `ERR_TLS_TRUNCATED` | the byte stream ended without close_notify: what was read may be cut short |
 * | `ERR_TLS_TRANSPORT` | the byte stream failed; see `cause` |
 * | `ERR_TLS_CLOSED` | the connection was closed by this program |
 * | `ERR_TLS_HANDSHAKE_TIMEOUT` | no handshake within `handshakeTimeout`, or no ClientHello within a server's `helloTimeout` |
 * | `ERR_TLS_OVERLOADED` | a server had too many handshakes under way: it closed this connection, unanswered |
 * | `ERR_TLS_OUT_OF_MEMORY` | there was no memory for this connection; others go on |
 * | `ERR_TLS_KEYS_EXHAUSTED` | a TLS 1.2 connection has sent as much as its keys may protect; its end was sent in order, open another one |
 * | `ERR_TLS_RANDOM_UNAVAILABLE` | `crypto.getRandomValues()` failed, or wrote nothing |
 * | `ERR_TLS_SESSION_INVALID`, `_VERSION` | these bytes are no session; are of a format this release does not read |
 * | `ERR_TLS_SESSION_UNSEALABLE` | this sealed session does not open with these keys |
 * | `ERR_TLS_ENGINE_PANICKED` | a bug stopped the engine; connect again, a fresh one is used |
 * | `ERR_TLS_ENGINE_MISUSE` | the engine was asked for what it cannot do now |
 *
 * @example
 * ```ts
 * import { connectTls, TlsError } from "@reprise/tls";
 *
 * try {
 *   await connectTls({ hostname: "127.0.0.1", port: 1 });
 * } catch (error) {
 *   if (!(error instanceof TlsError)) throw error;
 *   console.assert(error.code === "ERR_TLS_TRANSPORT");
 * }
 * ```
 */
export class TlsError extends Error {
  /** The kind of error; stable across releases. */
  readonly code: TlsErrorCode;
  /** Where it began. */
  readonly origin: TlsErrorOrigin;
  /** The alert received from, or sent to, the peer by its RFC 8446 §6 name. */
  readonly alert?: string;

  /** Makes an error with a stable code. */
  constructor(code: TlsErrorCode, message: string, init: TlsErrorInit) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = "TlsError";
    this.code = code;
    this.origin = init.origin;
    if (init.alert !== undefined) this.alert = init.alert;
  }
}

/** Alerts by number (RFC 8446 §6, RFC 7301 §3.2 and the IANA registry). */
const ALERTS: Record<number, string> = {
  0: "close_notify",
  10: "unexpected_message",
  20: "bad_record_mac",
  21: "decryption_failed",
  22: "record_overflow",
  30: "decompression_failure",
  40: "handshake_failure",
  41: "no_certificate",
  42: "bad_certificate",
  43: "unsupported_certificate",
  44: "certificate_revoked",
  45: "certificate_expired",
  46: "certificate_unknown",
  47: "illegal_parameter",
  48: "unknown_ca",
  49: "access_denied",
  50: "decode_error",
  51: "decrypt_error",
  60: "export_restriction",
  70: "protocol_version",
  71: "insufficient_security",
  80: "internal_error",
  86: "inappropriate_fallback",
  90: "user_canceled",
  100: "no_renegotiation",
  109: "missing_extension",
  110: "unsupported_extension",
  111: "certificate_unobtainable",
  112: "unrecognized_name",
  113: "bad_certificate_status_response",
  114: "bad_certificate_hash_value",
  115: "unknown_psk_identity",
  116: "certificate_required",
  117: "general_error",
  120: "no_application_protocol",
  121: "ech_required",
};

/** The name of an alert, or `alert(N)` where the registry has none. */
export function alertName(alert: number): string {
  return ALERTS[alert] ?? `alert(${alert})`;
}

/** Wraps what a byte stream threw. */
export function transportError(cause: unknown): TlsError {
  if (cause instanceof TlsError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TlsError("ERR_TLS_TRANSPORT", `The transport failed: ${reason}`, {
    origin: "transport",
    cause,
  });
}

/** What an operation on a connection that this program closed rejects with. */
export function closedError(): TlsError {
  return new TlsError("ERR_TLS_CLOSED", "The connection is closed", { origin: "local" });
}

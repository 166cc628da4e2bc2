/**
 * What is known of a handshake when it is over.
 *
 * @module
 */

import type { CipherSuite, KeyExchangeGroup, ProtocolVersion } from "./registry.ts";

/** Why a session that was asked for was not resumed; see `TlsConn.sessionMiss`. */
export type SessionMiss =
  | "none_stored"
  | "expired"
  | "not_yet_valid"
  | "other_context"
  | "other_server"
  | "wrong_key"
  | "tampered"
  | "version"
  | "used_already"
  | "chain_invalid"
  | "verify_refused"
  | "suite_unavailable"
  | "store_error"
  | "store_timeout"
  | "declined_by_peer";

/** What a handshake negotiated. */
export interface HandshakeInfo {
  /** The protocol version. */
  protocol: ProtocolVersion;
  /** The cipher suite by its IANA name. */
  cipherSuite: CipherSuite;
  /** The group of the key exchange; `null` on a resumed TLS 1.2 handshake, which has none. */
  keyExchangeGroup: KeyExchangeGroup | null;
  /** The application protocol (RFC 7301), or `null`. */
  alpnProtocol: string | null;
  /** The server's name: as verified by a client; as asked for of a server, or `null`. */
  serverName: string | null;
  /** Whether a session was resumed. */
  resumed: boolean;
  /** What became of early data. */
  earlyData: "none" | "accepted" | "rejected";
  /** The peer's chain in DER, end entity first; of the original handshake if it was resumed. */
  peerCertificates: Uint8Array[];
}

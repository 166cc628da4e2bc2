/**
 * The part of a session that belongs to the protocol: what the engine hands out and takes back.
 *
 * ```text
 * struct {
 *     ProtocolVersion protocol;                    // 0x0304 or 0x0303
 *     select (SessionState.protocol) {
 *         case 0x0304: Tls13State;
 *         case 0x0303: Tls12State;
 *     };
 * } SessionState;
 *
 * struct {
 *     CipherSuite cipher_suite;
 *     opaque psk<1..2^8-1>;                        // RFC 8446 §4.6.1, the resumption PSK
 *     uint32 ticket_age_add;
 *     uint32 max_early_data_size;
 *     Ticket ticket;
 *     opaque quic_parameters<0..2^16-1>;           // always empty
 * } Tls13State;
 *
 * struct {
 *     CipherSuite cipher_suite;
 *     opaque session_id<0..32>;
 *     opaque master_secret[48];
 *     uint8 extended_master_secret;                // RFC 7627
 *     Ticket ticket;
 * } Tls12State;
 *
 * struct {
 *     opaque ticket<0..2^16-1>;                    // empty on 1.2: resumed by session id
 *     uint64 received_at;                          // seconds since 1970
 *     uint64 lifetime;                             // seconds, the server's hint
 *     uint8 identity_type = 0;                     // X.509
 *     opaque end_entity<1..2^24-1>;
 *     opaque intermediates<0..2^24-1>;             // each opaque<1..2^24-1>
 * } Ticket;
 * ```
 *
 * It does not know when a session expires or what it is bound to.
 *
 * @module
 */

import { ByteReader, ShortRead } from "./bytes.ts";
import {
  type CipherSuite,
  cipherSuiteName,
  protocolName,
  type ProtocolVersion,
} from "./registry.ts";

/** The fields of a session's state that are no secret. */
export interface SessionState {
  protocol: ProtocolVersion;
  /** `undefined`: a suite of another build. */
  cipherSuite: CipherSuite | undefined;
  /** Bytes of the ticket; 0: a session id alone. */
  ticketLength: number;
  maxEarlyData: number;
  /** Seconds since 1970. */
  receivedAt: number;
  /** Seconds. */
  lifetime: number;
  /** DER, end entity first. Views of the state. */
  peerCertificates: Uint8Array[];
}

/** Splits a list of `opaque<1..2^24-1>`. */
export function certificateList(bytes: Uint8Array): Uint8Array[] {
  const reader = new ByteReader(bytes);
  const certificates: Uint8Array[] = [];
  while (reader.remaining > 0) certificates.push(reader.vector(3, 1));
  return certificates;
}

/** Reads a state. `undefined` where the bytes are none. */
export function readSessionState(state: Uint8Array): SessionState | undefined {
  try {
    const reader = new ByteReader(state);
    const protocol = protocolName(reader.uint(2));
    if (protocol === undefined) return undefined;
    const cipherSuite = cipherSuiteName(reader.uint(2));
    let maxEarlyData = 0;
    if (protocol === "TLSv1.3") {
      reader.vector(1, 1);
      reader.take(4);
      maxEarlyData = reader.uint(4);
    } else {
      reader.vector(1, 0, 32);
      reader.take(48);
      if (reader.uint(1) > 1) return undefined;
    }
    const ticketLength = reader.vector(2).length;
    const receivedAt = reader.uint64();
    const lifetime = reader.uint64();
    if (reader.uint(1) !== 0) return undefined;
    const peerCertificates = [reader.vector(3, 1), ...certificateList(reader.vector(3))];
    if (protocol === "TLSv1.3") reader.vector(2, 0, 0);
    if (reader.remaining > 0) return undefined;
    return {
      protocol,
      cipherSuite,
      ticketLength,
      maxEarlyData,
      receivedAt,
      lifetime,
      peerCertificates,
    };
  } catch (error) {
    if (error instanceof ShortRead) return undefined;
    throw error;
  }
}

/**
 * What a ClientHello says, as the engine hands it over before it is answered.
 *
 * ```text
 * struct {
 *     uint8 flags;                     // 1: TLS 1.3 is offered, 2: early data is
 *     opaque server_name<0..2^16-1>;
 *     opaque session_id<0..2^16-1>;
 *     opaque ticket<0..2^16-1>;        // TLS 1.2
 *     List identities;                 // TLS 1.3: the first two
 *     List alpn_protocols;
 * } Hello;
 *
 * struct { uint16 count; opaque items<0..2^16-1>[count]; } List;
 * ```
 *
 * @module
 */

import { ByteReader, fromUtf8 } from "./bytes.ts";

/** What a server decides by. */
export interface ClientHello {
  tls13: boolean;
  earlyData: boolean;
  /** SNI in lower case; empty: none. */
  serverName: string;
  sessionId: Uint8Array;
  ticket: Uint8Array;
  identities: Uint8Array[];
  alpnProtocols: Uint8Array[];
}

function list(reader: ByteReader): Uint8Array[] {
  return Array.from({ length: reader.uint(2) }, () => reader.vector(2));
}

/** Reads the engine's form; `undefined` where it did not understand the hello. */
export function readClientHello(bytes: Uint8Array): ClientHello | undefined {
  if (bytes.length === 0) return undefined;
  const reader = new ByteReader(bytes);
  const flags = reader.uint(1);
  return {
    tls13: (flags & 1) !== 0,
    earlyData: (flags & 2) !== 0,
    serverName: fromUtf8(reader.vector(2)),
    sessionId: reader.vector(2),
    ticket: reader.vector(2),
    identities: list(reader),
    alpnProtocols: list(reader),
  };
}

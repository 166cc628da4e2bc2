/**
 * A session on its way from a server's engine to its store.
 *
 * ```text
 * struct {
 *     opaque lookup_id<0..2^8-1>;      // the session id, or the PSK identity
 *     uint64 expires_at;               // seconds since 1970
 *     opaque session[rest];            // ServerSession, see wasm/src/server_session.rs
 * } KeptSession;
 * ```
 *
 * @module
 */

import { ByteReader } from "./bytes.ts";
import { protocolName, type ProtocolVersion } from "./registry.ts";

/** Offset of the application's data in a ServerSession: after format, times and holder. */
const DATA_AT = 1 + 8 + 8 + 32;

/** A session and where it belongs. */
export interface KeptSession {
  lookupId: Uint8Array;
  /** Seconds since 1970. */
  expiresAt: number;
  protocol: ProtocolVersion | undefined;
  session: Uint8Array;
}

/** Reads the engine's form. */
export function readKeptSession(bytes: Uint8Array): KeptSession {
  const reader = new ByteReader(bytes);
  const lookupId = reader.vector(1);
  const expiresAt = reader.uint64();
  const session = reader.take(reader.remaining);
  const fields = new ByteReader(session);
  fields.take(DATA_AT);
  fields.vector(2);
  fields.take(3);
  return { lookupId, expiresAt, session, protocol: protocolName(fields.uint(2)) };
}

/**
 * The format of session bytes, a second time: written from the presentation language in
 * `src/session.ts` and `src/session_state.ts`, with nothing of the codec that it checks.
 *
 * It builds sessions of any content, with a right digest or another, and tells where each field
 * of a session is.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** The fields of a TLS 1.3 state. */
export interface Tls13Fields {
  protocol: "TLSv1.3";
  suite: number;
  psk: Uint8Array;
  ageAdd: number;
  maxEarlyData: number;
  ticket: Uint8Array;
  receivedAt: bigint;
  lifetime: bigint;
  identityType: number;
  chain: Uint8Array[];
  quic: Uint8Array;
}

/** The fields of a TLS 1.2 state. */
export interface Tls12Fields {
  protocol: "TLSv1.2";
  suite: number;
  sessionId: Uint8Array;
  masterSecret: Uint8Array;
  extendedMasterSecret: number;
  ticket: Uint8Array;
  receivedAt: bigint;
  lifetime: bigint;
  identityType: number;
  chain: Uint8Array[];
}

/** All fields of a session, but for its digest. */
export interface SessionFields {
  magic: string;
  format: number;
  fingerprint: Uint8Array;
  handshakeTime: bigint;
  expiresAt: bigint;
  serverName: string;
  port: number;
  alpnProtocol: string;
  state: Tls13Fields | Tls12Fields;
}

/** `length` bytes of one value. */
export function filled(length: number, value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(value);
}

export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}

function uint(size: number, value: number | bigint): Uint8Array {
  const digits = BigInt(value).toString(16).padStart(size * 2, "0");
  if (digits.length > size * 2) throw new RangeError(`${value} does not fit ${size} bytes`);
  return Uint8Array.fromHex(digits);
}

function opaque(size: number, bytes: Uint8Array): Uint8Array {
  return concat(uint(size, bytes.length), bytes);
}

const text = (value: string) => new TextEncoder().encode(value);

function ticketOf(state: Tls13Fields | Tls12Fields): Uint8Array {
  const [endEntity, ...intermediates] = state.chain;
  return concat(
    opaque(2, state.ticket),
    uint(8, state.receivedAt),
    uint(8, state.lifetime),
    uint(1, state.identityType),
    opaque(3, endEntity),
    opaque(3, concat(...intermediates.map((der) => opaque(3, der)))),
  );
}

/** `SessionState` of `src/session_state.ts`. */
export function stateBytes(state: Tls13Fields | Tls12Fields): Uint8Array {
  if (state.protocol === "TLSv1.3") {
    return concat(
      uint(2, 0x0304),
      uint(2, state.suite),
      opaque(1, state.psk),
      uint(4, state.ageAdd),
      uint(4, state.maxEarlyData),
      ticketOf(state),
      opaque(2, state.quic),
    );
  }
  return concat(
    uint(2, 0x0303),
    uint(2, state.suite),
    opaque(1, state.sessionId),
    state.masterSecret,
    uint(1, state.extendedMasterSecret),
    ticketOf(state),
  );
}

/** The bytes with their SHA-256 behind them. */
export function withDigest(body: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat(body, createHash("sha256").update(body).digest());
}

/** The same session with its last 32 bytes, the digest, made anew. */
export function digestAnew(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return withDigest(bytes.subarray(0, -32));
}

/** `PlainSession` of `src/session.ts`. */
export function sessionBytes(
  fields: SessionFields,
  state: Uint8Array = stateBytes(fields.state),
): Uint8Array<ArrayBuffer> {
  return withDigest(concat(
    text(fields.magic),
    uint(1, fields.format),
    fields.fingerprint,
    uint(8, fields.handshakeTime),
    uint(8, fields.expiresAt),
    opaque(1, text(fields.serverName)),
    uint(2, fields.port),
    opaque(1, text(fields.alpnProtocol)),
    opaque(3, state),
  ));
}

/** A session with content of no meaning. */
export function someSession(change: Partial<SessionFields> = {}): SessionFields {
  return {
    magic: "RPRS",
    format: 1,
    fingerprint: Uint8Array.from({ length: 32 }, (_, i) => 0x20 + i),
    handshakeTime: 1_700_000_000n,
    expiresAt: 1_700_007_200n,
    serverName: "db.example",
    port: 5432,
    alpnProtocol: "h2",
    state: someTls13(),
    ...change,
  };
}

export function someTls13(change: Partial<Tls13Fields> = {}): Tls13Fields {
  return {
    protocol: "TLSv1.3",
    suite: 0x1302,
    psk: filled(48, 0xa3),
    ageAdd: 0x01020304,
    maxEarlyData: 16384,
    ticket: filled(5, 0x77),
    receivedAt: 1_700_000_001n,
    lifetime: 7200n,
    identityType: 0,
    chain: [filled(4, 0xc1), filled(3, 0xc2), filled(2, 0xc3)],
    quic: new Uint8Array(0),
    ...change,
  };
}

export function someTls12(change: Partial<Tls12Fields> = {}): Tls12Fields {
  return {
    protocol: "TLSv1.2",
    suite: 0xc02b,
    sessionId: filled(32, 0x5d),
    masterSecret: filled(48, 0xa2),
    extendedMasterSecret: 1,
    ticket: new Uint8Array(0),
    receivedAt: 1_700_000_001n,
    lifetime: 0n,
    identityType: 0,
    chain: [filled(4, 0xc1)],
    ...change,
  };
}

/** Where a field is: `start` inclusive, `end` exclusive. Length prefixes are fields of their own. */
export interface FieldRange {
  name: string;
  start: number;
  end: number;
}

/** The fields of a session's bytes, in their order; together they are all of the bytes. */
export function fieldRanges(bytes: Uint8Array): FieldRange[] {
  const ranges: FieldRange[] = [];
  let offset = 0;
  const take = (name: string, length: number): Uint8Array => {
    const start = offset;
    offset += length;
    if (offset > bytes.length) throw new RangeError(`${name} goes beyond the end`);
    if (length > 0) ranges.push({ name, start, end: offset });
    return bytes.subarray(start, offset);
  };
  const vector = (name: string, size: number): number => {
    const length = take(`${name}.length`, size).reduce((value, byte) => value * 256 + byte, 0);
    take(name, length);
    return length;
  };
  take("magic", 4);
  take("format", 1);
  take("context_fingerprint", 32);
  take("handshake_time", 8);
  take("expires_at", 8);
  vector("server_name", 1);
  take("port", 2);
  vector("alpn_protocol", 1);
  take("state.length", 3);
  const tls13 = take("protocol", 2)[1] === 4;
  take("cipher_suite", 2);
  vector(tls13 ? "psk" : "session_id", 1);
  if (tls13) {
    take("ticket_age_add", 4);
    take("max_early_data_size", 4);
  } else {
    take("master_secret", 48);
    take("extended_master_secret", 1);
  }
  vector("ticket", 2);
  take("received_at", 8);
  take("lifetime", 8);
  take("identity_type", 1);
  vector("end_entity", 3);
  vector("intermediates", 3);
  if (tls13) vector("quic_parameters", 2);
  take("digest", 32);
  if (offset !== bytes.length) throw new RangeError(`${bytes.length - offset} bytes are left over`);
  return ranges;
}

/** The bytes of one field. */
export function field(bytes: Uint8Array, name: string): Uint8Array {
  const range = fieldRanges(bytes).find((each) => each.name === name);
  if (range === undefined) throw new RangeError(`There is no field ${name}`);
  return bytes.subarray(range.start, range.end);
}

/** What cannot be kept secret if it shows: the PSK, or the master secret. */
export function secretOf(bytes: Uint8Array): Uint8Array {
  return field(
    bytes,
    bytes[fieldRanges(bytes).find((f) => f.name === "protocol")!.start + 1] === 4
      ? "psk"
      : "master_secret",
  );
}

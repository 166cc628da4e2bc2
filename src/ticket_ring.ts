/**
 * A ring of ticket keys as bytes: for the caller, and for a store that many servers share.
 *
 * Rules: whoever decodes or encodes wipes what it made; here nothing keeps a secret. What is no
 * ring, has a bad key or is too long is a `TypeError`. It knows no clock, no schedule and no store.
 *
 * ```text
 * struct {
 *     opaque key[32];
 *     uint64 not_before;               // milliseconds since 1970: seals from here ...
 *     uint64 seal_until;               // ... to here
 *     uint64 open_until;               // and opens to here
 * } TicketKey;
 *
 * struct {                             // what TicketKeys.toBytes() gives
 *     opaque magic[4] = "RPTK";
 *     uint8 format = 1;
 *     TicketKey keys<56..2^16-1>;
 * } TicketKeyRing;
 *
 * struct {
 *     opaque key_id[16];
 *     uint64 until;                    // the end of the key, from when on nobody would open with it
 * } RevokedKey;
 *
 * struct {                             // what is sealed into a KeyRingStore
 *     opaque magic[4] = "RPTS";
 *     uint8 format = 1;
 *     uint64 generation;               // grows with every change
 *     uint64 written_at;               // by the clock of the server that wrote it
 *     TicketKey keys<56..2^16-1>;
 *     RevokedKey revoked<0..2^16-1>;
 * } SharedTicketKeyRing;
 * ```
 *
 * @module
 */

import { ByteReader, ByteWriter, hex, sameBytes, ShortRead, utf8 } from "./bytes.ts";
import { checkSecret, KEY_ID_LENGTH, KEY_LENGTH, keyId } from "./key_material.ts";

const MAGIC = utf8("RPTK");
const SHARED_MAGIC = utf8("RPTS");
const FORMAT = 1;
/** Keys of a ring, at most. */
export const MAX_KEYS = 32;
/** Ids of revoked keys in a ring, at most. */
export const MAX_REVOKED = 64;
/** The largest integer of these formats; a generation stays there. */
export const MAX_UINT = 2 ** 48 - 1;
/** Bytes of the largest shared ring. */
export const MAX_SHARED_LENGTH = 4 + 1 + 8 + 8 + 2 + MAX_KEYS * (KEY_LENGTH + 3 * 8) +
  2 + MAX_REVOKED * (KEY_ID_LENGTH + 8);

/** One key and its times, in milliseconds since 1970. */
export interface TicketKey {
  key: Uint8Array;
  notBefore: number;
  sealUntil: number;
  openUntil: number;
}

/** A key that must not be used any more. */
export interface RevokedKey {
  /** The key's id in hexadecimal. */
  id: string;
  /** When the key would have ended, in milliseconds since 1970. */
  until: number;
}

/** A ring that many servers share. */
export interface SharedTicketRing {
  generation: number;
  /** Milliseconds since 1970, by the clock of the server that wrote it. */
  writtenAt: number;
  keys: TicketKey[];
  revoked: RevokedKey[];
}

/** The id of a key in hexadecimal. */
export function ticketKeyId({ key }: { key: Uint8Array }): string {
  return hex(keyId(key));
}

/** Overwrites keys with zeros. */
export function wipeKeys(keys: Iterable<{ key: Uint8Array }>): void {
  for (const { key } of keys) key.fill(0);
}

/** Appends a vector, and wipes what it was made in. */
function addVector(writer: ByteWriter, list: ByteWriter): ByteWriter {
  const bytes = list.finish();
  try {
    return writer.vector(2, bytes);
  } finally {
    bytes.fill(0);
  }
}

function keyList(keys: readonly TicketKey[]): ByteWriter {
  const list = new ByteWriter();
  for (const { key, notBefore, sealUntil, openUntil } of keys) {
    list.bytes(key).uint64(Math.floor(notBefore)).uint64(Math.floor(sealUntil))
      .uint64(Math.floor(openUntil));
  }
  return list;
}

/** Writes a ring for the caller. */
export function encodeTicketKeys(keys: readonly TicketKey[]): Uint8Array<ArrayBuffer> {
  return addVector(new ByteWriter().bytes(MAGIC).uint(1, FORMAT), keyList(keys)).finish();
}

/** Writes a ring for a store; it is not sealed yet. */
export function encodeSharedRing(ring: SharedTicketRing): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter().bytes(SHARED_MAGIC).uint(1, FORMAT)
    .uint64(ring.generation).uint64(ring.writtenAt);
  const revoked = new ByteWriter();
  for (const { id, until } of ring.revoked) {
    revoked.bytes(idBytes(id)).uint64(Math.floor(until));
  }
  return addVector(addVector(writer, keyList(ring.keys)), revoked).finish();
}

function idBytes(id: string): Uint8Array {
  return Uint8Array.from(id.match(/../g)!, (byte) => parseInt(byte, 16));
}

/** Turns what a reader throws into a `TypeError`. */
function reading<T>(bytes: Uint8Array, what: string, read: (reader: ByteReader) => T): T {
  try {
    return read(new ByteReader(bytes));
  } catch (error) {
    if (!(error instanceof ShortRead)) throw error;
    throw new TypeError(`Argument "bytes" is no ${what}`);
  }
}

function readStart(reader: ByteReader, magic: Uint8Array): void {
  if (!sameBytes(reader.take(magic.length), magic) || reader.uint(1) !== FORMAT) {
    throw new ShortRead("Wrong start");
  }
}

/**
 * Reads keys, then the rest of the ring, which has to end there. When anything is wrong, the keys
 * that were read are wiped.
 */
function readKeys<T>(reader: ByteReader, rest: (keys: TicketKey[]) => T): T {
  const keys: TicketKey[] = [];
  try {
    const list = new ByteReader(reader.vector(2));
    while (list.remaining > 0) {
      if (keys.length === MAX_KEYS) throw new ShortRead("Too many keys");
      keys.push({
        key: list.take(KEY_LENGTH).slice(),
        notBefore: list.uint64(MAX_UINT),
        sealUntil: list.uint64(MAX_UINT),
        openUntil: list.uint64(MAX_UINT),
      });
    }
    if (keys.length === 0) throw new ShortRead("No keys");
    for (const { key } of keys) checkSecret("bytes", key);
    if (new Set(keys.map(ticketKeyId)).size !== keys.length) {
      throw new TypeError("A key is in the ring twice");
    }
    const value = rest(keys);
    if (reader.remaining > 0) throw new ShortRead("Too long");
    return value;
  } catch (error) {
    wipeKeys(keys);
    throw error;
  }
}

function readRevoked(reader: ByteReader): RevokedKey[] {
  const revoked: RevokedKey[] = [];
  const list = new ByteReader(reader.vector(2));
  while (list.remaining > 0) {
    if (revoked.length === MAX_REVOKED) throw new ShortRead("Too many revoked keys");
    revoked.push({ id: hex(list.take(KEY_ID_LENGTH)), until: list.uint64(MAX_UINT) });
  }
  return revoked;
}

/** Reads {@linkcode encodeTicketKeys}; `TypeError` on anything else, or a bad or repeated key. */
export function decodeTicketKeys(bytes: Uint8Array): TicketKey[] {
  return reading(bytes, "ring of ticket keys", (reader) => {
    readStart(reader, MAGIC);
    return readKeys(reader, (keys) => keys);
  });
}

/** Reads {@linkcode encodeSharedRing}; `TypeError` on anything else, or a bad or repeated key. */
export function decodeSharedRing(bytes: Uint8Array): SharedTicketRing {
  return reading(bytes, "shared ring of ticket keys", (reader) => {
    readStart(reader, SHARED_MAGIC);
    const generation = reader.uint64(MAX_UINT);
    const writtenAt = reader.uint64(MAX_UINT);
    return readKeys(
      reader,
      (keys) => ({ generation, writtenAt, keys, revoked: readRevoked(reader) }),
    );
  });
}

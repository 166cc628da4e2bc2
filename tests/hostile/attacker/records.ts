/**
 * Framing of records (RFC 8446 §5.1, RFC 5246 §6.2.1), without protection.
 *
 * Rules: a record that is made says what it is told to say: any type, any version, any length. What
 * arrives is cut by the length in its header, and nothing else is checked.
 *
 * @module
 */

import { concat, u16, u8 } from "./wire.ts";

const HEADER = 5;

/** A record as it is on the wire. */
export interface TlsRecord {
  type: number;
  version: number;
  /** In the clear or protected. */
  fragment: Uint8Array;
}

/** The largest plaintext of a record (RFC 8446 §5.1). */
export const MAX_PLAINTEXT = 2 ** 14;

/** `legacy_record_version`, which both versions of the protocol write. */
export const RECORD_VERSION = 0x0303;

/** The header of a record; `length` may be a lie. */
export function recordHeader(type: number, length: number, version = RECORD_VERSION): Uint8Array {
  return concat(u8(type), u16(version), u16(length));
}

/** The bytes of a record. */
export function encodeRecord({ type, version, fragment }: TlsRecord): Uint8Array<ArrayBuffer> {
  return concat(recordHeader(type, fragment.length, version), fragment);
}

/** Cuts bytes into pieces of a size; the last one may be shorter. */
export function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  const cut: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) cut.push(bytes.subarray(at, at + size));
  return cut;
}

/** Finds the records in a stream of bytes. */
export class RecordReader {
  #bytes: Uint8Array = new Uint8Array(0);

  /** Bytes have come. */
  push(bytes: Uint8Array): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : concat(this.#bytes, bytes);
  }

  /** The next record, or `undefined` where it is not whole yet. */
  next(): TlsRecord | undefined {
    const bytes = this.#bytes;
    if (bytes.length < HEADER) return undefined;
    const end = HEADER + (bytes[3] << 8 | bytes[4]);
    if (bytes.length < end) return undefined;
    this.#bytes = bytes.subarray(end);
    return {
      type: bytes[0],
      version: bytes[1] << 8 | bytes[2],
      fragment: bytes.subarray(HEADER, end),
    };
  }
}

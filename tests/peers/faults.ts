/**
 * What a proxy can do to the bytes of one direction, and the framing of TLS records it needs.
 *
 * Rules:
 * - No I/O: bytes in, pieces to write out.
 * - The order is: records, flipped byte, limit, pieces. Offsets are those of the bytes that are left
 *   after records were dropped or changed.
 * - A `closed` or `stalled` direction stays so.
 *
 * @module
 */

export interface Faults {
  /** Drop the first alert and end the direction. See `isAlert` for how one is told under TLS 1.3. */
  dropCloseNotify?: boolean;
  /** Called with each record: forward these bytes, or drop it, or end the direction before it. */
  onRecord?: (record: TlsRecord) => Uint8Array | "drop" | "close";
  /** Flip the lowest bit of the byte at this offset. */
  flipByteAt?: number;
  /** End the direction after so many bytes. */
  closeAfter?: number;
  /** Say nothing more after so many bytes, and keep the connection open. */
  stallAfter?: number;
  /** Write in pieces of this size. 1: each byte is a write of its own. */
  chunkSize?: number;
  /** Milliseconds before each write. */
  delay?: number;
}

export interface TlsRecord {
  /** Of its direction, from 0. */
  index: number;
  /** 20 change_cipher_spec, 21 alert, 22 handshake, 23 application_data. */
  type: number;
  /** Header included. */
  bytes: Uint8Array;
}

const HEADER = 5;

/** The complete records that these bytes begin with. */
export function readRecords(bytes: Uint8Array): TlsRecord[] {
  const records: TlsRecord[] = [];
  for (let offset = 0; offset + HEADER <= bytes.length;) {
    const end = offset + HEADER + (bytes[offset + 3] << 8 | bytes[offset + 4]);
    if (end > bytes.length) break;
    const record = bytes.subarray(offset, end);
    records.push({ index: records.length, type: record[0], bytes: record });
    offset = end;
  }
  return records;
}

/**
 * An alert, in the clear or sealed. Under TLS 1.3 its type is hidden, and its length tells: two
 * bytes, the inner type and the tag. Two bytes of application data look the same.
 */
export function isAlert({ type, bytes }: TlsRecord): boolean {
  return type === 21 || (type === 23 && bytes.length === HEADER + 2 + 1 + 16);
}

export class Faulty {
  readonly delay: number;
  readonly #faults: Faults;
  #state: "open" | "closed" | "stalled" = "open";
  #incomplete = new Uint8Array(0);
  #records = 0;
  #passed = 0;

  constructor(faults: Faults) {
    this.#faults = { ...faults };
    this.delay = faults.delay ?? 0;
  }

  get state(): "open" | "closed" | "stalled" {
    return this.#state;
  }

  /** The pieces to write now. Look at `state` once they are written. */
  pass(bytes: Uint8Array<ArrayBuffer>): Uint8Array[] {
    const { onRecord, dropCloseNotify, chunkSize } = this.#faults;
    const left = onRecord || dropCloseNotify ? this.#passRecords(bytes) : bytes;
    return split(this.#limit(this.#flip(left)), chunkSize);
  }

  /** What is left of an incomplete record when the source ends. */
  flush(): Uint8Array {
    return this.#state === "open" ? this.#limit(this.#flip(this.#incomplete)) : new Uint8Array(0);
  }

  #passRecords(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const buffered = concat([this.#incomplete, bytes]);
    const passed: Uint8Array[] = [];
    let consumed = 0;
    for (const { type, bytes } of readRecords(buffered)) {
      consumed += bytes.length;
      const record = { index: this.#records++, type, bytes };
      const verdict = this.#judge(record);
      if (verdict === "close") {
        this.#state = "closed";
        break;
      }
      if (verdict !== "drop") passed.push(verdict);
    }
    this.#incomplete = buffered.slice(consumed);
    return concat(passed);
  }

  #judge(record: TlsRecord): Uint8Array | "drop" | "close" {
    const { dropCloseNotify, onRecord } = this.#faults;
    if (dropCloseNotify && isAlert(record)) return "close";
    return onRecord ? onRecord(record) : record.bytes;
  }

  #flip(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const at = (this.#faults.flipByteAt ?? -1) - this.#passed;
    if (at >= 0 && at < bytes.length) bytes[at] ^= 1;
    return bytes;
  }

  #limit(bytes: Uint8Array): Uint8Array {
    const { closeAfter = Infinity, stallAfter = Infinity } = this.#faults;
    const limit = Math.min(closeAfter, stallAfter);
    const kept = bytes.subarray(0, limit - this.#passed);
    this.#passed += kept.length;
    if (this.#passed >= limit) this.#state = closeAfter <= stallAfter ? "closed" : "stalled";
    return kept;
  }
}

function split(bytes: Uint8Array, size = Math.max(1, bytes.length)): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += size) {
    pieces.push(bytes.subarray(start, start + size));
  }
  return pieces;
}

function concat(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/**
 * Protection of records: AEAD of TLS 1.3 (RFC 8446 §5.2) and TLS 1.2 (RFC 5246 §6.2.3.3, RFC 5288,
 * RFC 7905), and none at all.
 *
 * Rules: one object protects one direction under one key, and counts its records. Sealing has no
 * limits of size or content. What does not open throws.
 *
 * @module
 */

import { type CipherGCM, createCipheriv, createDecipheriv, type DecipherGCM } from "node:crypto";
import { RECORD_VERSION, recordHeader, type TlsRecord } from "./records.ts";
import type { CipherSuite } from "./suites.ts";
import { concat, u16, u64, u8 } from "./wire.ts";
import { ContentType } from "./codes.ts";

const TAG_LENGTH = 16;

/** How a record is made. */
export interface SealOptions {
  /** Zeros behind the content; TLS 1.3 only (RFC 8446 §5.4). */
  padding?: number;
  /** The type in the header, where it is not the one that belongs there. */
  outerType?: number;
  /** The version in the header. */
  version?: number;
}

/** What a record carries. */
export interface Opened {
  type: number;
  content: Uint8Array;
}

/** The protection of one direction. */
export interface Protection {
  /** Makes a record and counts it. */
  seal(type: number, content: Uint8Array, options?: SealOptions): TlsRecord;
  /** Opens a record and counts it. */
  open(record: TlsRecord): Opened;
}

/** Records in the clear. */
export const NO_PROTECTION: Protection = {
  seal: (type, fragment, { outerType = type, version = RECORD_VERSION } = {}) => ({
    type: outerType,
    version,
    fragment,
  }),
  open: ({ type, fragment }) => ({ type, content: fragment }),
};

/** The AEAD of a suite under one key. */
class Aead {
  readonly #name: string;
  readonly #key: Uint8Array;

  constructor(suite: CipherSuite, key: Uint8Array) {
    this.#name = suite.aead;
    this.#key = key;
  }

  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const options = { authTagLength: TAG_LENGTH } as never;
    const cipher = createCipheriv(this.#name, this.#key, nonce, options) as CipherGCM;
    cipher.setAAD(aad);
    const ciphertext = cipher.update(plaintext);
    cipher.final();
    return concat(ciphertext, cipher.getAuthTag());
  }

  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array {
    const options = { authTagLength: TAG_LENGTH } as never;
    const decipher = createDecipheriv(this.#name, this.#key, nonce, options) as DecipherGCM;
    decipher.setAAD(aad);
    decipher.setAuthTag(sealed.subarray(-TAG_LENGTH));
    const plaintext = decipher.update(sealed.subarray(0, -TAG_LENGTH));
    decipher.final();
    return plaintext;
  }
}

/** The nonce of RFC 8446 §5.3: the IV, with the sequence number XORed into its end. */
function xorNonce(iv: Uint8Array, sequence: number): Uint8Array {
  const nonce = iv.slice();
  u64(sequence).forEach((byte, i) => nonce[iv.length - 8 + i] ^= byte);
  return nonce;
}

/** TLS 1.3. */
export class Protection13 implements Protection {
  readonly #aead: Aead;
  readonly #iv: Uint8Array;
  #sequence = 0;

  constructor(suite: CipherSuite, key: Uint8Array, iv: Uint8Array) {
    this.#aead = new Aead(suite, key);
    this.#iv = iv;
  }

  seal(
    type: number,
    content: Uint8Array,
    { padding = 0, outerType = ContentType.application_data, version }: SealOptions = {},
  ): TlsRecord {
    const inner = concat(content, u8(type), new Uint8Array(padding));
    return this.sealInner(inner, outerType, version);
  }

  /** Seals a `TLSInnerPlaintext` as it is, such as one without a type (RFC 8446 §5.4). */
  sealInner(
    inner: Uint8Array,
    outerType: number = ContentType.application_data,
    version = RECORD_VERSION,
  ): TlsRecord {
    const aad = recordHeader(outerType, inner.length + TAG_LENGTH, version);
    const nonce = xorNonce(this.#iv, this.#sequence++);
    return { type: outerType, version, fragment: this.#aead.seal(nonce, aad, inner) };
  }

  /** Alerts and ChangeCipherSpec that come in the clear are taken as they are (§5, §D.4). */
  open({ type, version, fragment }: TlsRecord): Opened {
    if (type === ContentType.alert || type === ContentType.change_cipher_spec) {
      return { type, content: fragment };
    }
    const aad = recordHeader(type, fragment.length, version);
    const inner = this.#aead.open(xorNonce(this.#iv, this.#sequence++), aad, fragment);
    const end = inner.findLastIndex((byte) => byte !== 0);
    if (end < 0) throw new Error("A record has no content type");
    return { type: inner[end], content: inner.subarray(0, end) };
  }
}

/** TLS 1.2. */
export class Protection12 implements Protection {
  readonly #aead: Aead;
  readonly #iv: Uint8Array;
  #sequence = 0;

  /** `iv` is the implicit part: 4 bytes of AES-GCM, 12 of ChaCha20-Poly1305. */
  constructor(suite: CipherSuite, key: Uint8Array, iv: Uint8Array) {
    this.#aead = new Aead(suite, key);
    this.#iv = iv;
  }

  /** AES-GCM carries eight bytes of its nonce in front of each record (RFC 5288 §3). */
  get #explicit(): boolean {
    return this.#iv.length === 4;
  }

  #aad(sequence: number, type: number, version: number, length: number): Uint8Array {
    return concat(u64(sequence), u8(type), u16(version), u16(length));
  }

  seal(
    type: number,
    content: Uint8Array,
    { outerType = type, version = RECORD_VERSION }: SealOptions = {},
  ): TlsRecord {
    const sequence = this.#sequence++;
    const aad = this.#aad(sequence, outerType, version, content.length);
    const explicit = this.#explicit ? u64(sequence) : new Uint8Array(0);
    const nonce = this.#explicit ? concat(this.#iv, explicit) : xorNonce(this.#iv, sequence);
    const fragment = concat(explicit, this.#aead.seal(nonce, aad, content));
    return { type: outerType, version, fragment };
  }

  open({ type, version, fragment }: TlsRecord): Opened {
    const sequence = this.#sequence++;
    const sealed = this.#explicit ? fragment.subarray(8) : fragment;
    const aad = this.#aad(sequence, type, version, sealed.length - TAG_LENGTH);
    const nonce = this.#explicit
      ? concat(this.#iv, fragment.subarray(0, 8))
      : xorNonce(this.#iv, sequence);
    return { type, content: this.#aead.open(nonce, aad, sealed) };
  }
}

/**
 * The key schedule of TLS 1.3 (RFC 8446 §7.1).
 *
 * ```text
 *  PSK or 0 ──► early secret ──► binder key, client early traffic secret
 *                   │
 *  (EC)DHE ────► handshake secret ──► handshake traffic secrets
 *                   │
 *  0 ──────────► main secret ──► application traffic secrets, resumption secret ──► PSKs
 * ```
 *
 * @module
 */

import { createHash, createHmac } from "node:crypto";
import { Protection13 } from "./protection.ts";
import type { CipherSuite } from "./suites.ts";
import { ascii, concat, u16, u8, vector8 } from "./wire.ts";

type Hash = CipherSuite["hash"];

function hmac(hash: Hash, key: Uint8Array, data: Uint8Array): Uint8Array {
  return createHmac(hash, key).update(data).digest();
}

function hashLength(hash: Hash): number {
  return hash === "sha256" ? 32 : 48;
}

/** HKDF-Extract (RFC 5869 §2.2). */
function extract(hash: Hash, salt: Uint8Array, secret: Uint8Array): Uint8Array {
  return hmac(hash, salt, secret);
}

/** HKDF-Expand-Label (RFC 8446 §7.1). */
export function expandLabel(
  hash: Hash,
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array {
  const info = concat(u16(length), vector8(ascii(`tls13 ${label}`)), vector8(context));
  let block = new Uint8Array(0);
  let out = new Uint8Array(0);
  // HKDF-Expand (RFC 5869 §2.3).
  for (let counter = 1; out.length < length; counter++) {
    block = new Uint8Array(hmac(hash, secret, concat(block, info, u8(counter))));
    out = concat(out, block);
  }
  return out.subarray(0, length);
}

const NOTHING = new Uint8Array(0);

/** A traffic secret, and what is derived from it (RFC 8446 §7.2 and §7.3). */
export class TrafficSecret {
  readonly #suite: CipherSuite;
  readonly #secret: Uint8Array;

  constructor(suite: CipherSuite, secret: Uint8Array) {
    this.#suite = suite;
    this.#secret = secret;
  }

  #expand(label: string, length: number): Uint8Array {
    return expandLabel(this.#suite.hash, this.#secret, label, NOTHING, length);
  }

  /** The protection of records under it. */
  protection(): Protection13 {
    const { keyLength } = this.#suite;
    return new Protection13(this.#suite, this.#expand("key", keyLength), this.#expand("iv", 12));
  }

  /** The content of a Finished over a transcript hash (RFC 8446 §4.4.4). */
  verifyData(transcriptHash: Uint8Array): Uint8Array {
    const { hash } = this.#suite;
    return hmac(hash, this.#expand("finished", hashLength(hash)), transcriptHash);
  }

  /** The secret after a KeyUpdate. */
  next(): TrafficSecret {
    const length = hashLength(this.#suite.hash);
    return new TrafficSecret(this.#suite, this.#expand("traffic upd", length));
  }
}

/** The secrets of one connection. */
export class KeySchedule13 {
  readonly suite: CipherSuite;
  #secret: Uint8Array;

  /** Begins with a PSK, or without one. */
  constructor(suite: CipherSuite, psk?: Uint8Array) {
    this.suite = suite;
    const zeros = new Uint8Array(hashLength(suite.hash));
    this.#secret = extract(suite.hash, zeros, psk ?? zeros);
  }

  /** Derive-Secret, from the hash of a transcript. */
  #derive(label: string, transcriptHash: Uint8Array): Uint8Array {
    const { hash } = this.suite;
    return expandLabel(hash, this.#secret, label, transcriptHash, hashLength(hash));
  }

  /** A traffic secret of the stage that the schedule is in, by its label in RFC 8446 §7.1. */
  traffic(label: string, transcriptHash: Uint8Array): TrafficSecret {
    return new TrafficSecret(this.suite, this.#derive(label, transcriptHash));
  }

  /** The binder of a resumption PSK (RFC 8446 §4.2.11.2). */
  binder(transcriptHash: Uint8Array): Uint8Array {
    const empty = createHash(this.suite.hash).digest();
    return this.traffic("res binder", empty).verifyData(transcriptHash);
  }

  /** Goes on to the next stage, with the shared secret or with zeros. */
  advance(input: Uint8Array = new Uint8Array(hashLength(this.suite.hash))): void {
    const empty = createHash(this.suite.hash).digest();
    this.#secret = extract(this.suite.hash, this.#derive("derived", empty), input);
  }

  /** The resumption secret; of the last stage, over the transcript to the client's Finished. */
  resumption(transcriptHash: Uint8Array): Uint8Array {
    return this.#derive("res master", transcriptHash);
  }
}

/** The PSK of a ticket (RFC 8446 §4.6.1). */
export function ticketPsk(hash: Hash, resumption: Uint8Array, nonce: Uint8Array): Uint8Array {
  return expandLabel(hash, resumption, "resumption", nonce, hashLength(hash));
}

/**
 * The secrets of TLS 1.2: the PRF (RFC 5246 §5), the master secret with and without the session's
 * hash in it (RFC 7627 §4, RFC 5246 §8.1), the key block (RFC 5246 §6.3).
 *
 * @module
 */

import { createHmac } from "node:crypto";
import { Protection12 } from "./protection.ts";
import type { CipherSuite } from "./suites.ts";
import { ascii, concat, Reader } from "./wire.ts";

/** The PRF. */
export function prf(
  hash: CipherSuite["hash"],
  secret: Uint8Array,
  label: string,
  seed: Uint8Array,
  length: number,
): Uint8Array {
  const labelled = concat(ascii(label), seed);
  const hmac = (data: Uint8Array) => createHmac(hash, secret).update(data).digest();
  let out = new Uint8Array(0);
  for (let a: Uint8Array = hmac(labelled); out.length < length; a = hmac(a)) {
    out = concat(out, hmac(concat(a, labelled)));
  }
  return out.subarray(0, length);
}

/** The randoms of both hellos. */
export interface Randoms {
  client: Uint8Array;
  server: Uint8Array;
}

const MASTER_SECRET_LENGTH = 48;
const VERIFY_DATA_LENGTH = 12;

/** The secrets of one connection. */
export class Keys12 {
  readonly suite: CipherSuite;
  readonly masterSecret: Uint8Array;

  /** From a master secret, as a session has it. */
  constructor(suite: CipherSuite, masterSecret: Uint8Array) {
    this.suite = suite;
    this.masterSecret = masterSecret;
  }

  /** From the key exchange; `sessionHash` makes it an extended master secret. */
  static agree(
    suite: CipherSuite,
    sharedSecret: Uint8Array,
    randoms: Randoms,
    sessionHash: Uint8Array | undefined,
  ): Keys12 {
    const [label, seed] = sessionHash === undefined
      ? ["master secret", concat(randoms.client, randoms.server)]
      : ["extended master secret", sessionHash];
    const secret = prf(suite.hash, sharedSecret, label, seed, MASTER_SECRET_LENGTH);
    return new Keys12(suite, secret);
  }

  /** The protection of both directions. */
  protections(randoms: Randoms): { client: Protection12; server: Protection12 } {
    const { suite } = this;
    const ivLength = suite.aead === "chacha20-poly1305" ? 12 : 4;
    const length = 2 * (suite.keyLength + ivLength);
    const seed = concat(randoms.server, randoms.client);
    const block = new Reader(prf(suite.hash, this.masterSecret, "key expansion", seed, length));
    const keys = [block.take(suite.keyLength), block.take(suite.keyLength)];
    const ivs = [block.take(ivLength), block.take(ivLength)];
    return {
      client: new Protection12(suite, keys[0], ivs[0]),
      server: new Protection12(suite, keys[1], ivs[1]),
    };
  }

  /** The content of a Finished (RFC 5246 §7.4.9). */
  verifyData(side: "client" | "server", transcriptHash: Uint8Array): Uint8Array {
    const label = `${side} finished`;
    return prf(this.suite.hash, this.masterSecret, label, transcriptHash, VERIFY_DATA_LENGTH);
  }
}

/**
 * What every ring of keys has in common: secrets that are good enough, ids, and derivation.
 *
 * Rule: bytes that a caller gives are checked and copied before anything else happens, so that
 * nothing the caller does to them later is noticed here.
 *
 * @module
 */

import { utf8 } from "./bytes.ts";
import { hkdf, sha256 } from "./hashes.ts";
import { bytesOf } from "./options.ts";

/** Bytes of a key. */
export const KEY_LENGTH = 32;
/** Bytes of a key's id. */
export const KEY_ID_LENGTH = 16;

/** Throws a `TypeError` on a secret that is short, or plainly no secret (CVE-2020-13777). */
export function checkSecret(name: string, secret: Uint8Array): void {
  if (secret.length < KEY_LENGTH) {
    throw new TypeError(
      `Argument "${name}" must have ${KEY_LENGTH} bytes or more, got ${secret.length}`,
    );
  }
  if (secret.every((byte) => byte === secret[0])) {
    throw new TypeError(`Argument "${name}" is one byte repeated: that is no secret`);
  }
}

/** A copy of a secret that was given as an argument; see {@linkcode checkSecret}. */
export function copySecret(name: string, value: unknown): Uint8Array<ArrayBuffer> {
  const secret = bytesOf(name, value);
  try {
    checkSecret(name, secret);
    return secret;
  } catch (error) {
    secret.fill(0);
    throw error;
  }
}

/** Derives bytes for one purpose (HKDF-SHA256, RFC 5869). */
export function derive(secret: Uint8Array, purpose: string, length: number): Uint8Array {
  return hkdf(sha256, secret, undefined, utf8(purpose), length);
}

/** Keys do not change, and each handshake asks for their ids. */
const ids = new WeakMap<Uint8Array, Uint8Array>();

/** A key's id: derived, so that equal keys have equal ids wherever they are. */
export function keyId(key: Uint8Array): Uint8Array {
  let id = ids.get(key);
  if (id === undefined) ids.set(key, id = derive(key, "reprise key id", KEY_ID_LENGTH));
  return id;
}

/** A key from the system's randomness. */
export function randomKey(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(KEY_LENGTH));
}

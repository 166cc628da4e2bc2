/**
 * The cipher suites that the attacker has: AES-GCM and ChaCha20-Poly1305 of both versions
 * (RFC 8446 §B.4, RFC 5289, RFC 7905).
 *
 * @module
 */

import type { Version } from "./codes.ts";

/** A cipher suite. */
export interface CipherSuite {
  code: number;
  /** By its name in the registry. */
  name: string;
  version: Version;
  hash: "sha256" | "sha384";
  aead: "aes-128-gcm" | "aes-256-gcm" | "chacha20-poly1305";
  /** The length of its key. */
  keyLength: number;
  /** Which kind of certificate it goes with; on TLS 1.3 any. */
  auth: "ecdsa" | "rsa" | "any";
}

function suite(
  code: number,
  name: string,
  auth: CipherSuite["auth"],
  aead: CipherSuite["aead"],
): CipherSuite {
  return {
    code,
    name,
    version: auth === "any" ? "TLSv1.3" : "TLSv1.2",
    hash: name.endsWith("SHA384") ? "sha384" : "sha256",
    aead,
    keyLength: aead === "aes-128-gcm" ? 16 : 32,
    auth,
  };
}

/** All, in the order in which a client offers them. */
export const CIPHER_SUITES: readonly CipherSuite[] = [
  suite(0x1301, "TLS_AES_128_GCM_SHA256", "any", "aes-128-gcm"),
  suite(0x1302, "TLS_AES_256_GCM_SHA384", "any", "aes-256-gcm"),
  suite(0x1303, "TLS_CHACHA20_POLY1305_SHA256", "any", "chacha20-poly1305"),
  suite(0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ecdsa", "aes-128-gcm"),
  suite(0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ecdsa", "aes-256-gcm"),
  suite(0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ecdsa", "chacha20-poly1305"),
  suite(0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "rsa", "aes-128-gcm"),
  suite(0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "rsa", "aes-256-gcm"),
  suite(0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "rsa", "chacha20-poly1305"),
];

/** The suite of a code point; throws where the attacker does not have it. */
export function cipherSuite(code: number): CipherSuite {
  const found = CIPHER_SUITES.find((suite) => suite.code === code);
  if (found === undefined) throw new Error(`There is no cipher suite 0x${code.toString(16)}`);
  return found;
}

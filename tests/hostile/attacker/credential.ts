/**
 * A certificate with its key, and the signatures that prove it (RFC 8446 §4.4.3, RFC 5246 §7.4.3).
 *
 * @module
 */

import { constants, createPrivateKey, type KeyObject, sign } from "node:crypto";
import { serverCert } from "../../testdata/mod.ts";
import { type SchemeName, SignatureScheme } from "./codes.ts";
import { ascii, concat, u8 } from "./wire.ts";

/** The certificates of a PEM file, in DER. */
function pemCertificates(pem: string): Uint8Array[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END/g);
  return Array.from(blocks, ([, base64]) => Uint8Array.fromBase64(base64.replace(/\s/g, "")));
}

/** The schemes of a key, the preferred one first. */
function schemesOf(key: KeyObject): SchemeName[] {
  if (key.asymmetricKeyType === "rsa") return ["rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"];
  if (key.asymmetricKeyType === "ed25519") return ["ed25519"];
  return key.asymmetricKeyDetails?.namedCurve === "secp384r1"
    ? ["ecdsa_secp384r1_sha384"]
    : ["ecdsa_secp256r1_sha256"];
}

/** A certificate with its key. */
export class Credential {
  /** In DER, end entity first. */
  readonly chain: Uint8Array[];
  readonly schemes: readonly SchemeName[];
  readonly #key: KeyObject;

  /** From PEM. */
  constructor({ cert, key }: { cert: string; key: string }) {
    this.chain = pemCertificates(cert);
    this.#key = createPrivateKey(key);
    this.schemes = schemesOf(this.#key);
  }

  /** Which suites of TLS 1.2 it goes with. */
  get auth(): "ecdsa" | "rsa" {
    return this.#key.asymmetricKeyType === "rsa" ? "rsa" : "ecdsa";
  }

  /** Its preferred scheme among those that the peer takes; its first one, where it has none. */
  scheme(offered: readonly number[]): SchemeName {
    const common = this.schemes.find((name) => offered.includes(SignatureScheme[name]));
    return common ?? this.schemes[0];
  }

  /** Signs. */
  sign(scheme: SchemeName, data: Uint8Array): Uint8Array {
    switch (scheme) {
      case "ed25519":
        return sign(null, data, this.#key);
      case "ecdsa_secp384r1_sha384":
        return sign("sha384", data, this.#key);
      case "ecdsa_secp256r1_sha256":
        return sign("sha256", data, this.#key);
      case "rsa_pkcs1_sha256":
        return sign("sha256", data, { key: this.#key, padding: constants.RSA_PKCS1_PADDING });
      case "rsa_pss_rsae_sha256": {
        const padding = constants.RSA_PKCS1_PSS_PADDING;
        return sign("sha256", data, { key: this.#key, padding, saltLength: 32 });
      }
    }
  }
}

/** What a CertificateVerify of TLS 1.3 signs (RFC 8446 §4.4.3). */
export function certificateVerifyInput(
  side: "client" | "server",
  transcriptHash: Uint8Array,
): Uint8Array {
  const context = ascii(`TLS 1.3, ${side} CertificateVerify`);
  return concat(new Uint8Array(64).fill(0x20), context, u8(0), transcriptHash);
}

/** The credential of a server that has nothing special: P-256, for localhost. */
export function serverCredential(): Credential {
  return new Credential(serverCert("ec_p256"));
}

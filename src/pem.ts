/**
 * PEM (RFC 7468): certificates, revocation lists and private keys, to DER.
 *
 * Rule: text around the blocks and blocks of other labels are skipped; a block of the label that is
 * wanted is read in whole, or refused. One that was cut off would be missing without a word.
 *
 * It does not know what the DER holds; the engine parses that.
 *
 * @module
 */

import { fromBase64 } from "./bytes.ts";

const BEGIN = /-----BEGIN ([A-Z0-9 ]+)-----/g;
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g;

interface PemBlock {
  label: string;
  der: Uint8Array<ArrayBuffer>;
}

function blocks(option: string, pem: string): PemBlock[] {
  return Array.from(pem.matchAll(BLOCK), ([, label, body]) => {
    try {
      return { label, der: fromBase64(body.replace(/\s+/g, "")) };
    } catch {
      throw new TypeError(`Option "${option}" has a PEM block "${label}" that is not base64`);
    }
  });
}

/** The DER of every block of one of the labels. */
function labelled(option: string, pem: string, ...labels: string[]): Uint8Array<ArrayBuffer>[] {
  const found = blocks(option, pem).filter((block) => labels.includes(block.label));
  const begun = Array.from(pem.matchAll(BEGIN)).filter(([, label]) => labels.includes(label));
  if (begun.length > found.length) {
    throw new TypeError(`Option "${option}" has a PEM block "${begun[0][1]}" that has no end`);
  }
  if (found.length === 0) {
    throw new TypeError(`Option "${option}" holds no PEM block "${labels[0]}"`);
  }
  return found.map((block) => block.der);
}

/** Certificates in DER, in the order of the text. Throws `TypeError` where there is none. */
export function pemCertificates(option: string, pem: string): Uint8Array<ArrayBuffer>[] {
  return labelled(option, pem, "CERTIFICATE", "X509 CERTIFICATE");
}

/** Certificate revocation lists in DER. Throws `TypeError` where there is none. */
export function pemCrls(option: string, pem: string): Uint8Array<ArrayBuffer>[] {
  return labelled(option, pem, "X509 CRL");
}

/** A private key in DER with its kind. */
export interface PrivateKeyDer {
  kind: "pkcs8" | "sec1" | "pkcs1";
  der: Uint8Array<ArrayBuffer>;
}

const KEY_KINDS: Record<string, PrivateKeyDer["kind"]> = {
  "PRIVATE KEY": "pkcs8",
  "EC PRIVATE KEY": "sec1",
  "RSA PRIVATE KEY": "pkcs1",
};

/** The first private key. Throws `TypeError` where there is none, or an encrypted one. */
export function pemPrivateKey(option: string, pem: string): PrivateKeyDer {
  const found = blocks(option, pem);
  for (const { label, der } of found) {
    const kind = KEY_KINDS[label];
    if (kind !== undefined) return { kind, der };
  }
  const encrypted = found.some((block) => block.label === "ENCRYPTED PRIVATE KEY");
  throw new TypeError(
    encrypted || pem.includes("Proc-Type: 4,ENCRYPTED")
      ? `Option "${option}" holds an encrypted private key; decrypt it first`
      : `Option "${option}" holds no private key in PEM (PKCS#8, SEC1 or PKCS#1)`,
  );
}

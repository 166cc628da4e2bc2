/**
 * Pins of test certificates, in the form of RFC 7469, made without the library.
 *
 * @module
 */

import { createHash, X509Certificate } from "node:crypto";

/** The pin of the first certificate in PEM. */
export function pinOf(pem: string): string {
  const spki = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  return `sha256/${createHash("sha256").update(spki).digest("base64")}`;
}

/**
 * The test certificates as they come over the wire.
 *
 * @module
 */

import {
  clientCert,
  type ClientCertName,
  serverCert,
  type ServerCertName,
} from "../testdata/mod.ts";

/** The end entity of a chain in PEM, as DER in hexadecimal. */
export function endEntity(pem: string): string {
  const [, base64] = pem.match(/-----BEGIN CERTIFICATE-----\s([^-]*)-----/)!;
  return Uint8Array.fromBase64(base64.replace(/\s/g, "")).toHex();
}

/** A server's, by its name in testdata. */
export function serverDer(name: ServerCertName): string {
  return endEntity(serverCert(name).cert);
}

/** A client's, by its name in testdata. */
export function clientDer(name: ClientCertName): string {
  return endEntity(clientCert(name).cert);
}

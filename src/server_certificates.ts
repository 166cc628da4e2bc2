/**
 * The certificates that a server answers with: the default ones, and those by name.
 *
 * Rules: an entry without effect is a `TypeError`, such as a second one for the same name, one that
 * no client can ask for, or an OCSP response that does not fit a handshake. A name's spelling is
 * that of `server_name.ts`.
 *
 * @module
 */

import { badOption, reading } from "./option_errors.ts";
import { bytesOf, checkFunction, checkList, checkString } from "./options.ts";
import { pemCertificates, pemPrivateKey, type PrivateKeyDer } from "./pem.ts";
import {
  type KnownOptions,
  type Placement,
  type Read,
  readOptions,
  readRecord,
} from "./read_options.ts";
import { canonicalSniName } from "./server_name.ts";

/** A certificate that a server answers with. */
export interface ServerCertificate {
  /** The chain in PEM, end entity first. */
  cert: string;
  /** Its private key in PEM: PKCS#8, SEC1 or PKCS#1; EC, RSA or Ed25519. */
  key: string;
  /** An OCSP response in DER (RFC 6960), 16,380 bytes at most, passed to clients that ask for one. */
  ocspResponse?: Uint8Array;
}

/** What `sni` maps to: one certificate, or one for each key type. */
export type ServerCertificates = ServerCertificate | readonly ServerCertificate[];

/** All options of a certificate. */
export const CERTIFICATE_OPTIONS = {
  cert: "anywhere",
  key: "anywhere",
  ocspResponse: "anywhere",
} as const satisfies KnownOptions<ServerCertificate>;

/**
 * Bytes of an OCSP response at most. On TLS 1.3 it has to fit an extension of 65,535 bytes (RFC 8446
 * §4.4.2.1); on TLS 1.2 OpenSSL takes a CertificateStatus message of 16,384, of which 4 are no
 * response. Those of today's authorities have some thousand.
 */
const MAX_OCSP_RESPONSE = 16_384 - 4;

/** A checked certificate in DER. */
export interface Credential {
  chain: Uint8Array[];
  key: PrivateKeyDer;
  ocsp: Uint8Array;
}

function checkCertificate(path: string, given: Read<typeof CERTIFICATE_OPTIONS>): Credential {
  const { cert, key, ocspResponse } = given;
  checkString(`${path}cert`, cert);
  checkString(`${path}key`, key);
  return {
    chain: pemCertificates(`${path}cert`, cert),
    key: pemPrivateKey(`${path}key`, key),
    ocsp: checkOcspResponse(`${path}ocspResponse`, ocspResponse),
  };
}

/** Empty: none was given. An empty one would be taken for that. */
function checkOcspResponse(name: string, value: unknown): Uint8Array {
  if (value === undefined) return new Uint8Array(0);
  const response = bytesOf(name, value, "Option");
  if (response.length === 0 || response.length > MAX_OCSP_RESPONSE) {
    throw new TypeError(
      `Option "${name}" must have 1 to ${MAX_OCSP_RESPONSE} bytes, got ${response.length}`,
    );
  }
  return response;
}

function checkEntry(name: string, given: unknown): Credential {
  const entry = readOptions(given, CERTIFICATE_OPTIONS, `"${name}"`, `${name}.`);
  return checkCertificate(`${name}.`, entry);
}

/** Checks one name's certificates. */
export function checkCertificates(name: string, given: unknown): Credential[] {
  const isList = reading(`Option "${name}"`, () => Array.isArray(given));
  if (!isList) return [checkEntry(name, given)];
  const expected = "an array of certificates with their keys";
  const list = checkList(name, given, expected, (each) => checkEntry(name, each));
  if (list.length === 0) throw new TypeError(`Option "${name}" has no certificate`);
  return list;
}

/** The options that the default certificates are made of. */
type CertificateRead = Read<typeof CERTIFICATE_OPTIONS & { certificates: Placement }>;

/** The default certificates: `cert` with its key, and the further ones. */
export function checkDefaults(options: CertificateRead): Credential[] {
  const { cert, key, ocspResponse, certificates } = options;
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError('Options "cert" and "key" go together');
  }
  if (cert === undefined && ocspResponse !== undefined) {
    throw new TypeError('Option "ocspResponse" is for "cert", which is not there');
  }
  const own = cert === undefined ? [] : [checkCertificate("", options)];
  if (certificates === undefined) return own;
  const expected = "an array of certificates with their keys";
  const each = (entry: unknown) => checkEntry("certificates", entry);
  return [...own, ...checkList("certificates", certificates, expected, each)];
}

/** Certificates by name, or who is asked for them. */
export interface CheckedSni {
  names: Map<string, Credential[]>;
  resolve: ((name: string) => unknown) | undefined;
}

/** Checks `sni`. */
export function checkSni(sni: unknown): CheckedSni {
  const names = new Map<string, Credential[]>();
  if (sni === undefined || typeof sni === "function") {
    return { names, resolve: checkFunction("sni", sni) };
  }
  if (typeof sni !== "object" || sni === null) {
    badOption("sni", "certificates by name, or a function", sni);
  }
  for (const [given, certificates] of readRecord("sni", sni)) {
    const name = canonicalSniName("sni", given);
    if (names.has(name)) {
      throw new TypeError(`Option "sni" has two keys for one name: "${name}"`);
    }
    names.set(name, checkCertificates("sni", certificates));
  }
  return { names, resolve: undefined };
}

/**
 * The test certificates, by name. README.md in this folder says what each one is.
 *
 * Rules:
 * - Everything is PEM. `*Path` functions are for peers that read files themselves.
 * - Names are spelled out as types, so that a misspelled one does not compile.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

export type CaName = "ec" | "rsa" | "ec_and_rsa" | "other" | "intermediate";

export const SERVER_CERTS = [
  "ec_p256",
  "ec_p256_renewed",
  "ec_p384",
  "ed25519",
  "rsa_2048",
  "via_intermediate",
  "wrong_name",
  "expired",
  "not_yet_valid",
  "revoked",
  "other_ca",
  "a_example",
  "b_example",
] as const;

export type ServerCertName = typeof SERVER_CERTS[number];

export type ClientCertName = "ec" | "rsa" | "expired" | "revoked" | "other_ca";

export type CrlName = "ec_empty" | "ec_revoked" | "intermediate_empty";

/** `pkcs8` is there for each key, `sec1` for client `ec` only, `pkcs1` for client `rsa` only. */
export type KeyFormat = "pkcs8" | "sec1" | "pkcs1";

export interface CertAndKey {
  /** The leaf, then intermediates if it has any. */
  cert: string;
  key: string;
}

export interface CertPaths extends CertAndKey {
  /** What follows the leaf in `cert`, for peers that want it in a file of its own. */
  chain?: string;
}

const KEY_SUFFIX = { pkcs8: "key", sec1: "sec1", pkcs1: "pkcs1" } as const;

export function caPath(name: CaName): string {
  return path(`ca/${name}.pem`);
}

export function serverCertPaths(name: ServerCertName): CertPaths {
  const paths = { cert: path(`server/${name}.pem`), key: path(`server/${name}.key.pem`) };
  return name === "via_intermediate" ? { ...paths, chain: caPath("intermediate") } : paths;
}

export function clientCertPaths(name: ClientCertName, format: KeyFormat = "pkcs8"): CertPaths {
  return {
    cert: path(`client/${name}.pem`),
    key: path(`client/${name}.${KEY_SUFFIX[format]}.pem`),
  };
}

export function crlPath(name: CrlName): string {
  return path(`crl/${name}.pem`);
}

export function caCert(name: CaName): string {
  return Deno.readTextFileSync(caPath(name));
}

export function serverCert(name: ServerCertName): CertAndKey {
  return read(serverCertPaths(name));
}

export function clientCert(name: ClientCertName, format: KeyFormat = "pkcs8"): CertAndKey {
  return read(clientCertPaths(name, format));
}

export function crl(name: CrlName): string {
  return Deno.readTextFileSync(crlPath(name));
}

function read({ cert, key }: CertAndKey): CertAndKey {
  return { cert: Deno.readTextFileSync(cert), key: Deno.readTextFileSync(key) };
}

function path(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}

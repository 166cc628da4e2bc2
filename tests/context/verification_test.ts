/**
 * Chains that must not be accepted, told apart by `code` at the client and by the alert at
 * OpenSSL's server; and each option that decides about chains, by its effect.
 */

import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { X509Certificate } from "node:crypto";
import { ClientContext, type ClientContextOptions, connectTls, TlsError } from "../../mod.ts";
import { RESUMED, resumption, visit } from "../interop/visit.ts";
import { type OpensslServerOptions, startOpensslServer, type TlsVersion } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { caCert, crl, serverCert, type ServerCertName, serverCertPaths } from "../testdata/mod.ts";

const openssl = needs("openssl");
const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const EC: ClientContextOptions = { caCerts: [caCert("ec")] };
const EC_CRLS: ClientContextOptions = { ...EC, crls: [crl("ec_revoked")] };

interface Refusal {
  server: OpensslServerOptions;
  client: ClientContextOptions & { serverName?: string };
  code: string;
  alert: string;
  /** What OpenSSL prints of it. */
  printed: RegExp;
}

const leafAlone = () => {
  const { cert, key } = serverCertPaths("via_intermediate");
  return { cert, key };
};

const REFUSALS: Record<string, Refusal> = {
  "another root": {
    server: { cert: "other_ca" },
    client: EC,
    code: "ERR_TLS_CERT_UNKNOWN_ISSUER",
    alert: "unknown_ca",
    printed: /alert unknown ca/,
  },
  "no root but the default ones": {
    server: { cert: "ec_p256" },
    client: {},
    code: "ERR_TLS_CERT_UNKNOWN_ISSUER",
    alert: "unknown_ca",
    printed: /alert unknown ca/,
  },
  "an intermediate missing": {
    server: { cert: leafAlone() },
    client: EC,
    code: "ERR_TLS_CERT_UNKNOWN_ISSUER",
    alert: "unknown_ca",
    printed: /alert unknown ca/,
  },
  "another name in the certificate": {
    server: { cert: "wrong_name" },
    client: EC,
    code: "ERR_TLS_CERT_NAME_MISMATCH",
    alert: "bad_certificate",
    printed: /alert bad certificate/,
  },
  "another name asked for": {
    server: { cert: "ec_p256" },
    client: { ...EC, serverName: "a.example" },
    code: "ERR_TLS_CERT_NAME_MISMATCH",
    alert: "bad_certificate",
    printed: /alert bad certificate/,
  },
  "another address asked for": {
    server: { cert: "ec_p256" },
    client: { ...EC, serverName: "192.0.2.1" },
    code: "ERR_TLS_CERT_NAME_MISMATCH",
    alert: "bad_certificate",
    printed: /alert bad certificate/,
  },
  "an expired certificate": {
    server: { cert: "expired" },
    client: EC,
    code: "ERR_TLS_CERT_EXPIRED",
    alert: "certificate_expired",
    printed: /alert certificate expired/,
  },
  "a certificate of the future": {
    server: { cert: "not_yet_valid" },
    client: EC,
    code: "ERR_TLS_CERT_NOT_YET_VALID",
    alert: "certificate_expired",
    printed: /alert certificate expired/,
  },
  "a revoked certificate": {
    server: { cert: "revoked" },
    client: EC_CRLS,
    code: "ERR_TLS_CERT_REVOKED",
    alert: "certificate_revoked",
    printed: /alert certificate revoked/,
  },
  "no revocation list of the issuer": {
    server: { cert: "ec_p256" },
    client: { ...EC, crls: [crl("intermediate_empty")] },
    code: "ERR_TLS_CERT_INVALID",
    alert: "unknown_ca",
    printed: /alert unknown ca/,
  },
  "a pin of another key": {
    server: { cert: "ec_p256" },
    client: { ...EC, pinnedKeys: [pinOf("ec_p384")] },
    code: "ERR_TLS_CERT_INVALID",
    alert: "access_denied",
    printed: /alert access denied/,
  },
  "a pin of the intermediate only": {
    server: { cert: "via_intermediate" },
    client: { ...EC, pinnedKeys: [pinOfPem(caCert("intermediate"))] },
    code: "ERR_TLS_CERT_INVALID",
    alert: "access_denied",
    printed: /alert access denied/,
  },
  "a callback that says no": {
    server: { cert: "ec_p256" },
    client: { ...EC, verify: () => false },
    code: "ERR_TLS_CERT_INVALID",
    alert: "access_denied",
    printed: /alert access denied/,
  },
};

function pinOfPem(pem: string): string {
  const spki = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  return `sha256/${new Bun.CryptoHasher("sha256").update(spki).digest("base64")}`;
}

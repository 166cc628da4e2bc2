/**
 * Chains that must not be accepted, told apart by `code` at the client and by the alert at
 * OpenSSL's server; and each option that decides about chains, by its effect.
 */

import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { ClientContext, type ClientContextOptions, connectTls, TlsError } from "../../mod.ts";
import { RESUMED, resumption, visit } from "../interop/visit.ts";
import {
  type OpensslServerOptions,
  startOpensslServer,
  type TlsVersion,
} from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import {
  caCert,
  clientCert,
  crl,
  serverCert,
  type ServerCertName,
  serverCertPaths,
} from "../testdata/mod.ts";
import { pinOf } from "./pin.ts";

const openssl = needs("openssl");
const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const EC: ClientContextOptions = { caCerts: [caCert("ec")] };
const EC_CRLS: ClientContextOptions = { ...EC, crls: [crl("ec_revoked")] };

interface Refusal {
  server: OpensslServerOptions;
  client: ClientContextOptions & { serverName?: string };
  code: string;
  alert: string;
  /** `peer` if not given. */
  origin?: "local";
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
    client: { ...EC, pinnedKeys: [pinOf(serverCert("ec_p384").cert)] },
    code: "ERR_TLS_CERT_INVALID",
    alert: "access_denied",
    printed: /alert access denied/,
  },
  "a pin of the intermediate only": {
    server: { cert: "via_intermediate" },
    client: { ...EC, pinnedKeys: [pinOf(caCert("intermediate"))] },
    code: "ERR_TLS_CERT_INVALID",
    alert: "access_denied",
    printed: /alert access denied/,
  },
  "a callback that says no": {
    server: { cert: "ec_p256" },
    client: { ...EC, verify: () => false },
    code: "ERR_TLS_CERT_INVALID",
    alert: "access_denied",
    origin: "local",
    printed: /alert access denied/,
  },
};

for (const version of VERSIONS) {
  for (
    const [what, { server: options, client, code, alert, origin = "peer", printed }] of Object
      .entries(REFUSALS)
  ) {
    Deno.test(`${what}: ${code}, and an alert at OpenSSL, ${version}`, openssl, async () => {
      await using server = await startOpensslServer({ ...options, version, www: "www" });
      const connecting = () => connectTls({ hostname: "localhost", port: server.port, ...client });
      const error = await assertRejects(connecting, TlsError);
      assertEquals([error.code, error.origin, error.alert], [code, origin, alert]);
      assert(error.message.length > 10 && !error.message.endsWith("."), error.message);
      await server.waitForLog(printed);
      assertFalse(/alert close notify/i.test(server.log()));
    });
  }

  Deno.test(`a server that was refused serves the next client, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    for (let i = 0; i < 3; i++) {
      const refusing = () => visit({ port: server.port, caCerts: [caCert("other")] });
      await assertRejects(refusing, TlsError);
      const good = await visit({ port: server.port, ...EC });
      assertEquals(good.reusedAtServer, false);
    }
  });

  Deno.test(
    `a chain is verified before the client's certificate goes out, ${version}`,
    openssl,
    async () => {
      await using server = await startOpensslServer({
        version,
        www: "www",
        cert: "other_ca",
        clientAuth: true,
      });
      const client = { ...EC, ...clientCert("ec") };
      const connecting = () => connectTls({ hostname: "localhost", port: server.port, ...client });
      const error = await assertRejects(connecting, TlsError);
      assertEquals(error.code, "ERR_TLS_CERT_UNKNOWN_ISSUER");
      await server.waitForLog(/alert unknown ca/);
      assertFalse(/^depth=0 /m.test(server.log()), "OpenSSL prints the chain that it verifies");
    },
  );
}

/** What is accepted, next to what is refused above. */
const ACCEPTED: Record<string, [OpensslServerOptions, ClientContextOptions]> = {
  "its root among others": [{}, { caCerts: [caCert("other"), caCert("rsa"), caCert("ec")] }],
  "its root in a bundle": [{}, { caCerts: [caCert("ec_and_rsa")] }],
  "its root beside the default ones": [{}, { ...EC, defaultRoots: true }],
  "an intermediate sent along": [{ cert: "via_intermediate" }, EC],
  "an intermediate as a root": [{ cert: leafAlone() }, { caCerts: [caCert("intermediate")] }],
  "a certificate that no list has": [{}, EC_CRLS],
  "a list for every issuer": [
    { cert: "via_intermediate" },
    { ...EC, crls: [`${crl("intermediate_empty")}${crl("ec_empty")}`] },
  ],
  "a revoked certificate where nobody looks": [{ cert: "revoked" }, EC],
  "a revoked certificate under an older list": [
    { cert: "revoked" },
    { ...EC, crls: [crl("ec_empty")] },
  ],
  "the pin of its key": [{}, { ...EC, pinnedKeys: [pinOf(serverCert("ec_p256").cert)] }],
  "the pin of its key among others": [{}, {
    ...EC,
    pinnedKeys: [pinOf(serverCert("ec_p384").cert), pinOf(serverCert("ec_p256").cert)],
  }],
  "the pin of its key, and a renewed certificate": [
    { cert: "ec_p256_renewed" },
    { ...EC, pinnedKeys: [pinOf(serverCert("ec_p256").cert)] },
  ],
  "another name where names are not verified": [
    { cert: "wrong_name" },
    { ...EC, dangerDisableHostnameVerification: true },
  ],
  "another root where nothing is verified": [
    { cert: "other_ca" },
    { dangerDisableVerification: true },
  ],
  "an expired certificate where nothing is verified": [
    { cert: "expired" },
    { dangerDisableVerification: true },
  ],
  "another name where nothing is verified": [
    { cert: "wrong_name" },
    { ...EC, dangerDisableVerification: true },
  ],
};

for (const [what, [options, client]] of Object.entries(ACCEPTED)) {
  Deno.test(`a chain is accepted, and resumed: ${what}`, openssl, async () => {
    await using server = await startOpensslServer({ ...options, www: "www" });
    const context = new ClientContext(client);
    const first = await visit({ port: server.port, context });
    assertEquals(first.reusedAtServer, false);
    const second = await visit({ port: server.port, context, session: first.session });
    assertEquals(resumption(second), RESUMED);
  });
}

/** Verification that is weakened in one point stays what it was in all others. */
const STILL_REFUSED: Record<string, [ServerCertName, ClientContextOptions, string]> = {
  "another root, without names": [
    "other_ca",
    { ...EC, dangerDisableHostnameVerification: true },
    "ERR_TLS_CERT_UNKNOWN_ISSUER",
  ],
  "an expired certificate, without names": [
    "expired",
    { ...EC, dangerDisableHostnameVerification: true },
    "ERR_TLS_CERT_EXPIRED",
  ],
  "a revoked certificate, without names": [
    "revoked",
    { ...EC_CRLS, dangerDisableHostnameVerification: true },
    "ERR_TLS_CERT_REVOKED",
  ],
  "another pin, without names": [
    "wrong_name",
    {
      ...EC,
      pinnedKeys: [pinOf(serverCert("ec_p256").cert)],
      dangerDisableHostnameVerification: true,
    },
    "ERR_TLS_CERT_INVALID",
  ],
  "another pin, without verification": [
    "other_ca",
    { dangerDisableVerification: true, pinnedKeys: [pinOf(serverCert("ec_p256").cert)] },
    "ERR_TLS_CERT_INVALID",
  ],
  "a callback's no, without verification": [
    "other_ca",
    { dangerDisableVerification: true, verify: () => false },
    "ERR_TLS_CERT_INVALID",
  ],
};

for (const [what, [cert, client, code]] of Object.entries(STILL_REFUSED)) {
  Deno.test(`${what}: refused all the same, ${code}`, openssl, async () => {
    await using server = await startOpensslServer({ cert, www: "www" });
    const connecting = () => connectTls({ hostname: "localhost", port: server.port, ...client });
    const error = await assertRejects(connecting, TlsError);
    assertEquals(error.code, code);
  });
}

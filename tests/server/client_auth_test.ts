/**
 * Whom a server lets in: clients with a certificate under its authorities, where it wants one, and
 * whom the `verify` callback takes. Who is not let in is told by an alert.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ServerContextOptions, TlsError, type VerifyClientInput } from "../../mod.ts";
import { bounded } from "../interop/visit.ts";
import { caCert, clientCert, type ClientCertName, crl, serverCert } from "../testdata/mod.ts";
import { clientDer } from "./certificates.ts";
import { connectTo, VERSIONS, visitAt, type VisitAtOptions } from "./client.ts";
import { serve } from "./in_process.ts";

const CERT = serverCert("ec_p256");
const AUTHORITIES = { caCerts: [caCert("ec"), caCert("rsa")] };

/** The client is told the alert, the server the code. */
async function assertRefused(
  options: ServerContextOptions,
  client: VisitAtOptions,
  alert: string,
  code: string,
): Promise<Error> {
  await using server = await serve(options);
  const error = await assertRejects(async () => {
    await using conn = await connectTo(server, client);
    // On TLS 1.3 the client is ready before the server has seen its certificate.
    await bounded(conn.read(new Uint8Array(1)), "the refusal");
  }, TlsError);
  assertEquals([error.code, error.alert], ["ERR_TLS_ALERT_RECEIVED", alert]);
  await server.failed(1);
  const [failure] = server.errors;
  assertEquals([failure.code, failure.alert], [code, alert]);
  assertEquals([server.errors.length, server.reports.length], [1, 0]);
  return failure;
}

for (const version of VERSIONS) {
  for (const clientAuth of ["optional", "required"] as const) {
    const options = { ...CERT, ...AUTHORITIES, clientAuth };

    for (const name of ["ec", "rsa"] as const) {
      Deno.test(`clientAuth ${clientAuth}: the chain of ${name} is there, ${version}`, async () => {
        await using server = await serve(options);
        const seen = await visitAt(server, { version, ...clientCert(name) });
        assertEquals(seen.server.peer, [clientDer(name)]);
      });
    }

    for (
      const [name, alert, code] of [
        ["other_ca", "unknown_ca", "ERR_TLS_CERT_UNKNOWN_ISSUER"],
        ["expired", "certificate_expired", "ERR_TLS_CERT_EXPIRED"],
      ] as [ClientCertName, string, string][]
    ) {
      Deno.test(`clientAuth ${clientAuth}: ${name} is refused, ${version}`, async () => {
        await assertRefused(options, { version, ...clientCert(name) }, alert, code);
      });
    }

    Deno.test(`clientAuth ${clientAuth}: a revoked one is refused, ${version}`, async () => {
      const crls = [crl("ec_revoked")];
      const revoked = { version, ...clientCert("revoked") };
      await assertRefused(
        { ...options, crls },
        revoked,
        "certificate_revoked",
        "ERR_TLS_CERT_REVOKED",
      );
      await using server = await serve({ ...options, crls: [crl("ec_empty")] });
      assertEquals((await visitAt(server, revoked)).server.peer.length, 1);
    });
  }

  Deno.test(`clientAuth optional: nobody need have a certificate, ${version}`, async () => {
    await using server = await serve({ ...CERT, ...AUTHORITIES, clientAuth: "optional" });
    assertEquals((await visitAt(server, { version })).server.peer, []);
  });

  Deno.test(`clientAuth required: nobody comes in without, ${version}`, async () => {
    // RFC 8446 §4.4.2.4; TLS 1.2 has no alert of its own for it.
    const options = { ...CERT, ...AUTHORITIES, clientAuth: "required" } as const;
    const alert = version === "TLSv1.3" ? "certificate_required" : "handshake_failure";
    await using server = await serve(options);
    const error = await assertRejects(async () => {
      await using conn = await connectTo(server, { version });
      await bounded(conn.read(new Uint8Array(1)), "the refusal");
    }, TlsError);
    assertEquals(error.code, "ERR_TLS_ALERT_RECEIVED");
    assert([alert, "certificate_required"].includes(error.alert!), error.alert);
    await server.failed(1);
    assertEquals(server.reports, []);
  });

  Deno.test(`clientAuth none: no certificate is asked for, ${version}`, async () => {
    await using server = await serve(CERT);
    assertEquals((await visitAt(server, { version, ...clientCert("ec") })).server.peer, []);
  });

  Deno.test(`verify is asked about a chain that verified, and lets in, ${version}`, async () => {
    const asked: VerifyClientInput[] = [];
    await using server = await serve({
      ...CERT,
      ...AUTHORITIES,
      clientAuth: "optional",
      async verify(input) {
        asked.push(input);
        await new Promise((resolve) => setTimeout(resolve, 5));
        return true;
      },
    });
    await visitAt(server, { version, ...clientCert("rsa") });
    await visitAt(server, { version });
    assertEquals(
      asked.map(({ peerCertificates, ...input }) => [
        peerCertificates.map((der) => der.toHex()),
        input,
      ]),
      [[[clientDer("rsa")], { serverName: "localhost", resumed: false }]],
    );
  });

  for (
    const [what, verify] of [
      ["says no", () => false],
      ["says no later", () => Promise.resolve(false)],
      ["throws", () => {
        throw new Error("as it was told");
      }],
      ["rejects", () => Promise.reject(new Error("as it was told"))],
    ] satisfies [string, ServerContextOptions["verify"]][]
  ) {
    Deno.test(`verify that ${what} keeps the client out, ${version}`, async () => {
      const failure = await assertRefused(
        { ...CERT, ...AUTHORITIES, clientAuth: "required", verify },
        { version, ...clientCert("ec") },
        "access_denied",
        "ERR_TLS_CERT_INVALID",
      );
      const cause = failure.cause as Error | undefined;
      assertEquals(cause?.message, /throws|rejects/.test(what) ? "as it was told" : undefined);
    });
  }

  Deno.test(`verify is not asked about a chain that does not verify, ${version}`, async () => {
    let asked = 0;
    const verify = () => ++asked > 0;
    await assertRefused(
      { ...CERT, ...AUTHORITIES, clientAuth: "optional", verify },
      { version, ...clientCert("other_ca") },
      "unknown_ca",
      "ERR_TLS_CERT_UNKNOWN_ISSUER",
    );
    assertEquals(asked, 0);
  });
}

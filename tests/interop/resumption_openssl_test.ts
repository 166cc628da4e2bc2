/**
 * The main promise: process 1 keeps a session's bytes and ends; process 2, new, resumes, and
 * OpenSSL's server says so. On both versions, every kind of key at the server, and every kind and
 * encoding of the client's.
 */

import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { startOpensslServer, type TlsVersion } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import {
  caCert,
  clientCert,
  type ClientCertName,
  type KeyFormat,
  type ServerCertName,
} from "../testdata/mod.ts";
import { full, RESUMED, resumption, visitInNewProcess } from "./visit.ts";

const openssl = needs("openssl");
const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];

interface Client {
  name: string;
  cert?: [ClientCertName, KeyFormat];
}

const CLIENTS: Client[] = [
  { name: "no client certificate" },
  { name: "an EC client certificate, PKCS#8", cert: ["ec", "pkcs8"] },
  { name: "an EC client certificate, SEC1", cert: ["ec", "sec1"] },
  { name: "an RSA client certificate, PKCS#8", cert: ["rsa", "pkcs8"] },
  { name: "an RSA client certificate, PKCS#1", cert: ["rsa", "pkcs1"] },
];

async function resumesInNewProcess(
  version: TlsVersion,
  cert: ServerCertName,
  client: Client,
): Promise<void> {
  await using server = await startOpensslServer({
    version,
    cert,
    www: "www",
    clientAuth: client.cert !== undefined,
  });
  const options = {
    port: server.port,
    caCerts: [caCert(cert.startsWith("rsa") ? "rsa" : "ec")],
    ...(client.cert && clientCert(...client.cert)),
  };
  const first = await visitInNewProcess(options);
  assertEquals(resumption(first), full());
  assert(first.session, "process 1 has a session");
  const second = await visitInNewProcess({ ...options, session: first.session });
  assertEquals(resumption(second), RESUMED);
  assertNotEquals(first.pid, second.pid);
  // OpenSSL sends the root along where it was given one, to verify clients with.
  const chain = cert === "via_intermediate" || client.cert ? 2 : 1;
  for (const { info, page, chainLength } of [first, second]) {
    assertEquals([info.protocol, chainLength], [version, chain]);
    assertMatch(page, client.cert ? /^Client certificate$/m : /^no client certificate available$/m);
  }
  assertEquals([first.info.resumed, second.info.resumed], [false, true]);
  assertEquals(first.info.cipherSuite, second.info.cipherSuite);
}

for (const version of VERSIONS) {
  for (const cert of ["ec_p256", "rsa_2048"] as const) {
    for (const client of CLIENTS) {
      const name = `process 2 resumes at OpenSSL, ${version}, ${cert}, ${client.name}`;
      Deno.test(name, openssl, () => resumesInNewProcess(version, cert, client));
    }
  }
  for (const cert of ["ec_p384", "ed25519", "via_intermediate"] as const) {
    const name = `process 2 resumes at OpenSSL, ${version}, ${cert}`;
    Deno.test(name, openssl, () => resumesInNewProcess(version, cert, CLIENTS[0]));
  }
}

Deno.test(
  "process 2 resumes a TLS 1.2 session that the server keeps under an id",
  openssl,
  async () => {
    await using server = await startOpensslServer({
      version: "TLSv1.2",
      www: "www",
      args: ["-no_ticket"],
    });
    const options = { port: server.port, caCerts: [caCert("ec")] };
    const first = await visitInNewProcess(options);
    const second = await visitInNewProcess({ ...options, session: first.session });
    const third = await visitInNewProcess({ ...options, session: second.session });
    assertEquals([first, second, third].map(resumption), [full(), RESUMED, RESUMED]);
  },
);

for (const version of VERSIONS) {
  Deno.test(`processes resume one after the other, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    const options = { port: server.port, caCerts: [caCert("ec")] };
    const seen = [];
    let session: string | null = null;
    for (let i = 0; i < 4; i++) {
      const result = await visitInNewProcess({ ...options, session });
      seen.push(resumption(result));
      session = result.session;
    }
    assertEquals(seen, [full(), RESUMED, RESUMED, RESUMED]);
  });
}

/**
 * The attacker as an honest server, against OpenSSL and Go: what it does by hand is TLS.
 */

import { assert, assertEquals } from "@std/assert";
import { buildGoPeers } from "../../peers/go.ts";
import { opensslClient, type OpensslClientOptions } from "../../peers/openssl.ts";
import { needs } from "../../skips.ts";
import { clientCertPaths, serverCert } from "../../testdata/mod.ts";
import {
  ascii,
  CIPHER_SUITES,
  Credential,
  listen,
  type Server,
  type ServerListener,
  type ServerOptions,
  VERSIONS,
} from "./mod.ts";

Deno.test.sanitizer({ ops: true, resources: true });

/** Takes one client, reads `question`, answers it, and ends. */
async function serveOne(listener: ServerListener, options: ServerOptions): Promise<Server> {
  const server = await listener.accept(options);
  await server.handshake();
  await server.receiveData("question\n".length);
  await server.send(server.data(ascii("answer\n")));
  await server.bye();
  return server;
}

/** One run of s_client, which asks and is answered. */
async function visit(
  listener: ServerListener,
  options: ServerOptions,
  client: Partial<OpensslClientOptions> = {},
): Promise<{ server: Server; reused: boolean; protocol: string; cipher: string }> {
  const [server, result] = await Promise.all([
    serveOne(listener, options),
    opensslClient({ port: listener.port, stdin: "question\n", until: /^answer$/m, ...client }),
  ]);
  assert(result.stdout.includes("answer"), result.stdout + result.stderr);
  const [{ reused, protocol, cipher }] = result.handshakes;
  return { server, reused, protocol, cipher };
}

/** Twice: fully, then with the session of the first time. */
async function visitTwice(
  options: ServerOptions,
  client: Partial<OpensslClientOptions> = {},
): Promise<{ server: Server; reused: boolean; protocol: string; cipher: string }> {
  const file = await Deno.makeTempFile();
  await using listener = await listen();
  const shared = { sessions: [], ...options };
  try {
    const first = await visit(listener, shared, { ...client, sessOut: file });
    assertEquals([first.server.resumed, first.reused], [false, false]);
    return await visit(listener, shared, { ...client, sessIn: file });
  } finally {
    await Deno.remove(file);
  }
}

for (const { name, code, version, auth } of CIPHER_SUITES) {
  Deno.test(`${name}: OpenSSL shakes hands, fully and resuming`, needs("openssl"), async () => {
    const credential = new Credential(serverCert(auth === "rsa" ? "rsa_2048" : "ec_p256"));
    const again = await visitTwice({ versions: [version], suites: [code], credential });
    assertEquals([again.server.resumed, again.reused, again.protocol], [true, true, version]);
  });
}

for (const version of VERSIONS) {
  const versions = [version];

  Deno.test(`${version}: OpenSSL exchanges keys over P-256`, needs("openssl"), async () => {
    await using listener = await listen();
    await visit(listener, { versions, groups: ["secp256r1"] }, { args: ["-groups", "P-256"] });
  });

  Deno.test(`${version}: OpenSSL proves its certificate`, needs("openssl"), async () => {
    await using listener = await listen();
    const options = { versions, certificateRequest: true };
    const { server } = await visit(listener, options, { cert: clientCertPaths("ec") });
    // Certificate, CertificateVerify.
    assert(server.messages.includes(11) && server.messages.includes(15));
  });

  for (const name of ["ed25519", "ec_p384"] as const) {
    Deno.test(`${version}: OpenSSL takes the certificate ${name}`, needs("openssl"), async () => {
      await using listener = await listen();
      await visit(listener, { versions, credential: new Credential(serverCert(name)) });
    });
  }

  Deno.test(`${version}: Go shakes hands, fully and resuming`, needs("go"), async () => {
    const go = await buildGoPeers();
    const folder = await Deno.makeTempDir();
    const session = `${folder}/session`;
    await using listener = await listen();
    const options = { versions, sessions: [] };
    const seen: [boolean, boolean][] = [];
    try {
      for (let visits = 0; visits < 2; visits++) {
        const [server, report] = await Promise.all([
          serveOne(listener, options),
          go.connect({ port: listener.port, session, send: "question\n", until: "answer" }),
        ]);
        assertEquals([report.error, report.body], [undefined, "answer\n"]);
        seen.push([server.resumed, report.resumed]);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
    assertEquals(seen, [[false, false], [true, true]]);
  });
}

for (const extendedMasterSecret of [true, false]) {
  for (const sessionIds of [true, false]) {
    const how = sessionIds ? "session id" : "ticket";
    const ems = extendedMasterSecret ? "with" : "without";
    const name = `TLSv1.2: OpenSSL resumes by ${how} ${ems} extended_master_secret`;
    Deno.test(name, needs("openssl"), async () => {
      const options = { versions: ["TLSv1.2"] as const, extendedMasterSecret, sessionIds };
      const again = await visitTwice(options);
      assertEquals([again.server.resumed, again.reused], [true, true]);
    });
  }
}

Deno.test("TLSv1.3: OpenSSL follows a HelloRetryRequest", needs("openssl"), async () => {
  await using listener = await listen();
  const { protocol } = await visit(listener, {
    versions: ["TLSv1.3"],
    groups: ["secp256r1"],
    retry: { group: "secp256r1" },
  });
  assertEquals(protocol, "TLSv1.3");
});

Deno.test("TLSv1.3: early data of OpenSSL is read", needs("openssl"), async () => {
  const { server } = await visitTwice(
    { versions: ["TLSv1.3"], maxEarlyData: 1000 },
    { earlyData: "early", stdin: "question\n" },
  );
  assertEquals(new TextDecoder().decode(server.earlyData), "early");
});

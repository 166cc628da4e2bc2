/**
 * The attacker as an honest client, against OpenSSL and Go: what it does by hand is TLS.
 */

import { assertEquals } from "@std/assert";
import { buildGoPeers, goServerReport } from "../../peers/go.ts";
import {
  type OpensslServer,
  type OpensslServerOptions,
  startOpensslServer,
} from "../../peers/openssl.ts";
import { needs } from "../../skips.ts";
import { clientCert, serverCertPaths } from "../../testdata/mod.ts";
import {
  ascii,
  CIPHER_SUITES,
  Client,
  type ClientOptions,
  Credential,
  type Session,
  VERSIONS,
} from "./mod.ts";

Deno.test.sanitizer({ ops: true, resources: true });

/** A handshake, a line that comes back reversed, and an end. Sessions that came are returned. */
async function visit(server: { port: number }, options: ClientOptions): Promise<Client> {
  await using client = await Client.connect(server.port, options);
  await client.handshake();
  await client.send(client.data(ascii("desserts\n")));
  assertEquals(new TextDecoder().decode(await client.receiveData(9)), "stressed\n");
  // OpenSSL in this mode ends when it is told to, and then waits for the client to do so.
  await client.send(client.data(ascii("CLOSE\n")));
  assertEquals(await client.bye(), { how: "closed", alert: null, closeNotify: true });
  return client;
}

/** Twice: fully, then with the newest session. */
async function visitTwice(server: { port: number }, options: ClientOptions): Promise<Client> {
  const { sessions, resumed } = await visit(server, options);
  assertEquals(resumed, false);
  return await visit(server, { ...options, sessions: sessions.slice(-1) });
}

function reversing(options: OpensslServerOptions = {}): Promise<OpensslServer> {
  return startOpensslServer({ rev: true, ...options });
}

for (const { name, code, version, auth } of CIPHER_SUITES) {
  Deno.test(`${name}: a full and a resumed handshake at OpenSSL`, needs("openssl"), async () => {
    await using server = await reversing({ version, cert: auth === "rsa" ? "rsa" : "ec" });
    const again = await visitTwice(server, { versions: [version], suites: [code] });
    assertEquals([again.resumed, again.version, again.suite?.code], [true, version, code]);
  });
}

for (const version of VERSIONS) {
  const versions = [version];

  Deno.test(`${version}: a key exchange over P-256 at OpenSSL`, needs("openssl"), async () => {
    await using server = await reversing({ version });
    await visit(server, { versions, groups: ["secp256r1"] });
  });

  // On TLS 1.2 the curve of a certificate must be among the groups, and P-384 is not.
  const certs = version === "TLSv1.2"
    ? ["ed25519", "rsa"] as const
    : ["ed25519", "ec_p384"] as const;
  for (const cert of certs) {
    Deno.test(`${version}: OpenSSL with a certificate ${cert}`, needs("openssl"), async () => {
      await using server = await reversing({ version, cert });
      await visit(server, { versions });
    });
  }

  for (const name of ["ec", "rsa"] as const) {
    Deno.test(`${version}: OpenSSL takes the certificate ${name}`, needs("openssl"), async () => {
      await using server = await reversing({ version, clientAuth: true });
      await visit(server, { versions, credential: new Credential(clientCert(name)) });
    });
  }

  Deno.test(`${version}: byte by byte, in records of a byte`, needs("openssl"), async () => {
    await using server = await reversing({ version });
    // OpenSSL wants the first bytes of a handshake message together.
    const framing = version === "TLSv1.3" ? { fragment: 4, chunk: 1 } : { fragment: 6, chunk: 1 };
    await visitTwice(server, { versions, ...framing });
  });

  Deno.test(`${version}: a full and a resumed handshake at Go`, needs("go"), async () => {
    const go = await buildGoPeers();
    await using server = await go.listen({ cert: serverCertPaths("ec_p256") });
    const ask = async (sessions: Session[]) => {
      await using client = await Client.connect(server.port, { versions, sessions });
      await client.handshake();
      await client.send(client.data(ascii("GET /\n")));
      let answer = "";
      for (let incoming = await client.receive(); incoming.kind !== "end";) {
        if (incoming.kind === "data") answer += new TextDecoder().decode(incoming.bytes);
        incoming = await client.receive();
      }
      return { client, report: goServerReport(answer) };
    };
    const first = await ask([]);
    assertEquals([first.client.resumed, first.report.resumed], [false, false]);
    const second = await ask(first.client.sessions.slice(-1));
    assertEquals([second.client.resumed, second.report.resumed], [true, true]);
  });
}

for (const extendedMasterSecret of [true, false]) {
  for (const how of ["ticket", "session id"]) {
    const ems = extendedMasterSecret ? "with" : "without";
    const name = `TLSv1.2: resumption by ${how} at OpenSSL ${ems} extended_master_secret`;
    Deno.test(name, needs("openssl"), async () => {
      const args = how === "ticket" ? [] : ["-no_ticket"];
      await using server = await reversing({ version: "TLSv1.2", args });
      const again = await visitTwice(server, { versions: ["TLSv1.2"], extendedMasterSecret });
      assertEquals(again.resumed, true);
      const [{ ticket, extendedMasterSecret: agreed }] = again.options.sessions!;
      assertEquals([ticket.length > 0, agreed], [how === "ticket", extendedMasterSecret]);
    });
  }
}

Deno.test("TLSv1.3: a HelloRetryRequest of OpenSSL is answered", needs("openssl"), async () => {
  await using server = await reversing({ version: "TLSv1.3", groups: "P-256" });
  const client = await visitTwice(server, { versions: ["TLSv1.3"] });
  assertEquals([client.retried, client.resumed], [true, true]);
});

Deno.test("TLSv1.3: key updates with OpenSSL in both directions", needs("openssl"), async () => {
  await using server = await reversing({ version: "TLSv1.3" });
  await using client = await Client.connect(server.port, { versions: ["TLSv1.3"] });
  await client.handshake();
  for (const requested of [false, true, true]) {
    await client.send(client.keyUpdate(requested), client.data(ascii("no\n")));
    assertEquals(new TextDecoder().decode(await client.receiveData(3)), "on\n");
  }
  assertEquals(client.messages.filter((type) => type === 24).length, 2);
});

Deno.test("TLSv1.3: OpenSSL takes early data", needs("openssl"), async () => {
  await using server = await startOpensslServer({ version: "TLSv1.3", earlyData: true });
  const first = await Client.connect(server.port, { versions: ["TLSv1.3"] });
  await first.handshake();
  while (first.sessions.length < 2) await first.receive();
  await first.bye();
  const [session] = first.sessions.slice(-1);
  assertEquals(session.maxEarlyData, 16384);
  await using second = await Client.connect(server.port, {
    versions: ["TLSv1.3"],
    sessions: [session],
    earlyData: ascii("it came early\n"),
  });
  await second.handshake();
  await server.waitForLog(/it came early/);
  assertEquals([second.resumed, second.earlyDataAccepted], [true, true]);
  await second.send(second.data(ascii("and late\n")));
  await server.waitForLog(/and late/);
});

Deno.test("TLSv1.3: OpenSSL refuses a wrong binder", needs("openssl"), async () => {
  await using server = await reversing({ version: "TLSv1.3" });
  const { sessions } = await visit(server, { versions: ["TLSv1.3"] });
  await using client = await Client.connect(server.port, {
    versions: ["TLSv1.3"],
    sessions: sessions.slice(-1),
    rewrite(message) {
      message[message.length - 1] ^= 1;
      return message;
    },
  });
  await client.handshake("client_hello");
  assertEquals((await client.readToEnd()).alert, "illegal_parameter");
});

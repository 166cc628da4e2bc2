/**
 * The TLS peers do what they say: they are checked against each other, without Reprise.
 *
 * Rules: a peer that is not installed skips its tests. No test depends on another one.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  caCert,
  caPath,
  clientCertPaths,
  SERVER_CERTS,
  serverCert,
  serverCertPaths,
} from "../testdata/mod.ts";
import { Child } from "./child.ts";
import { startDenoServer } from "./deno_server.ts";
import { gnutlsClient, haveGnutls } from "./gnutls.ts";
import { buildGoPeers, goServerReport, haveGo } from "./go.ts";
import {
  haveOpenssl,
  opensslClient,
  reusedByPage,
  startOpensslServer,
  type TlsVersion,
} from "./openssl.ts";
import { runScript } from "./process.ts";

const GET = "GET / HTTP/1.0\r\n\r\n";
const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];

const noOpenssl = { ignore: !haveOpenssl() };
const noGo = { ignore: !haveOpenssl() || !haveGo() };
const noGnutls = { ignore: !haveOpenssl() || !haveGnutls() };

for (const version of VERSIONS) {
  Deno.test(`s_client resumes at s_server, ${version}`, noOpenssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    await using file = await temporaryFile();
    const first = await opensslClient({ port: server.port, stdin: GET, sessOut: file.path });
    assertEquals(first.code, 0, first.stderr);
    assertEquals(first.handshakes.map(({ protocol }) => protocol), [version]);
    assertEquals([first.reused, reusedByPage(first.stdout)], [false, false]);
    const second = await opensslClient({ port: server.port, stdin: GET, sessIn: file.path });
    assertEquals([second.reused, reusedByPage(second.stdout)], [true, true]);
  });

  Deno.test(`the Go client resumes at s_server in a new process, ${version}`, noGo, async () => {
    const go = await buildGoPeers();
    await using server = await startOpensslServer({ version, www: "www" });
    await using file = await temporaryFile();
    const { port } = server;
    const first = await go.connect({ port, version, session: file.path, send: GET });
    assertEquals(first.error, undefined);
    assertEquals([first.offered, first.resumed, first.saved], [false, false, true]);
    assertEquals(first.version, version.replace("v", " "));
    const second = await go.connect({ port, version, session: file.path, send: GET });
    assertEquals([second.offered, second.resumed], [true, true]);
    assertEquals([reusedByPage(first.body), reusedByPage(second.body)], [false, true]);
  });

  Deno.test(`gnutls-cli resumes at s_server, ${version}`, noGnutls, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    const { port } = server;
    const result = await gnutlsClient({ port, version, resume: true, stdin: GET });
    assertEquals([result.code, result.handshakes, result.resumed], [0, 2, true], result.output);
    assert(reusedByPage(result.output));
    const single = await gnutlsClient({ port, version, stdin: GET });
    assertEquals([single.code, single.handshakes, single.resumed], [0, 1, false], single.output);
  });

  Deno.test(`the Go server tells a resumed session, ${version}`, noGo, async () => {
    const go = await buildGoPeers();
    const ticketKey = "42".repeat(32);
    await using one = await go.listen({ version, ticketKey, alpn: ["h2"] });
    await using two = await go.listen({ version, ticketKey, alpn: ["h2"] });
    await using file = await temporaryFile();
    const session = { session: file.path, send: GET, alpn: ["h2"] };
    const first = goServerReport((await go.connect({ port: one.port, ...session })).body);
    const second = goServerReport((await go.connect({ port: two.port, ...session })).body);
    assertEquals([first.resumed, second.resumed], [false, true]);
    assertEquals([second.alpn, second.serverName, second.client], ["h2", "localhost", ""]);
  });

  Deno.test(`clients resume at Deno's native server, ${version}`, noOpenssl, async () => {
    await using server = await startDenoServer({ answer: "hello" });
    await using file = await temporaryFile();
    const { port } = server;
    const first = await opensslClient({ port, version, stdin: GET, sessOut: file.path });
    assertStringIncludes(first.stdout, "hello\n");
    const second = await opensslClient({ port, version, stdin: GET, sessIn: file.path });
    assertEquals([first.reused, second.reused], [false, true], server.log());
  });

  Deno.test(`s_server demands a client certificate, ${version}`, noGo, async () => {
    const go = await buildGoPeers();
    await using server = await startOpensslServer({ version, www: "www", clientAuth: true });
    const { port } = server;
    await using file = await temporaryFile();
    assert((await go.connect({ port, send: GET })).error);
    const expired = clientCertPaths("expired");
    assert((await go.connect({ port, send: GET, cert: expired })).error);
    const cert = clientCertPaths("ec");
    for (const resumed of [false, true]) {
      const { error, body } = await go.connect({ port, send: GET, cert, session: file.path });
      assertEquals(error, undefined, server.log());
      assertEquals(reusedByPage(body), resumed);
    }
  });
}

Deno.test("s_server serves each certificate of testdata", noOpenssl, async () => {
  const accepted: string[] = [];
  for (const cert of SERVER_CERTS) {
    await using server = await startOpensslServer({ cert, www: "www" });
    const host = cert.endsWith("_example") ? cert.replace("_", ".") : "localhost";
    const args = ["-verify_hostname", host];
    const result = await opensslClient({ port: server.port, stdin: GET, args });
    if (result.code === 0) accepted.push(cert);
  }
  const refused = ["wrong_name", "expired", "not_yet_valid", "other_ca"];
  assertEquals(accepted, SERVER_CERTS.filter((name) => !refused.includes(name)));
});

Deno.test("s_client refuses a certificate on the CRL", noOpenssl, async () => {
  const codes = [];
  for (const crl of ["ec_empty", "ec_revoked"]) {
    await using server = await startOpensslServer({ cert: "revoked", www: "www" });
    const file = caPath("ec").replace("ca/ec.pem", `crl/${crl}.pem`);
    const args = ["-crl_check", "-CRL", file];
    const { code, stderr } = await opensslClient({ port: server.port, stdin: GET, args });
    codes.push(code === 0 ? "accepted" : stderr.match(/certificate revoked/)?.[0]);
  }
  assertEquals(codes, ["accepted", "certificate revoked"]);
});

Deno.test("the plain mode prints what it receives, sends what it is told", noOpenssl, async () => {
  await using server = await startOpensslServer({ alpn: ["h2", "http/1.1"] });
  using conn = await Deno.connectTls({
    hostname: "127.0.0.1",
    port: server.port,
    caCerts: [caCert("ec")],
    alpnProtocols: ["http/1.1"],
  });
  const buffer = new Uint8Array(100);
  assertEquals((await conn.handshake()).alpnProtocol, "http/1.1");
  await conn.write(new TextEncoder().encode("up and away\n"));
  await server.waitForLog(/^up and away$/m);
  await server.write("down it goes\n");
  const length = await conn.read(buffer);
  assertEquals(new TextDecoder().decode(buffer.subarray(0, length!)), "down it goes\n");
  await server.write("Q\n");
  await assertRejects(() => conn.read(buffer), Deno.errors.UnexpectedEof);
});

Deno.test("rev sends lines back reversed", noOpenssl, async () => {
  await using server = await startOpensslServer({ rev: true, version: "TLSv1.3", cert: "rsa" });
  const result = await opensslClient({ port: server.port, stdin: "stressed\n", until: /desserts/ });
  assertEquals([result.code, result.handshakes[0].protocol], [0, "TLSv1.3"]);
});

Deno.test("WWW serves the files of cwd", noOpenssl, async () => {
  const cwd = caPath("ec").replace(/\/ec\.pem$/, "");
  await using server = await startOpensslServer({ www: "WWW", cwd });
  const { port } = server;
  const { stdout } = await opensslClient({ port, stdin: "GET /other.pem HTTP/1.0\r\n\r\n" });
  assertStringIncludes(stdout, caCert("other"));
});

Deno.test("s_server accepts early data once, in plain mode", noOpenssl, async () => {
  await using server = await startOpensslServer({ version: "TLSv1.3", earlyData: 1024 });
  await using file = await temporaryFile();
  const { port } = server;
  await opensslClient({ port, sessOut: file.path, until: "ticket" });
  const outcomes = [];
  for (let i = 0; i < 2; i++) {
    const early = { sessIn: file.path, earlyData: "early bird\n", until: /Early data was/ };
    outcomes.push((await opensslClient({ port, ...early })).earlyData);
  }
  assertEquals(outcomes, ["accepted", "rejected"]);
  await server.waitForLog(/^early bird$/m);
  await server.waitForLog(/^Early data was rejected$/m);
  await assertRejects(() => startOpensslServer({ earlyData: true, www: "www" }), TypeError);
});

Deno.test("s_client reconnects five times with its session", noOpenssl, async () => {
  await using server = await startOpensslServer({ version: "TLSv1.2", www: "www" });
  const { port } = server;
  const { handshakes } = await opensslClient({ port, stdin: GET, args: ["-reconnect"] });
  assertEquals(handshakes.map(({ reused }) => reused), [false, true, true, true, true, true]);
});

Deno.test("Deno's native server echoes, with RSA and ALPN", async () => {
  await using server = await startDenoServer({ cert: "rsa_2048", alpn: ["echo"] });
  using conn = await Deno.connectTls({
    hostname: "127.0.0.1",
    port: server.port,
    caCerts: [caCert("rsa")],
    alpnProtocols: ["echo"],
  });
  assertEquals((await conn.handshake()).alpnProtocol, "echo");
  await conn.write(new TextEncoder().encode("echo?"));
  const buffer = new Uint8Array(100);
  const length = await conn.read(buffer);
  assertEquals(new TextDecoder().decode(buffer.subarray(0, length!)), "echo?");
});

Deno.test("Deno's native server outlives a broken connection", noOpenssl, async () => {
  await using server = await startDenoServer({ cert: serverCert("ec_p384"), answer: "hello" });
  await using broken = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await broken.write(new TextEncoder().encode("this is no TLS\r\n\r\n"));
  await broken.closeWrite();
  const { stdout } = await opensslClient({ port: server.port, stdin: GET });
  assertStringIncludes(stdout, "hello\n");
});

Deno.test("the Go server names the client's certificate", noGo, async () => {
  const go = await buildGoPeers();
  await using server = await go.listen({ clientAuth: true, cert: serverCertPaths("rsa_2048") });
  for (const cert of [clientCertPaths("ec", "sec1"), clientCertPaths("rsa", "pkcs1")]) {
    const { body, error } = await go.connect({ port: server.port, send: GET, cert });
    assertEquals(error, undefined);
    assertStringIncludes(goServerReport(body).client, "Reprise TEST ONLY");
  }
  assert((await go.connect({ port: server.port, send: GET })).error);
});

Deno.test("a script gets its input and answers from another process", async () => {
  const script = new URL("./echo_script.ts", import.meta.url);
  const answer = await runScript<{ input: unknown; args: string[]; pid: number }>(script, {
    args: ["a"],
    input: { text: "ü", list: [1] },
  });
  assertEquals([answer.input, answer.args], [{ text: "ü", list: [1] }, ["a"]]);
  assertNotEquals(answer.pid, Deno.pid);
  await assertRejects(() => runScript(script, { args: ["fail"] }), Error, "as it was told");
  await assertRejects(
    () => runScript(script, { args: ["hang"], timeout: 1_500 }),
    Error,
    "did not end within 1500 ms",
  );
});

Deno.test("a child's waits are bounded, and its output is too", async () => {
  const args = [
    "eval",
    "--no-lock",
    "console.log('x'.repeat(1e6) + 'end'); setInterval(() => {}, 1e6)",
  ];
  await using child = new Child(Deno.execPath(), { args });
  await child.waitForLog(/end$/m);
  assertMatch(child.log().slice(100_000), /\[\d+ characters omitted\]/);
  assert(child.log().length < 300_000);
  await assertRejects(() => child.waitForLog(/never/, 50), Error, "within 50 ms");
  await child.stop();
  await assertRejects(() => child.waitForLog(/never/), Error, "ended before");
});

interface TemporaryFile extends AsyncDisposable {
  path: string;
}

async function temporaryFile(): Promise<TemporaryFile> {
  const path = await Deno.makeTempFile();
  // It does not exist until a peer writes it.
  await Deno.remove(path);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await Deno.remove(path).catch(() => {});
    },
  };
}

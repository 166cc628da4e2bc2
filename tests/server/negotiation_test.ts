/**
 * What client and server agree on: application protocol, version and cipher suite are those of the
 * server's options, and where there is none in common the client is told why.
 */

import { assertEquals, assertMatch } from "@std/assert";
import type { CipherSuite, ServerContextOptions } from "../../mod.ts";
import { CIPHER_SUITES } from "../../src/registry.ts";
import { opensslClient } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { answered } from "./answer.ts";
import { connectTo, resumed, VERSIONS, visitAt, type VisitAtOptions } from "./client.ts";
import { serve } from "./in_process.ts";
import { sharedResumption } from "./shared.ts";

const openssl = needs("openssl");
const CERT = serverCert("ec_p256");
const CA = { caCerts: [caCert("ec")] };

/** Fails at both ends, for the reason that the alert names. */
async function assertNothingInCommon(
  server: ServerContextOptions,
  client: VisitAtOptions,
  alert: string,
): Promise<void> {
  await using listening = await serve(server);
  const error = await connectTo(listening, client).then(() => null, (error) => error);
  assertEquals([error?.code, error?.alert], ["ERR_TLS_ALERT_RECEIVED", alert]);
  await listening.failed(1);
  const [{ code, alert: sent }] = listening.errors;
  assertEquals([code, sent], ["ERR_TLS_PEER_INCOMPATIBLE", alert]);
  assertEquals(listening.context.stats().acceptGood, 0);
}

for (const version of VERSIONS) {
  Deno.test(`ALPN: the server's order decides, ${version}`, async () => {
    await using server = await serve({ ...CERT, alpnProtocols: ["b", "a", "é"] });
    for (
      const [offered, expected] of [
        [["a", "b"], "b"],
        [["a", "c"], "a"],
        [["é"], "é"],
        [[], null],
      ] as [string[], string | null][]
    ) {
      const seen = await visitAt(server, { version, alpnProtocols: offered });
      assertEquals([seen.client.info.alpnProtocol, seen.server.alpn], [expected, expected]);
    }
  });

  Deno.test(`ALPN: none in common gets no_application_protocol, ${version}`, () =>
    assertNothingInCommon(
      { ...CERT, alpnProtocols: ["a"] },
      { version, alpnProtocols: ["b"] },
      "no_application_protocol",
    ));

  Deno.test(`ALPN: a server without it leaves it out, ${version}`, async () => {
    await using server = await serve(CERT);
    const seen = await visitAt(server, { version, alpnProtocols: ["a"] });
    assertEquals([seen.client.info.alpnProtocol, seen.server.alpn], [null, null]);
  });

  Deno.test(`ALPN: a resumed connection agrees anew, ${version}`, openssl, async () => {
    const resumption = await sharedResumption("tickets");
    await using server = await serve({ ...CERT, alpnProtocols: ["a", "b"], resumption });
    const first = await opensslSession(server.port, version, ["a"]);
    assertEquals(first.alpn, "a");
    const second = await opensslSession(server.port, version, ["b"], first.file);
    assertEquals([second.resumed, second.alpn], [true, "b"]);
    await Deno.remove(first.file);
  });

  Deno.test(`a server limited to ${version} takes that one`, async () => {
    await using server = await serve({ ...CERT, minVersion: version, maxVersion: version });
    const seen = await visitAt(server, CA);
    assertEquals([seen.client.info.protocol, seen.server.protocol], [version, version]);
  });

  Deno.test(`a client limited to the other version than ${version} is refused`, () =>
    assertNothingInCommon(
      { ...CERT, minVersion: version, maxVersion: version },
      { version: VERSIONS.find((other) => other !== version) },
      "protocol_version",
    ));
}

async function opensslSession(
  port: number,
  version: typeof VERSIONS[number],
  alpn: string[],
  sessIn?: string,
) {
  const file = sessIn ?? await Deno.makeTempFile();
  const session = sessIn ? { sessIn } : { sessOut: file };
  const result = await opensslClient({ port, version, alpn, stdin: "hello\n", ...session });
  return { file, alpn: answered(result.stdout).alpn, resumed: answered(result.stdout).resumed };
}

Deno.test("by default the newest version is taken", async () => {
  await using server = await serve(CERT);
  assertEquals((await visitAt(server)).server.protocol, "TLSv1.3");
});

Deno.test("versions before 1.2 are refused", openssl, async () => {
  await using server = await serve(CERT);
  for (const flag of ["-tls1_1", "-tls1"]) {
    const args = [flag, "-cipher", "ALL:@SECLEVEL=0"];
    const { stderr, handshakes } = await opensslClient({ port: server.port, args });
    assertEquals(handshakes.length, 0);
    assertMatch(stderr, /alert (protocol version|handshake failure)/);
  }
  await server.failed(2);
  assertEquals(server.errors.map(({ code }) => code), Array(2).fill("ERR_TLS_PEER_INCOMPATIBLE"));
});

const SUITES = Object.keys(CIPHER_SUITES) as CipherSuite[];

for (const suite of SUITES) {
  Deno.test(`a server limited to ${suite} takes that one`, async () => {
    const cert = serverCert(suite.includes("RSA") ? "rsa_2048" : "ec_p256");
    const version = suite.startsWith("TLS_ECDHE") ? "TLSv1.2" : "TLSv1.3";
    const resumption = await sharedResumption("stateful");
    const limits = { minVersion: version, maxVersion: version } as const;
    await using server = await serve({ ...cert, ...limits, cipherSuites: [suite], resumption });
    const first = await visitAt(server, { version });
    assertEquals([first.client.info.cipherSuite, first.server.cipherSuite], [suite, suite]);
    const second = await visitAt(server, { version, session: first.client.session });
    assertEquals([...resumed(second), second.server.cipherSuite], [true, true, suite]);
  });
}

for (
  const [version, ours, theirs] of [
    ["TLSv1.3", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"],
    [
      "TLSv1.2",
      "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
      "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ],
  ] as const
) {
  Deno.test(`no cipher suite in common gets handshake_failure, ${version}`, () =>
    assertNothingInCommon(
      { ...CERT, minVersion: version, maxVersion: version, cipherSuites: [ours] },
      { version, cipherSuites: [theirs] },
      "handshake_failure",
    ));
}

for (const version of VERSIONS) {
  Deno.test(`keyLog gets what the client's gets, ${version}`, async () => {
    const lines: Record<"client" | "server", string[]> = { client: [], server: [] };
    const resumption = await sharedResumption("stateful");
    const keyLog = (line: string) => void lines.server.push(line);
    await using server = await serve({ ...CERT, resumption, keyLog });
    const options = { version, keyLog: (line: string) => void lines.client.push(line) };
    const { client } = await visitAt(server, options);
    assertEquals(resumed(await visitAt(server, { ...options, session: client.session })), [
      true,
      true,
    ]);
    const labels = version === "TLSv1.2" ? ["CLIENT_RANDOM"] : [
      "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
      "CLIENT_TRAFFIC_SECRET_0",
      "EXPORTER_SECRET",
      "SERVER_HANDSHAKE_TRAFFIC_SECRET",
      "SERVER_TRAFFIC_SECRET_0",
    ];
    // A server derives the key of early data for each session it takes up; a client sends some.
    const early = /^CLIENT_EARLY_TRAFFIC_SECRET/;
    const unique = (each: string[]) =>
      [...new Set(each)].filter((line) => !early.test(line)).sort();
    assertEquals(unique(lines.server.map((line) => line.split(" ")[0])), labels);
    assertEquals(unique(lines.server), unique(lines.client));
    assertEquals(unique(lines.server).length, 2 * labels.length);
    for (const line of lines.server) assertMatch(line, /^[A-Z0-9_]+ [0-9a-f]{64} ([0-9a-f]{2})+$/);
  });
}

Deno.test("a keyLog callback that throws ends nothing", async () => {
  await using server = await serve({
    ...CERT,
    keyLog() {
      throw new Error("disk full");
    },
  });
  assertEquals(resumed(await visitAt(server, CA)), [false, false]);
  assertEquals(server.errors, []);
});

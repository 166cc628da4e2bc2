/**
 * Every cipher suite and every group, one at a time and under a HelloRetryRequest: full and
 * resumed in a new process, by OpenSSL's own word.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type CipherSuite, ClientContext, type KeyExchangeGroup, Session } from "../../mod.ts";
import { CIPHER_SUITES } from "../../src/registry.ts";
import { startOpensslServer, type TlsVersion } from "../peers/openssl.ts";
import { startTcpProxy } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";
import { clientHellos, retries } from "./hello.ts";
import { full, RESUMED, resumption, visit, visitInNewProcess } from "./visit.ts";

const openssl = needs("openssl");

/** With OpenSSL's name of each. */
const SUITES: [CipherSuite, string][] = [
  ["TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"],
  ["TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"],
  ["TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"],
  ["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"],
  ["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"],
  ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"],
  ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"],
  ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"],
  ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"],
];

Deno.test("the tests below are of every suite", () => {
  assertEquals(SUITES.map(([suite]) => suite).sort(), Object.keys(CIPHER_SUITES).sort() as never);
});

for (const [suite, opensslName] of SUITES) {
  Deno.test(`${suite} alone connects, and resumes in a new process`, openssl, async () => {
    const cert = suite.includes("_RSA_") ? "rsa" : "ec";
    await using server = await startOpensslServer({ cert, www: "www" });
    const options = { port: server.port, caCerts: [caCert(cert)], cipherSuites: [suite] };
    const first = await visitInNewProcess(options);
    const second = await visitInNewProcess({ ...options, session: first.session });
    assertEquals([first, second].map(resumption), [full(), RESUMED]);
    for (const { info, page } of [first, second]) {
      assertEquals(info.cipherSuite, suite);
      assertStringIncludes(page, `Cipher is ${opensslName}\n`);
    }
    assertEquals(Session.fromBytes(Uint8Array.fromHex(first.session!)).cipherSuite, suite);
  });
}

interface Group {
  group: KeyExchangeGroup;
  opensslName: string;
  /** Whether TLS 1.3 needs a HelloRetryRequest: the client sends a share of its first group. */
  retried: number;
}

const GROUPS: Group[] = [
  { group: "x25519", opensslName: "X25519", retried: 0 },
  { group: "secp256r1", opensslName: "P-256", retried: 1 },
  { group: "secp384r1", opensslName: "P-384", retried: 1 },
];

for (const { group, opensslName, retried } of GROUPS) {
  const how = retried ? "by a HelloRetryRequest" : "at once";
  Deno.test(`TLS 1.3 agrees on ${group} ${how}, and so does resumption`, openssl, async () => {
    await using server = await startOpensslServer({
      version: "TLSv1.3",
      www: "www",
      groups: opensslName,
    });
    await using proxy = startTcpProxy({ targetPort: server.port });
    const options = { port: proxy.port, caCerts: [caCert("ec")] };
    const first = await visitInNewProcess(options);
    const second = await visitInNewProcess({ ...options, session: first.session });
    assertEquals([first, second].map(resumption), [full(), RESUMED]);
    assertEquals([first, second].map(({ info }) => info.keyExchangeGroup), [group, group]);
    const seen = proxy.connections.map((each) => retries(each.fromServer()));
    assertEquals(seen, [retried, retried], "HelloRetryRequests");
    const hellos = proxy.connections.map((each) => clientHellos(each.fromClient()));
    assertEquals(hellos.map((each) => each.length), [1 + retried, 1 + retried]);
    assertEquals(hellos.map((each) => each.every((h) => h.extensions.has(41))), [false, true]);
  });

  Deno.test(`TLS 1.2 agrees on ${group}; a resumed handshake has none`, openssl, async () => {
    await using server = await startOpensslServer({
      version: "TLSv1.2",
      www: "www",
      groups: opensslName,
      cert: "rsa",
    });
    const options = { port: server.port, caCerts: [caCert("rsa")] };
    const first = await visitInNewProcess(options);
    const second = await visitInNewProcess({ ...options, session: first.session });
    assertEquals([first, second].map(resumption), [full(), RESUMED]);
    assertEquals([first, second].map(({ info }) => info.keyExchangeGroup), [group, null]);
  });
}

Deno.test(
  "a context remembers a server's group: its second connection needs no retry",
  openssl,
  async () => {
    await using server = await startOpensslServer({
      version: "TLSv1.3",
      www: "www",
      groups: "P-384",
    });
    await using proxy = startTcpProxy({ targetPort: server.port });
    const context = new ClientContext({ caCerts: [caCert("ec")] });
    const first = await visit({ port: proxy.port, context });
    const second = await visit({ port: proxy.port, context, session: first.session });
    const third = await visit({ port: proxy.port, context });
    assertEquals([first, second, third].map(resumption), [full(), RESUMED, full()]);
    assertEquals(proxy.connections.map((each) => retries(each.fromServer())), [1, 0, 0]);
  },
);

const PREFERENCES: [TlsVersion, "ciphersuites" | "ciphers", string, CipherSuite][] = [
  ["TLSv1.3", "ciphersuites", "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"],
  ["TLSv1.3", "ciphersuites", "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"],
  [
    "TLSv1.2",
    "ciphers",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  ],
];

for (const [version, option, preferred, suite] of PREFERENCES) {
  Deno.test(`a session of ${suite} is offered with its own suite first`, openssl, async () => {
    // The server prefers it, the client does not: its order is the one of the engine's speed.
    await using server = await startOpensslServer({
      version,
      www: "www",
      args: ["-serverpref"],
      [option]: `${preferred}:TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-CHACHA20-POLY1305`,
    });
    await using proxy = startTcpProxy({ targetPort: server.port });
    const context = new ClientContext({ caCerts: [caCert("ec")] });
    const first = await visit({ port: proxy.port, context });
    const second = await visit({ port: proxy.port, context, session: first.session });
    const third = await visit({ port: proxy.port, context });
    assertEquals([first, second, third].map(resumption), [full(), RESUMED, full()]);
    assertEquals([first, second].map(({ info }) => info.cipherSuite), [suite, suite]);
    const offered = proxy.connections.map(({ fromClient }) =>
      clientHellos(fromClient())[0].cipherSuites.filter((code) =>
        code >> 8 === CIPHER_SUITES[suite] >> 8
      )
    );
    assert(offered[0][0] !== CIPHER_SUITES[suite], "a full handshake prefers another suite");
    assertEquals(offered[1][0], CIPHER_SUITES[suite]);
    assertEquals(offered[2], offered[0], "the preference is for one connection");
    assertEquals(offered[1].toSorted(), offered[0].toSorted());
  });
}

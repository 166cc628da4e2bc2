/**
 * Options that decide what is negotiated and who the client is: each by its effect on OpenSSL.
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  ClientContext,
  type ClientContextOptions,
  connectTls,
  type ProtocolVersion,
  TlsError,
} from "../../mod.ts";
import { clientHellos } from "../interop/hello.ts";
import { bounded, full, RESUMED, resumption, visit } from "../interop/visit.ts";
import {
  type OpensslServerOptions,
  startOpensslServer,
  type TlsVersion,
} from "../peers/openssl.ts";
import { startTcpProxy } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { caCert, clientCert, type ClientCertName } from "../testdata/mod.ts";

const openssl = needs("openssl");
const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const EC: ClientContextOptions = { caCerts: [caCert("ec")] };

/** Limits of the client, the server's version, and the one agreed on or the alert. */
const LIMITS: [ClientContextOptions, TlsVersion | undefined, ProtocolVersion | "alert"][] = [
  [{}, undefined, "TLSv1.3"],
  [{}, "TLSv1.2", "TLSv1.2"],
  [{ maxVersion: "TLSv1.2" }, undefined, "TLSv1.2"],
  [{ maxVersion: "TLSv1.2" }, "TLSv1.3", "alert"],
  [{ minVersion: "TLSv1.3" }, undefined, "TLSv1.3"],
  [{ minVersion: "TLSv1.3" }, "TLSv1.2", "alert"],
  [{ minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }, undefined, "TLSv1.2"],
];

for (const [limits, version, expected] of LIMITS) {
  const name = `${JSON.stringify(limits)} at a server of ${
    version ?? "both versions"
  }: ${expected}`;
  Deno.test(`versions: ${name}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    if (expected !== "alert") {
      const { info } = await visit({ port: server.port, ...EC, ...limits });
      return assertEquals(info.protocol, expected);
    }
    const error = await assertRejects(
      () => visit({ port: server.port, ...EC, ...limits }),
      TlsError,
    );
    assertEquals([error.code, error.origin, error.alert], [
      "ERR_TLS_ALERT_RECEIVED",
      "peer",
      "protocol_version",
    ]);
  });
}

Deno.test("cipherSuites: only these are offered", openssl, async () => {
  await using server = await startOpensslServer({ www: "www" });
  await using proxy = startTcpProxy({ targetPort: server.port });
  const cipherSuites = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
  ] as const;
  await visit({ port: proxy.port, ...EC, cipherSuites });
  const [{ cipherSuites: offered }] = clientHellos(proxy.connections[0].fromClient());
  const signalling = 0x00ff;
  const suites = offered.filter((code) => code !== signalling).sort();
  assertEquals(suites, [0x1302, 0xc02b]);
});

const NOTHING_IN_COMMON: Record<string, [OpensslServerOptions, ClientContextOptions, string]> = {
  "no suite, TLSv1.3": [
    { ciphersuites: "TLS_AES_256_GCM_SHA384", version: "TLSv1.3" },
    { cipherSuites: ["TLS_AES_128_GCM_SHA256"] },
    "handshake_failure",
  ],
  "no suite, TLSv1.2": [
    { ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384", version: "TLSv1.2" },
    { cipherSuites: ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"] },
    "handshake_failure",
  ],
  "no suite for the server's key": [
    { cert: "ec", version: "TLSv1.2" },
    { cipherSuites: ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"] },
    "handshake_failure",
  ],
  "no ALPN protocol": [{ alpn: ["h2"] }, { alpnProtocols: ["x"] }, "no_application_protocol"],
  "no group": [{ groups: "P-521", version: "TLSv1.3" }, {}, "handshake_failure"],
};

for (const [what, [options, client, alert]] of Object.entries(NOTHING_IN_COMMON)) {
  Deno.test(`nothing in common: ${what}, ${alert}`, openssl, async () => {
    await using server = await startOpensslServer({ ...options, www: "www" });
    const error = await assertRejects(
      () => visit({ port: server.port, ...EC, ...client }),
      TlsError,
    );
    assertEquals([error.code, error.alert], ["ERR_TLS_ALERT_RECEIVED", alert]);
  });
}

for (const version of VERSIONS) {
  Deno.test(
    `alpnProtocols: offered in their order, none without, ${version}`,
    openssl,
    async () => {
      await using server = await startOpensslServer({ version, www: "www", alpn: ["c", "b", "a"] });
      await using proxy = startTcpProxy({ targetPort: server.port });
      await visit({ port: proxy.port, ...EC, alpnProtocols: ["a", "b", "c"] });
      await visit({ port: proxy.port, ...EC });
      const hellos = proxy.connections.map(({ fromClient }) => clientHellos(fromClient())[0]);
      const [list, none] = hellos.map(({ extensions }) => extensions.get(16)?.toHex());
      assertEquals([list, none], ["0006016101620163", undefined]);
    },
  );

  Deno.test(`cert and key: what the server asks for, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www", clientAuth: "optional" });
    const without = await visit({ port: server.port, ...EC });
    assertMatch(without.page, /^no client certificate available$/m);
    const withOne = await visit({ port: server.port, ...EC, ...clientCert("ec") });
    assertMatch(withOne.page, /^Client certificate$/m);
  });

  const refused: [ClientCertName | undefined, RegExp][] = [
    ["expired", /^certificate_expired$/],
    ["other_ca", /^unknown_ca$/],
    [undefined, version === "TLSv1.3" ? /^certificate_required$/ : /^handshake_failure$/],
  ];
  for (const [name, alert] of refused) {
    const what = name ? `a client certificate that is ${name}` : "no client certificate";
    Deno.test(`${what}: the server's alert is told, ${version}`, openssl, async () => {
      await using server = await startOpensslServer({ version, www: "www", clientAuth: true });
      // On TLS 1.3 the client is done before the server looks at its certificate.
      const options = { port: server.port, ...EC, ...(name && clientCert(name)) };
      const error = await assertRejects(() => visit(options), TlsError);
      assertEquals([error.code, error.origin], ["ERR_TLS_ALERT_RECEIVED", "peer"]);
      assertMatch(error.alert!, alert);
    });
  }

  Deno.test(`keyLog: the lines are those of OpenSSL's key log, ${version}`, openssl, async () => {
    const file = await Deno.makeTempFile();
    try {
      const lines: string[] = [];
      {
        await using server = await startOpensslServer({
          version,
          www: "www",
          args: ["-keylogfile", file],
        });
        const context = new ClientContext({ ...EC, keyLog: (line) => lines.push(line) });
        const first = await visit({ port: server.port, context });
        const second = await visit({ port: server.port, context, session: first.session });
        assertEquals([first, second].map(resumption), [full(), RESUMED]);
      }
      const logged = (await Deno.readTextFile(file)).split("\n").filter((line) =>
        line !== "" && !line.startsWith("#")
      );
      for (const line of lines) assertMatch(line, /^[A-Z0-9_]+ [0-9a-f]{64} ([0-9a-f]{2})+$/);
      assertEquals(new Set(lines.map((line) => line.split(" ")[1])).size, 2, "two connections");
      const known = logged.filter((line) => !/^(EXPORTER_SECRET|EARLY_)/.test(line));
      const own = lines.filter((line) => !/^(EXPORTER_SECRET|EARLY_)/.test(line));
      assertEquals(
        own.map((line) => line.toLowerCase()).sort(),
        known.map((line) => line.toLowerCase()).sort(),
      );
      const labels = version === "TLSv1.2" ? ["CLIENT_RANDOM"] : [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_TRAFFIC_SECRET_0",
      ];
      assertEquals([...new Set(own.map((line) => line.split(" ")[0]))].sort(), labels);
    } finally {
      await Deno.remove(file);
    }
  });

  Deno.test(`keyLog: the lines are there when the connection is, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    const lines: string[] = [];
    const keyLog = (line: string) => void lines.push(line);
    await using _conn = await connectTls({
      hostname: "localhost",
      port: server.port,
      ...EC,
      keyLog,
    });
    const last = version === "TLSv1.2" ? "CLIENT_RANDOM " : "CLIENT_TRAFFIC_SECRET_0 ";
    assert(lines.some((line) => line.startsWith(last)), lines.join("\n"));
  });

  Deno.test(`options inline do what a context of them does, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www", alpn: ["a"] });
    const options = { ...EC, alpnProtocols: ["a"] };
    const inline = await visit({ port: server.port, ...options });
    const context = new ClientContext(options);
    const by = await visit({ port: server.port, context, session: inline.session });
    const again = await visit({ port: server.port, ...options, session: by.session });
    assertEquals([inline, by, again].map(resumption), [full(), RESUMED, RESUMED]);
  });
}

Deno.test("one context serves connections at once, to several servers", openssl, async () => {
  await using one = await startOpensslServer({ www: "www", version: "TLSv1.3" });
  await using other = await startOpensslServer({ www: "www", version: "TLSv1.2", cert: "rsa" });
  const context = new ClientContext({ caCerts: [caCert("ec_and_rsa")] });
  const rounds = Array.from(
    { length: 8 },
    (_, i) => visit({ port: [one, other][i % 2].port, context }),
  );
  const visits = await bounded(Promise.all(rounds), "eight connections");
  assertEquals(visits.map(({ info }) => info.protocol), [
    ...Array.from({ length: 4 }, () => ["TLSv1.3", "TLSv1.2"]).flat(),
  ]);
  for (const { page } of visits) assertStringIncludes(page, "Cipher is ");
});

/**
 * What a server has to do in every runtime, for OpenSSL's and Deno's own clients. A runtime that can
 * listen on no port serves what a relay hands it by WebSocket.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { bounded } from "../interop/visit.ts";
import { opensslClient, type TlsVersion } from "../peers/openssl.ts";
import { caCert, caPath, clientCert, clientCertPaths, serverCert } from "../testdata/mod.ts";
import type { Case } from "./case.ts";
import type { Report, ServeInput } from "./protocol.ts";
import type { Runtime } from "./runtime.ts";

const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const EC = serverCert("ec_p256");
const GREETING = /^(full|resumed) TLSv1\.[23]$/m;

/** Serves while the callback runs; what the server saw. */
async function served(
  runtime: Runtime,
  input: ServeInput,
  during: (port: number) => Promise<void>,
): Promise<Report[]> {
  const port = await runtime.serve(input);
  let reports: Report[];
  try {
    await during(port);
  } finally {
    reports = await runtime.call("stop", null);
  }
  return reports;
}

/** Waits until a failure has reached the server. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 300));

const handshakes: Case[] = VERSIONS.flatMap((version): Case[] => [
  {
    name: `serves OpenSSL's client, ${version}`,
    async fn(runtime) {
      const reports = await served(runtime, { options: EC }, async (port) => {
        const { reused, handshakes } = await opensslClient({ port, version, until: GREETING });
        assertEquals([reused, handshakes[0]?.protocol], [false, version]);
      });
      assertEquals(
        reports.map(({ protocol, resumed, serverName }) => [
          protocol,
          resumed,
          serverName,
        ]),
        [[version, false, "localhost"]],
      );
    },
  },
  {
    name: `serves Deno's own client a megabyte both ways, ${version}`,
    async fn(runtime) {
      const options = { ...EC, minVersion: version, maxVersion: version };
      const reports = await served(runtime, { options }, async (port) => {
        using conn = await Deno.connectTls({
          hostname: "localhost",
          port,
          caCerts: [caCert("ec")],
        });
        await bounded(exchange(conn, 1_000_000), "the exchange");
      });
      assertEquals(reports.map(({ protocol }) => protocol), [version]);
    },
  },
  {
    name: `asks clients for a certificate, and refuses who has none, ${version}`,
    async fn(runtime) {
      const options = {
        ...EC,
        clientAuth: "required" as const,
        caCerts: [caCert("ec")],
        alpnProtocols: ["h2", "http/1.1"],
      };
      const reports = await served(runtime, { options }, async (port) => {
        const cert = clientCertPaths("ec");
        const alpn = ["http/1.1"];
        // OpenSSL sends the root along.
        await opensslClient({ port, version, cert, alpn, until: GREETING });
        await opensslClient({ port, version, until: GREETING, timeout: 5_000 });
        await settle();
      });
      const seen = reports.map((
        { peer, alpnProtocol, error },
      ) => [peer, alpnProtocol, error?.name]);
      assertEquals(seen, [[2, "http/1.1", undefined], [undefined, undefined, "TlsError"]]);
      assertMatch(reports[1].error!.code!, /^ERR_TLS_/);
    },
  },
  {
    name: `chooses the certificate by name, ${version}`,
    async fn(runtime) {
      const options = {
        sni: { "a.example": serverCert("a_example"), "b.example": serverCert("b_example") },
      };
      const reports = await served(runtime, { options }, async (port) => {
        for (const serverName of ["a.example", "b.example"]) {
          const args = ["-verify_hostname", serverName];
          const client = { port, version, serverName, args, caFile: caPath("ec"), until: GREETING };
          assertEquals((await opensslClient(client)).handshakes.length, 1);
        }
      });
      assertEquals(reports.map(({ serverName }) => serverName), ["a.example", "b.example"]);
    },
  },
]);

const failures: Case[] = [
  {
    name: "goes on serving after a client that speaks no TLS",
    async fn(runtime) {
      const reports = await served(runtime, { options: EC }, async (port) => {
        using conn = await Deno.connect({ hostname: "127.0.0.1", port });
        await conn.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
        await bounded(conn.read(new Uint8Array(1024)), "the answer").catch(() => {});
        const { handshakes } = await opensslClient({ port, until: GREETING });
        assertEquals(handshakes.length, 1);
      });
      const codes = reports.map(({ error }) => error?.code);
      assertEquals(codes, ["ERR_TLS_PEER_MISBEHAVED", undefined]);
    },
  },
  {
    name: "reports a client that does not know its authority",
    async fn(runtime) {
      const reports = await served(runtime, { options: EC }, async (port) => {
        await opensslClient({ port, version: "TLSv1.2", caFile: caPath("other"), until: GREETING });
        await settle();
      });
      assertEquals(reports.map(({ error }) => [error?.code, error?.alert]), [[
        "ERR_TLS_ALERT_RECEIVED",
        "unknown_ca",
      ]]);
    },
  },
  {
    name: "sends a client's certificate of another authority away",
    async fn(runtime) {
      const options = { ...EC, clientAuth: "required" as const, caCerts: [caCert("ec")] };
      const reports = await served(runtime, { options }, async (port) => {
        const conn = await Deno.connectTls({
          hostname: "localhost",
          port,
          caCerts: [caCert("ec")],
          ...clientCert("other_ca"),
        });
        await conn.read(new Uint8Array(10)).catch(() => {});
        conn.close();
        await settle();
      });
      assertEquals(reports.map(({ error }) => error?.code), ["ERR_TLS_CERT_UNKNOWN_ISSUER"]);
    },
  },
];

/** Reads the greeting, then sends bytes and reads them back. */
async function exchange(conn: Deno.TlsConn, length: number): Promise<void> {
  const sent = Uint8Array.from({ length }, (_, i) => i * 7 + (i >> 8));
  const received = new Uint8Array(length + 100);
  const writing = (async () => {
    for (let at = 0; at < length;) at += await conn.write(sent.subarray(at));
  })();
  let greeting = -1;
  for (let at = 0; greeting < 0 || at < greeting + length;) {
    const n = await conn.read(received.subarray(at));
    if (n === null) throw new Error(`The end came after ${at} bytes`);
    at += n;
    greeting = received.subarray(0, at).indexOf(10) + 1 || -1;
  }
  await writing;
  assert(received.subarray(greeting, greeting + length).every((byte, i) => byte === sent[i]));
}

/** All of them. */
export const SERVER_CASES: readonly Case[] = [...handshakes, ...failures];

/**
 * What a client has to do in every runtime, at OpenSSL's server and at broken ones.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  type OpensslServerOptions,
  startOpensslServer,
  type TlsVersion,
} from "../peers/openssl.ts";
import {
  startClosingServer,
  startGarbageServer,
  startSilentServer,
  startTcpProxy,
} from "../peers/raw.ts";
import { caCert, clientCert, crl, serverCert, type ServerCertName } from "../testdata/mod.ts";
import type { Case } from "./case.ts";
import type { VisitInput, VisitResult } from "./protocol.ts";
import type { Runtime } from "./runtime.ts";

const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const EC = { caCerts: [caCert("ec")] };

/** A connection to OpenSSL's status page. */
async function visit(
  runtime: Runtime,
  server: OpensslServerOptions,
  input: Partial<VisitInput> = {},
): Promise<VisitResult> {
  await using peer = await startOpensslServer({ www: "www", ...server });
  return await runtime.call("visit", { port: peer.port, options: EC, ...input });
}

/** What a test compares of an error. */
const told = ({ error }: VisitResult) => error && [error.name, error.code, error.origin];

const handshakes: Case[] = VERSIONS.flatMap((version) => [
  ...(["ec_p256", "rsa_2048", "via_intermediate"] as const).map((cert): Case => ({
    name: `shakes hands and reads to the end, ${version}, ${cert}`,
    async fn(runtime) {
      const options = { caCerts: [caCert(cert === "rsa_2048" ? "rsa" : "ec")] };
      const { info, received, error, reused, miss } = await visit(
        runtime,
        { version, cert },
        { options },
      );
      assertEquals(error, undefined);
      assertEquals([info?.protocol, info?.serverName, reused, miss], [
        version,
        "localhost",
        false,
        null,
      ]);
      assertEquals(info?.chainLength, cert === "via_intermediate" ? 2 : 1);
      assertMatch(received, /^New, .* Cipher is .*<\/HTML>/ms);
    },
  })),
  ...(["ec", "rsa"] as const).map((name): Case => ({
    name: `shows its client certificate, ${version}, ${name}`,
    async fn(runtime) {
      const options = { ...EC, ...clientCert(name) };
      const { received, error } = await visit(
        runtime,
        { version, clientAuth: true },
        { options },
      );
      assertEquals(error, undefined);
      assertMatch(received, /^Client certificate$/m);
    },
  })),
  {
    name: `is told that it lacks a client certificate, ${version}`,
    async fn(runtime) {
      const { error } = await visit(runtime, { version, clientAuth: true });
      assertEquals([error?.code, error?.origin], ["ERR_TLS_ALERT_RECEIVED", "peer"]);
      assertMatch(error!.alert!, /^(certificate_required|handshake_failure)$/);
    },
  },
  {
    name: `agrees on ALPN, ${version}`,
    async fn(runtime) {
      const options = { ...EC, alpnProtocols: ["h2", "http/1.1"] };
      const { info } = await visit(runtime, { version, alpn: ["http/1.1"] }, { options });
      assertEquals(info?.alpnProtocol, "http/1.1");
    },
  },
  {
    name: `is told that no ALPN protocol is shared, ${version}`,
    async fn(runtime) {
      const options = { ...EC, alpnProtocols: ["h2"] };
      const { error } = await visit(runtime, { version, alpn: ["http/1.1"] }, { options });
      assertEquals([error?.code, error?.alert], [
        "ERR_TLS_ALERT_RECEIVED",
        "no_application_protocol",
      ]);
    },
  },
  {
    name: `moves a megabyte both ways at once, ${version}`,
    async fn(runtime) {
      await using server = startEchoServer();
      const { error, same, received } = await runtime.call("visit", {
        port: server.port,
        options: { ...EC, minVersion: version, maxVersion: version },
        echo: 1_000_000,
      });
      assertEquals([error, same, received], [undefined, true, "hello"]);
    },
  },
]);

/** Deno's own TLS: says hello, then sends back what it gets. */
function startEchoServer() {
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...serverCert("ec_p256") });
  const serving = (async () => {
    for await (const conn of listener) {
      try {
        await conn.write(new TextEncoder().encode("hello\n"));
        const buffer = new Uint8Array(64 * 1024);
        for (let n; (n = await conn.read(buffer)) !== null;) {
          for (let sent = 0; sent < n;) sent += await conn.write(buffer.subarray(sent, n));
        }
      } catch {
        // The client is gone.
      }
      conn.close();
    }
  })();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving.catch(() => {});
    },
  };
}

/** Why a server's certificate is refused, by the certificate. */
const REFUSED: [ServerCertName, string, Partial<VisitInput["options"]>?][] = [
  ["expired", "ERR_TLS_CERT_EXPIRED"],
  ["not_yet_valid", "ERR_TLS_CERT_NOT_YET_VALID"],
  ["wrong_name", "ERR_TLS_CERT_NAME_MISMATCH"],
  ["other_ca", "ERR_TLS_CERT_UNKNOWN_ISSUER"],
  ["revoked", "ERR_TLS_CERT_REVOKED", { crls: [crl("ec_revoked")] }],
];

const refusals: Case[] = REFUSED.map(([cert, code, more]) => ({
  name: `refuses a server whose certificate is ${cert}: ${code}`,
  async fn(runtime) {
    const result = await visit(runtime, { cert }, { options: { ...EC, ...more } });
    assertEquals(told(result), ["TlsError", code, "peer"]);
    assertEquals([result.received, result.session], ["", null]);
  },
}));

const ends: Case[] = [
  ...VERSIONS.map((version): Case => ({
    name: `tells a cut connection from an end, after what came before, ${version}`,
    async fn(runtime) {
      await using server = await startOpensslServer({ version, www: "www" });
      await using proxy = startTcpProxy({
        targetPort: server.port,
        fromServer: { dropCloseNotify: true },
      });
      const result = await runtime.call("visit", { port: proxy.port, options: EC });
      assertEquals(told(result), ["TlsError", "ERR_TLS_TRUNCATED", "peer"]);
      assertStringIncludes(result.received, "</HTML>");
    },
  })),
  {
    name: "calls garbage instead of TLS a peer that misbehaves",
    async fn(runtime) {
      await using server = startGarbageServer();
      const result = await runtime.call("visit", { port: server.port, options: EC });
      assertEquals(told(result), ["TlsError", "ERR_TLS_PEER_MISBEHAVED", "peer"]);
    },
  },
  {
    name: "reports a server that hangs up in the handshake",
    async fn(runtime) {
      await using server = startClosingServer({ when: "first_bytes" });
      const result = await runtime.call("visit", { port: server.port, options: EC });
      assertEquals(told(result), ["TlsError", "ERR_TLS_TRUNCATED", "peer"]);
    },
  },
  {
    name: "reports a port where nobody listens",
    async fn(runtime) {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      listener.close();
      const result = await runtime.call("visit", { port, options: EC });
      assertEquals(told(result), ["TlsError", "ERR_TLS_TRANSPORT", "transport"]);
    },
  },
  {
    name: "gives up a handshake that takes too long",
    async fn(runtime) {
      await using server = startSilentServer();
      const input = { port: server.port, options: EC, handshakeTimeout: 300 };
      const result = await runtime.call("visit", input);
      assertEquals(told(result), ["TlsError", "ERR_TLS_HANDSHAKE_TIMEOUT", "peer"]);
    },
  },
  ...(["before", 200] as const).map((abort): Case => ({
    name: `rejects with the signal's reason, aborted ${abort === 200 ? "in the handshake" : abort}`,
    async fn(runtime) {
      await using server = startSilentServer();
      const { error } = await runtime.call("visit", { port: server.port, options: EC, abort });
      assertEquals([error?.name, error?.message], ["Error", "The test aborts"]);
    },
  })),
  {
    name: "names the option that is wrong",
    async fn(runtime) {
      const options = { ...EC, alpnProtocols: "h2" as unknown as string[] };
      const { error } = await runtime.call("visit", { port: 1, options });
      assertEquals(error?.name, "TypeError");
      assertStringIncludes(error!.message, '"alpnProtocols"');
    },
  },
];

const resumptions: Case[] = VERSIONS.flatMap((version): Case[] => [
  {
    name: `resumes by bytes after a restart, with another order of suites, ${version}`,
    async fn(runtime) {
      await using server = await startOpensslServer({ version, www: "www" });
      const suites = version === "TLSv1.2"
        ? ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]
        : ["TLS13_AES_128_GCM_SHA256", "TLS13_AES_256_GCM_SHA384"];
      const cipherSuites = suites.map((name) => name.replace("TLS13_", "TLS_"));
      type Suites = VisitInput["options"]["cipherSuites"];
      const options = { ...EC, cipherSuites: cipherSuites as Suites };
      const first = await runtime.call("visit", { port: server.port, options });
      assert(first.session);
      await runtime.restart();
      const second = await runtime.call("visit", {
        port: server.port,
        options: { ...EC, cipherSuites: cipherSuites.reverse() as Suites },
        session: first.session,
      });
      assertEquals([second.reused, second.miss, second.error], [true, null, undefined]);
      assertEquals(second.info?.cipherSuite, first.info?.cipherSuite);
      assertMatch(second.received, /^Reused, /m);
    },
  },
  {
    name: `resumes by its store after a restart, ${version}`,
    async fn(runtime) {
      await using server = await startOpensslServer({ version, www: "www" });
      const input = { port: server.port, options: EC, secret: "00112233".repeat(8) };
      const first = await runtime.call("visit", input);
      await runtime.restart();
      const second = await runtime.call("visit", input);
      assertEquals([first.reused, first.miss], [false, "none_stored"]);
      assertEquals([second.reused, second.miss, second.error], [true, null, undefined]);
      assertMatch(second.received, /^Reused, /m);
    },
  },
  {
    name: `falls back to a full handshake when its store was sealed under other keys, ${version}`,
    async fn(runtime) {
      await using server = await startOpensslServer({ version, www: "www" });
      const visit = (secret: string) =>
        runtime.call("visit", { port: server.port, options: EC, secret: secret.repeat(8) });
      await visit("0a1b2c3d");
      const { reused, error, received } = await visit("4e5f6a7b");
      assertEquals([reused, error], [false, undefined]);
      assertMatch(received, /^New, /m);
    },
  },
  {
    name:
      `falls back to a full handshake when a session is tampered or for another port, ${version}`,
    async fn(runtime) {
      await using server = await startOpensslServer({ version, www: "www" });
      await using proxy = startTcpProxy({ targetPort: server.port });
      const first = await runtime.call("visit", { port: server.port, options: EC });
      const session = first.session!;
      const at = session.length / 2;
      const flipped = session.slice(0, at) + (session[at] === "0" ? "1" : "0") +
        session.slice(at + 1);
      const seen = [];
      for (const input of [{ session: flipped }, { session, port: proxy.port }]) {
        const result = await runtime.call("visit", { port: server.port, options: EC, ...input });
        seen.push([result.reused, result.miss, result.error, /^New, /m.test(result.received)]);
      }
      assertEquals(seen, [
        [false, "tampered", undefined, true],
        [false, "other_server", undefined, true],
      ]);
    },
  },
  {
    name: `resumes with its client certificate after a restart, ${version}`,
    async fn(runtime) {
      await using server = await startOpensslServer({ version, www: "www", clientAuth: true });
      const options = { ...EC, ...clientCert("ec") };
      const first = await runtime.call("visit", { port: server.port, options });
      await runtime.restart();
      const session = first.session!;
      const second = await runtime.call("visit", { port: server.port, options, session });
      assertEquals([second.reused, second.miss, second.error], [true, null, undefined]);
      assertMatch(second.received, /^Reused, /m);
    },
  },
]);

const early: Case = {
  name: "has early data accepted after a restart",
  async fn(runtime) {
    await using server = await startOpensslServer({ version: "TLSv1.3", earlyData: true });
    const visit = async (input: Partial<VisitInput>, written: string) => {
      const visiting = runtime.call("visit", { port: server.port, options: EC, ...input });
      await server.waitForLog(new RegExp(written));
      await server.write("q\n");
      return await visiting;
    };
    const first = await visit({ send: "A first line\n" }, "A first line");
    assert(first.session);
    await runtime.restart();
    const input = { session: first.session, earlyData: "An early line\n", send: "A late line\n" };
    const second = await visit(input, "A late line");
    assertEquals([second.reused, second.info?.earlyData], [true, "accepted"]);
    assertStringIncludes(server.log(), "An early line");
  },
};

const http: Case = {
  name: "speaks HTTP/1.1 over one connection, request after request",
  async fn(runtime) {
    const clients = new Set<number>();
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {}, ...serverCert("ec_p256") },
      (request, { remoteAddr }) => {
        clients.add(remoteAddr.port);
        const { pathname } = new URL(request.url);
        // A stream has no length: it goes in chunks.
        return new Response(
          ReadableStream.from([`${pathname} `, "\n"]).pipeThrough(
            new TextEncoderStream(),
          ),
        );
      },
    );
    const { received, error } = await runtime.call("visit", {
      port: server.addr.port,
      options: { ...EC, alpnProtocols: ["http/1.1"] },
      fetch: ["/first", "/second", "/third"],
    });
    assertEquals([error, received], [undefined, "/first \n/second \n/third \n"]);
    assertEquals(clients.size, 1);
  },
};

/** All of them. */
export const CLIENT_CASES: readonly Case[] = [
  ...handshakes,
  ...refusals,
  ...ends,
  ...resumptions,
  early,
  http,
];

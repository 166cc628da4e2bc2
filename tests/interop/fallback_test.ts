/**
 * Sessions that cannot be used cost a full handshake and a reason, never a connection: each reason
 * with real servers, `New` on OpenSSL's page and the exact `sessionMiss` at the client.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  ClientContext,
  type ClientContextOptions,
  Session,
  startTls,
  TlsError,
  type VerifyInput,
} from "../../mod.ts";
import {
  type OpensslServerOptions,
  startOpensslServer,
  type TlsVersion,
} from "../peers/openssl.ts";
import { startTcpProxy } from "../peers/raw.ts";
import { digestAnew, fieldRanges } from "../session/layout.ts";
import { needs } from "../skips.ts";
import { caCert, clientCert, crl } from "../testdata/mod.ts";
import { movedClock } from "./clock.ts";
import { clientHellos } from "./hello.ts";
import { full, RESUMED, resumption, visit, visitOn } from "./visit.ts";

const openssl = needs("openssl");
const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const PRE_SHARED_KEY = 41;

const EC = { caCerts: [caCert("ec")] };

/** A page server of one version, and a session of it. */
async function serverAndSession(
  version: TlsVersion,
  context: ClientContext = new ClientContext(EC),
  options: OpensslServerOptions = {},
) {
  const server = await startOpensslServer({ version, www: "www", ...options });
  const { port } = server;
  const first = await visit({ port, context });
  assertEquals(resumption(first), full());
  return { server, port, context, session: first.session! };
}

for (const version of VERSIONS) {
  Deno.test(`expired: a session is not offered from its end on, ${version}`, openssl, async () => {
    using clock = movedClock();
    const { server, ...target } = await serverAndSession(version);
    await using _server = server;
    const { expiresAt } = Session.fromBytes(Uint8Array.fromHex(target.session));
    clock.move(Math.floor((expiresAt.getTime() - Date.now()) / 1000) - 60);
    const inTime = await visit(target);
    clock.move(61);
    assertEquals([inTime, await visit(target)].map(resumption), [RESUMED, full("expired")]);
  });

  Deno.test(
    `not_yet_valid: a session of the future is not offered, ${version}`,
    openssl,
    async () => {
      using clock = movedClock();
      const { server, ...target } = await serverAndSession(version);
      await using _server = server;
      clock.move(-30);
      const soon = await visit(target);
      clock.move(-60);
      const far = await visit(target);
      assertEquals([soon, far].map(resumption), [RESUMED, full("not_yet_valid")]);
    },
  );

  Deno.test(
    `other_server: a session goes to its name and port only, ${version}`,
    openssl,
    async () => {
      const { server, ...target } = await serverAndSession(version);
      await using _server = server;
      await using otherPort = await startOpensslServer({ version, www: "www" });
      const { port } = otherPort;
      const others = [{ port }, { hostname: "127.0.0.1" }, { serverName: "127.0.0.1" }];
      for (const other of others) {
        const result = await visit({ ...target, ...other });
        assertEquals(resumption(result), full("other_server"), JSON.stringify(other));
      }
      // It was not offered there, and is good still.
      assertEquals(resumption(await visit(target)), RESUMED);
    },
  );

  Deno.test(`tampered: other bytes than those of a session, ${version}`, openssl, async () => {
    const { server, ...target } = await serverAndSession(version);
    await using _server = server;
    const bytes = Uint8Array.fromHex(target.session);
    const broken: Uint8Array[] = [
      new Uint8Array(0),
      new TextEncoder().encode("a placeholder"),
      bytes.subarray(0, -1),
      bytes.subarray(0, 100),
      new Uint8Array(200_000),
    ];
    for (const session of broken) {
      assertEquals(resumption(await visit({ ...target, session })), full("tampered"));
    }
    assertEquals(resumption(await visit(target)), RESUMED);
  });

  Deno.test(`version: a session of another release's format, ${version}`, openssl, async () => {
    const { server, ...target } = await serverAndSession(version);
    await using _server = server;
    const session = Uint8Array.fromHex(target.session).with(4, 2);
    assertEquals(resumption(await visit({ ...target, session })), full("version"));
  });

  Deno.test(`declined_by_peer: a server with new ticket keys, ${version}`, openssl, async () => {
    const { server, context, session, port } = await serverAndSession(version);
    await server[Symbol.asyncDispose]();
    await using restarted = await startOpensslServer({ version, www: "www" });
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port: restarted.port });
    const options = { hostname: "localhost", port, context, session: Uint8Array.fromHex(session) };
    const second = await visitOn(await startTls(tcp, options));
    assertEquals(resumption(second), full("declined_by_peer"));
    const tcp2 = await Deno.connect({ hostname: "127.0.0.1", port: restarted.port });
    const fresh = { ...options, session: Uint8Array.fromHex(second.session!) };
    assertEquals(resumption(await visitOn(await startTls(tcp2, fresh))), RESUMED);
  });

  Deno.test(
    `declined_by_peer: a server that speaks another version now, ${version}`,
    openssl,
    async () => {
      const { server, context, session, port } = await serverAndSession(version);
      await server[Symbol.asyncDispose]();
      const other = version === "TLSv1.2" ? "TLSv1.3" : "TLSv1.2";
      await using changed = await startOpensslServer({ version: other, www: "www" });
      const tcp = await Deno.connect({ hostname: "127.0.0.1", port: changed.port });
      const options = {
        hostname: "localhost",
        port,
        context,
        session: Uint8Array.fromHex(session),
      };
      const result = await visitOn(await startTls(tcp, options));
      assertEquals(resumption(result), full("declined_by_peer"));
      assertEquals(result.info.protocol, other);
    },
  );

  Deno.test(
    `chain_invalid: a certificate revoked since; the new handshake fails too, ${version}`,
    openssl,
    async () => {
      const before = new ClientContext({ ...EC, crls: [crl("ec_empty")] });
      const after = new ClientContext({ ...EC, crls: [crl("ec_revoked")] });
      assertEquals(after.fingerprint, before.fingerprint, "lists may be renewed");
      const { server, port, session } = await serverAndSession(version, before, {
        cert: "revoked",
      });
      await using _server = server;
      await using proxy = startTcpProxy({ targetPort: port });
      const tcp = await Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
      const options = { hostname: "localhost", port, session: Uint8Array.fromHex(session) };
      const connecting = () => startTls(tcp, { ...options, context: after });
      const error = await assertRejects(connecting, TlsError);
      assertEquals(error.code, "ERR_TLS_CERT_REVOKED");
      const [hello] = clientHellos(proxy.connections[0].fromClient());
      assert(!hello.extensions.has(PRE_SHARED_KEY), "the session was not offered");
      assertEquals(hello.extensions.get(35)?.length ?? 0, 0, "nor its ticket");
    },
  );

  Deno.test(
    `chain_invalid: the server has a good certificate by now, ${version}`,
    openssl,
    async () => {
      const before = new ClientContext({ ...EC, crls: [crl("ec_empty")] });
      const after = new ClientContext({ ...EC, crls: [crl("ec_revoked")] });
      const { server, port, session } = await serverAndSession(version, before, {
        cert: "revoked",
      });
      await server[Symbol.asyncDispose]();
      await using renewed = await startOpensslServer({ version, www: "www" });
      const tcp = await Deno.connect({ hostname: "127.0.0.1", port: renewed.port });
      const options = { hostname: "localhost", port, session: Uint8Array.fromHex(session) };
      const result = await visitOn(await startTls(tcp, { ...options, context: after }));
      assertEquals(resumption(result), full("chain_invalid"));
    },
  );

  Deno.test(
    `verify_refused: the callback does not want the stored chain, ${version}`,
    openssl,
    async () => {
      for (const refusal of [false, undefined, "yes", new Error("no"), Promise.resolve(false)]) {
        const asked: VerifyInput[] = [];
        const verify = (input: VerifyInput) => {
          asked.push(input);
          if (input.resumed && refusal instanceof Error) throw refusal;
          return input.resumed ? refusal as boolean : true;
        };
        const context = new ClientContext({ ...EC, verify });
        const { server, ...target } = await serverAndSession(version, context);
        await using _server = server;
        assertEquals(resumption(await visit(target)), full("verify_refused"), String(refusal));
        assertEquals(asked.map(({ resumed }) => resumed), [false, true, false]);
      }
    },
  );

  Deno.test(
    `verify is asked about the stored chain before it resumes, ${version}`,
    openssl,
    async () => {
      const asked: VerifyInput[] = [];
      const verify = async (input: VerifyInput) => {
        await Promise.resolve();
        return asked.push(input) > 0;
      };
      const { server, ...target } = await serverAndSession(
        version,
        new ClientContext({ ...EC, verify }),
      );
      await using _server = server;
      assertEquals(resumption(await visit(target)), RESUMED);
      assertEquals(asked.map((each) => [each.serverName, each.resumed]), [
        ["localhost", false],
        ["localhost", true],
      ]);
      assertEquals(asked[0].peerCertificates.length, 1);
      assertEquals(asked[0].peerCertificates.map((der) => der.toHex()), [
        ...asked[1].peerCertificates.map((der) => der.toHex()),
      ]);
    },
  );
}

/** Each changes what sessions of a context may rely on. */
const OTHER_CONTEXTS: Record<string, ClientContextOptions> = {
  "another root besides": { caCerts: [caCert("ec"), caCert("other")] },
  "other ALPN protocols": { ...EC, alpnProtocols: ["x"] },
  "only TLS 1.3": { ...EC, minVersion: "TLSv1.3" },
  "fewer suites": { ...EC, cipherSuites: ["TLS_AES_128_GCM_SHA256"] },
  "another revocation epoch": { ...EC, revocationEpoch: 1 },
  "a client certificate": { ...EC, ...clientCert("ec") },
  "revocation lists": { ...EC, crls: [crl("ec_empty")] },
  "no check of names": { ...EC, dangerDisableHostnameVerification: true },
};

for (const [what, options] of Object.entries(OTHER_CONTEXTS)) {
  Deno.test(
    `other_context: a session is not offered by a context with ${what}`,
    openssl,
    async () => {
      const { server, ...target } = await serverAndSession("TLSv1.3");
      await using _server = server;
      const other = await visit({ ...target, context: new ClientContext(options) });
      assertEquals(resumption(other), full("other_context"));
      assertEquals(resumption(await visit(target)), RESUMED);
    },
  );
}

Deno.test("used_already: one Session object is offered once on TLS 1.3", openssl, async () => {
  const { server, ...target } = await serverAndSession("TLSv1.3");
  await using _server = server;
  const session = Session.fromBytes(Uint8Array.fromHex(target.session));
  const results = [await visit({ ...target, session }), await visit({ ...target, session })];
  assertEquals(results.map(resumption), [RESUMED, full("used_already")]);
  const bytes = await visit({ ...target, session: session.toBytes() });
  assertEquals(bytes.miss, null, "bytes are the caller's: who keeps them decides");
});

Deno.test(
  "used_already: of connections at once, one offers the Session object",
  openssl,
  async () => {
    const verify = async () => {
      await Promise.resolve();
      return true;
    };
    const { server, ...target } = await serverAndSession(
      "TLSv1.3",
      new ClientContext({ ...EC, verify }),
    );
    await using _server = server;
    const session = Session.fromBytes(Uint8Array.fromHex(target.session));
    const results = await Promise.all(
      Array.from({ length: 4 }, () => visit({ ...target, session })),
    );
    const misses = results.map(({ miss, reused }) => reused ? "resumed" : miss);
    assertEquals(misses.sort(), ["resumed", "used_already", "used_already", "used_already"]);
  },
);

Deno.test(
  "a Session object that was not offered can be: a miss does not use it up",
  openssl,
  async () => {
    const { server, ...target } = await serverAndSession("TLSv1.3");
    await using _server = server;
    const session = Session.fromBytes(Uint8Array.fromHex(target.session));
    const elsewhere = await visit({ ...target, session, serverName: "127.0.0.1" });
    assertEquals(resumption(elsewhere), full("other_server"));
    assertEquals(resumption(await visit({ ...target, session })), RESUMED);
  },
);

Deno.test("one Session object is offered again and again on TLS 1.2", openssl, async () => {
  const { server, ...target } = await serverAndSession("TLSv1.2");
  await using _server = server;
  const session = Session.fromBytes(Uint8Array.fromHex(target.session));
  const results = [];
  for (let i = 0; i < 3; i++) results.push(await visit({ ...target, session }));
  assertEquals(results.map(resumption), [RESUMED, RESUMED, RESUMED]);
});

Deno.test("suite_unavailable: a session of a suite that this build lacks", openssl, async () => {
  const { server, ...target } = await serverAndSession("TLSv1.3");
  await using _server = server;
  const bytes = Uint8Array.fromHex(target.session);
  const { start } = fieldRanges(bytes).find(({ name }) => name === "cipher_suite")!;
  bytes.set([0x13, 0x04], start);
  const session = digestAnew(bytes);
  assertEquals(resumption(await visit({ ...target, session })), full("suite_unavailable"));
});

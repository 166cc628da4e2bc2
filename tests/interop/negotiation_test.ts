/**
 * What a connection agrees on besides keys: ALPN, the server's name as DNS name or address, and
 * how much of that a session carries on.
 */

import { assert, assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import { ClientContext, connectTls, Session, startTls } from "../../mod.ts";
import { startOpensslServer, type TlsVersion } from "../peers/openssl.ts";
import { startTcpProxy } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { caCert, serverCertPaths } from "../testdata/mod.ts";
import { movedClock } from "./clock.ts";
import { clientHellos } from "./hello.ts";
import { full, RESUMED, resumption, visit, visitInNewProcess, visitOn } from "./visit.ts";

const openssl = needs("openssl");
const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const SNI = 0;
const WEEK_S = 7 * 24 * 60 * 60;

const sessionOf = (hex: string | null) => Session.fromBytes(Uint8Array.fromHex(hex!));

for (const version of VERSIONS) {
  Deno.test(`ALPN: the server chooses, the session keeps it, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www", alpn: ["b", "c"] });
    const options = { port: server.port, caCerts: [caCert("ec")], alpnProtocols: ["a", "b", "c"] };
    const first = await visitInNewProcess(options);
    const second = await visitInNewProcess({ ...options, session: first.session });
    assertEquals([first, second].map(resumption), [full(), RESUMED]);
    for (const { info, session } of [first, second]) {
      assertEquals([info.alpnProtocol, sessionOf(session).alpnProtocol], ["b", "b"]);
    }
  });

  Deno.test(`ALPN: null where the server speaks none, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    const options = { port: server.port, caCerts: [caCert("ec")], alpnProtocols: ["a"] };
    const first = await visit(options);
    const second = await visit({ ...options, session: first.session });
    assertEquals([first, second].map(resumption), [full(), RESUMED]);
    for (const { info, session } of [first, second]) {
      assertEquals([info.alpnProtocol, sessionOf(session).alpnProtocol], [null, null]);
    }
  });

  Deno.test(
    `SNI: serverName is sent and verified instead of hostname, ${version}`,
    openssl,
    async () => {
      const { cert, key } = serverCertPaths("a_example");
      await using server = await startOpensslServer({
        version,
        www: "www",
        args: ["-servername", "a.example", "-cert2", cert, "-key2", key],
      });
      await using proxy = startTcpProxy({ targetPort: server.port });
      const options = {
        hostname: "127.0.0.1",
        port: proxy.port,
        caCerts: [caCert("ec")],
        serverName: "a.example",
      };
      const first = await visitInNewProcess(options);
      const second = await visitInNewProcess({ ...options, session: first.session });
      assertEquals([first, second].map(resumption), [full(), RESUMED]);
      for (const { info, session } of [first, second]) {
        assertEquals([info.serverName, sessionOf(session).serverName], ["a.example", "a.example"]);
      }
      for (const { fromClient } of proxy.connections) {
        const extension = clientHellos(fromClient())[0].extensions.get(SNI)!;
        assertStringIncludes(new TextDecoder().decode(extension), "a.example");
      }
    },
  );

  Deno.test(`an IP address is verified, and not sent as a name, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    await using proxy = startTcpProxy({ targetPort: server.port });
    const options = { hostname: "127.0.0.1", port: proxy.port, caCerts: [caCert("ec")] };
    const first = await visitInNewProcess(options);
    const second = await visitInNewProcess({ ...options, session: first.session });
    assertEquals([first, second].map(resumption), [full(), RESUMED]);
    assertEquals(sessionOf(first.session).serverName, "127.0.0.1");
    for (const { fromClient } of proxy.connections) {
      assertFalse(clientHellos(fromClient())[0].extensions.has(SNI));
    }
  });

  Deno.test(
    `a name is the same in capitals and with the root's dot, ${version}`,
    openssl,
    async () => {
      await using server = await startOpensslServer({ version, www: "www" });
      const options = { hostname: "127.0.0.1", port: server.port, caCerts: [caCert("ec")] };
      const first = await visit({ ...options, serverName: "LocalHost." });
      const again = { ...options, serverName: "localhost", session: first.session };
      assertEquals([first, await visit(again)].map(resumption), [full(), RESUMED]);
      assertEquals(first.info.serverName, "localhost");
    },
  );

  Deno.test(
    `startTls() resumes what connectTls() took, on an IPv6 name too, ${version}`,
    openssl,
    async () => {
      await using server = await startOpensslServer({ version, www: "www" });
      const { port } = server;
      const context = new ClientContext({ caCerts: [caCert("ec")] });
      const start = async (hostname: string, session?: string | null) =>
        await visitOn(
          await startTls(await Deno.connect({ hostname: "127.0.0.1", port }), {
            hostname,
            port,
            context,
            session: session ? Uint8Array.fromHex(session) : undefined,
          }),
        );
      const first = await visit({ port, context });
      const second = await start("localhost", first.session);
      const third = await visit({ port, context, session: second.session });
      assertEquals([first, second, third].map(resumption), [full(), RESUMED, RESUMED]);
      const onAddress = await start("[::1]");
      const again = await start("::1", onAddress.session);
      assertEquals([onAddress, again].map(resumption), [full(), RESUMED]);
      assertEquals(sessionOf(again.session).serverName, "::1");
    },
  );

  Deno.test(`renewal keeps the time of the full handshake, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    const context = new ClientContext({ caCerts: [caCert("ec")] });
    using clock = movedClock();
    const before = Math.floor(Date.now() / 1000);
    const first = await visit({ port: server.port, context });
    const after = Date.now() / 1000;
    const { createdAt } = sessionOf(first.session);
    assert(createdAt.getTime() / 1000 >= before && createdAt.getTime() / 1000 <= after);
    let { session } = first;
    let reused = 0;
    // OpenSSL's tickets are for two hours, and renewed by each resumption.
    for (let elapsed = 0; elapsed <= WEEK_S; elapsed += 7000, clock.move(7000)) {
      const next = await visit({ port: server.port, context, session });
      if (!next.reused) {
        assertEquals(resumption(next), full("expired"));
        break;
      }
      reused++;
      const renewed = sessionOf(next.session);
      assertEquals(renewed.createdAt, createdAt);
      const lifetime = (renewed.expiresAt.getTime() - createdAt.getTime()) / 1000;
      assert(lifetime <= WEEK_S, `${lifetime} s`);
      session = next.session;
    }
    assert(reused >= 80, `resumed ${reused} times`);
    clock.move(7000);
    const last = await visit({ port: server.port, context, session });
    assertEquals(resumption(last), full("expired"), "a week after the full handshake");
    assert(sessionOf(last.session).createdAt > createdAt, "a full handshake begins anew");
  });
}

Deno.test(
  "the context of another process, with the same options, has the same sessions",
  openssl,
  async () => {
    await using server = await startOpensslServer({ www: "www", alpn: ["h2"] });
    const { port } = server;
    const roots = [caCert("ec"), caCert("rsa")];
    const first = await visitInNewProcess({ port, caCerts: roots, alpnProtocols: ["h2", "x"] });
    const context = new ClientContext({
      caCerts: [`${roots[1]}\n${roots[0]}`],
      alpnProtocols: ["x", "h2"],
    });
    const conn = await connectTls({
      hostname: "localhost",
      port,
      context,
      session: Uint8Array.fromHex(first.session!),
    });
    assertEquals(resumption(await visitOn(conn)), RESUMED);
  },
);

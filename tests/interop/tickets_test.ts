/**
 * How sessions come to the caller: `getSession()` and `sessions()` with servers that send many
 * tickets, one, late ones, or none, beside the application's data.
 */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ClientContext, connectTls, type Session } from "../../mod.ts";
import { startOpensslServer, type TlsVersion } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";
import { bounded, readAll, RESUMED, resumption, visit } from "./visit.ts";

const openssl = needs("openssl");
const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const context = new ClientContext({ caCerts: [caCert("ec")] });
const utf8 = (text: string) => new TextEncoder().encode(text);
const connect = (port: number) => connectTls({ hostname: "localhost", port, context });

for (const version of VERSIONS) {
  Deno.test(`getSession() has one where nobody reads, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version });
    await using conn = await connect(server.port);
    const session = await bounded(conn.getSession(), "a session");
    assertEquals(session?.protocol, version);
    assertEquals(session?.serverName, "localhost");
    assert(conn.session !== null);
  });

  Deno.test(`getSession() leaves data in its place, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, numTickets: 0 });
    await using conn = await connect(server.port);
    await server.write("data before\n");
    const session = await conn.getSession({ timeout: 50 });
    assertEquals(session === null, version === "TLSv1.3");
    await conn.write(utf8("up it goes.\n"));
    await server.waitForLog(/^up it goes\.$/m);
    const buffer = new Uint8Array(100);
    const n = await bounded(conn.read(buffer), "the data");
    assertEquals(new TextDecoder().decode(buffer.subarray(0, n!)), "data before\n");
  });

  Deno.test(`getSession() and read() at once share what comes, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version });
    await using conn = await connect(server.port);
    const buffer = new Uint8Array(100);
    const both = Promise.all([conn.read(buffer), conn.getSession(), conn.getSession()]);
    await server.write("data\n");
    const [n, one, other] = await bounded(both, "data and a session");
    assertEquals(new TextDecoder().decode(buffer.subarray(0, n!)), "data\n");
    assertEquals([one?.protocol, other?.protocol], [version, version]);
  });

  Deno.test(`sessions() ends with the connection, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    await using conn = await connect(server.port);
    const all = Array.fromAsync(conn.sessions());
    await conn.write(utf8("GET / HTTP/1.0\r\n\r\n"));
    await bounded(readAll(conn), "the page");
    const sessions = await bounded(all, "the end of sessions()");
    assertEquals(sessions.length, version === "TLSv1.3" ? 2 : 1);
  });
}

Deno.test("sessions() has every ticket, oldest first, and each resumes", openssl, async () => {
  await using server = await startOpensslServer({ version: "TLSv1.3", numTickets: 3, www: "www" });
  const conn = await connect(server.port);
  const sessions: Session[] = [];
  const collect = async () => {
    for await (const session of conn.sessions()) if (sessions.push(session) === 3) break;
  };
  await bounded(collect(), "three tickets");
  assertStrictEquals(conn.session, sessions[2]);
  await conn.close();
  assertEquals(new Set(sessions.map(({ id }) => id)).size, 3);
  for (const session of sessions) {
    assertEquals(resumption(await visit({ port: server.port, context, session })), RESUMED);
  }
});

// More than 32 in a row are an attack to rustls, and end the connection.
Deno.test("of very many tickets the newest 16 wait for sessions()", openssl, async () => {
  await using server = await startOpensslServer({ version: "TLSv1.3", numTickets: 24, www: "www" });
  const conn = await connect(server.port);
  await conn.write(utf8("GET / HTTP/1.0\r\n\r\n"));
  await bounded(readAll(conn), "the page");
  const sessions = await bounded(Array.fromAsync(conn.sessions()), "the tickets");
  assertEquals(sessions.length, 16);
  assertStrictEquals(sessions.at(-1), conn.session);
  await conn.close();
});

Deno.test(
  "getSession() without tickets is null in its time, or when the signal says",
  openssl,
  async () => {
    await using server = await startOpensslServer({ version: "TLSv1.3", numTickets: 0 });
    await using conn = await connect(server.port);
    assertEquals(await conn.getSession({ timeout: 10 }), null);
    const controller = new AbortController();
    const reason = new Error("enough");
    const waiting = assertRejects(() =>
      conn.getSession({ timeout: 60_000, signal: controller.signal })
    );
    controller.abort(reason);
    assertStrictEquals(await bounded(waiting, "the abort"), reason);
    const aborted = () => conn.getSession({ signal: AbortSignal.abort(reason) });
    assertStrictEquals(await assertRejects(aborted), reason);
    await conn.write(utf8("still there.\n"));
    await server.waitForLog(/^still there\.$/m);
  },
);

Deno.test(
  "getSession() is null where the peer ends the connection without a ticket",
  openssl,
  async () => {
    await using server = await startOpensslServer({
      version: "TLSv1.3",
      numTickets: 0,
      www: "www",
    });
    await using conn = await connect(server.port);
    const waiting = conn.getSession({ timeout: 60_000 });
    await conn.write(utf8("GET / HTTP/1.0\r\n\r\n"));
    await bounded(readAll(conn), "the page");
    assertEquals(await bounded(waiting, "the end"), null);
  },
);

Deno.test("closing ends getSession() and sessions() that wait", openssl, async () => {
  await using server = await startOpensslServer({ version: "TLSv1.3", numTickets: 0 });
  const conn = await connect(server.port);
  const waiting = [conn.getSession({ timeout: 60_000 }), Array.fromAsync(conn.sessions())] as const;
  await conn.close();
  assertEquals(await bounded(Promise.all(waiting), "the end"), [null, []]);
  assertEquals(await bounded(conn.getSession(), "a closed connection's"), null);
});

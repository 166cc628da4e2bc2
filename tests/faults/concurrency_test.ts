/**
 * Guards: everything may be asked of a connection at the same time, and many connections may be
 * used side by side: nothing is lost, doubled or out of order.
 *
 * @module
 */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { connectTls, type Session, type TlsConn } from "../../mod.ts";
import { pseudoRandom } from "../engine/driver.ts";
import { within } from "../engine/bounded.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { startTcpProxy } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { bytesOf, pattern, readExactly, readText, to } from "./fixtures.ts";

Deno.test.sanitizer({ ops: true, resources: true });

async function sessionsOf(conn: TlsConn): Promise<Session[]> {
  const sessions: Session[] = [];
  for await (const session of conn.sessions()) sessions.push(session);
  return sessions;
}

Deno.test("reading, writing and waiting for sessions go on at the same time", async () => {
  await using server = await startDenoServer();
  const conn = await connectTls(to(server));
  const bytes = pattern(2_000_000);
  const iterated = sessionsOf(conn);
  const [echo, session, written] = await within(
    Promise.all([readExactly(conn, bytes.length), conn.getSession(), conn.write(bytes)]),
    "all three",
  );
  assertEquals(echo, bytes);
  assertEquals(written, bytes.length);
  assert(session !== null);
  await conn.close();
  assert((await within(iterated, "sessions() ends")).includes(session));
});

Deno.test("writes that are not awaited keep their order", async () => {
  await using server = await startDenoServer();
  await using conn = await connectTls(to(server));
  const random = pseudoRandom(3);
  const parts = Array.from({ length: 60 }, (_, i) =>
    // Sizes on both sides of a record and of the staging area.
    new Uint8Array(Math.floor(random() ** 3 * 150_000)).fill(i + 1));
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  const echo = readExactly(conn, all.length);
  echo.catch(() => {});
  const written = await within(Promise.all(parts.map((part) => conn.write(part))), "all writes");
  assertEquals(written, parts.map(({ length }) => length));
  assertEquals(await echo, all);
});

Deno.test("an empty write does nothing, and keeps its place", needs("openssl"), async () => {
  await using server = await startOpensslServer({ rev: true });
  await using conn = await connectTls(to(server));
  const sizes = await Promise.all([
    conn.write(new Uint8Array(0)),
    conn.write(bytesOf("ab")),
    conn.write(new Uint8Array(0)),
    conn.write(bytesOf("c\n")),
  ]);
  assertEquals(sizes, [0, 2, 0, 2]);
  assertEquals(await readText(conn), "cba\n");
});

Deno.test("reads at the same time get each byte once", async () => {
  await using server = await startDenoServer();
  await using conn = await connectTls(to(server));
  const bytes = pattern(100_000);
  const counts = (all: Uint8Array) => {
    const count = new Uint32Array(256);
    for (const byte of all) count[byte]++;
    return count;
  };
  const seen = new Uint8Array(bytes.length);
  let length = 0;
  const readSome = async () => {
    const into = new Uint8Array(777);
    while (length < bytes.length) {
      const n = await conn.read(into);
      seen.set(into.subarray(0, n!), length);
      length += n!;
    }
  };
  const readers = [readSome(), readSome(), readSome()];
  await conn.write(bytes);
  while (length < bytes.length) await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(counts(seen), counts(bytes));
  const rest = Promise.allSettled(readers);
  await conn.close();
  await within(rest, "the readers end");
});

Deno.test("a read into no room returns 0 at once", needs("openssl"), async () => {
  await using server = await startOpensslServer({ rev: true, numTickets: 0 });
  await using conn = await connectTls(to(server));
  assertEquals(await within(conn.read(new Uint8Array(0)), "the read"), 0);
});

Deno.test("everyone who waits for a session gets the same one", async () => {
  await using server = await startDenoServer();
  await using conn = await connectTls(to(server));
  const sessions = await within(
    Promise.all([conn.getSession(), conn.getSession(), conn.getSession()]),
    "the sessions",
  );
  assert(sessions[0] !== null);
  assertStrictEquals(sessions[1], sessions[0]);
  assertStrictEquals(sessions[2], sessions[0]);
});

Deno.test("each session goes to one of two iterators", needs("openssl"), async () => {
  await using server = await startOpensslServer({ version: "TLSv1.3", rev: true, numTickets: 4 });
  const conn = await connectTls(to(server));
  const both = Promise.all([sessionsOf(conn), sessionsOf(conn)]);
  await conn.write(bytesOf("abc\n"));
  assertEquals(await readText(conn), "cba\n"); // the tickets came before it
  await conn.close();
  const [one, other] = await within(both, "both end");
  assertEquals(new Set([...one, ...other].map(({ id }) => id)).size, 4);
  assertEquals(one.length + other.length, 4);
});

Deno.test("many connections at once each have their own bytes", async () => {
  await using server = await startDenoServer();
  const one = async (i: number) => {
    await using conn = await connectTls(to(server));
    const bytes = new Uint8Array(20_000 + i).fill(i);
    const [echo] = await Promise.all([readExactly(conn, bytes.length), conn.write(bytes)]);
    assertEquals(echo, bytes);
  };
  await within(Promise.all(Array.from({ length: 40 }, (_, i) => one(i))), "all of them");
});

Deno.test("one byte at a time on both ways, data arrives whole", needs("openssl"), async () => {
  await using server = await startOpensslServer({ rev: true });
  const slow = { chunkSize: 1 };
  await using proxy = startTcpProxy({
    targetPort: server.port,
    fromClient: slow,
    fromServer: slow,
  });
  await using conn = await connectTls(to(proxy));
  for (const line of ["abc", "x".repeat(1_000) + "y"]) {
    await conn.write(bytesOf(`${line}\n`));
    const answer = new TextDecoder().decode(await readExactly(conn, line.length + 1));
    assertEquals(answer, `${[...line].reverse().join("")}\n`);
  }
});

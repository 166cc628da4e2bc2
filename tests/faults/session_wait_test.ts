/**
 * Guards: waiting for a session is bounded, loses no data, and ends when none can come any more;
 * sessions come out of `sessions()` in their order, to the end of the connection.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { type ByteStreams, connectTls, startTls, TlsError } from "../../mod.ts";
import { until, within } from "../engine/bounded.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { startTcpProxy } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import {
  bytesOf,
  context,
  hostname,
  readAll,
  readText,
  rejection,
  textOf,
  tlsError,
  to,
} from "./fixtures.ts";

Deno.test.sanitizer({ ops: true, resources: true });

/** Longer than any test may take: who waits so long has not noticed that nothing comes. */
const FOR_EVER_MS = 120_000;
const GET = bytesOf("GET / HTTP/1.0\r\n\r\n");

Deno.test(
  "no ticket in time: null, and what was read ahead is still to be read",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ version: "TLSv1.3", numTickets: 0 });
    await using conn = await connectTls(to(server));
    await server.write("unasked for\n");
    assertEquals(await conn.getSession({ timeout: 300 }), null);
    assertEquals(conn.session, null);
    assertEquals(await readText(conn), "unasked for\n");
    await server.write("and more\n");
    assertEquals(await readText(conn), "and more\n");
  },
);

Deno.test("getSession() waits for the first ticket", needs("openssl"), async () => {
  await using server = await startOpensslServer({ version: "TLSv1.3", rev: true });
  await using conn = await connectTls(to(server));
  const session = await conn.getSession({ timeout: FOR_EVER_MS });
  assert(session !== null);
  assertEquals([session.protocol, session.serverName], ["TLSv1.3", "127.0.0.1"]);
  await conn.write(bytesOf("abc\n"));
  assertEquals(await readText(conn), "cba\n");
  // Whoever asks later gets the newest that came.
  assertStrictEquals(await conn.getSession(), conn.session);
});

Deno.test("on TLS 1.2 the session is there at once", needs("openssl"), async () => {
  for (const args of [[], ["-no_ticket"]]) {
    await using server = await startOpensslServer({ version: "TLSv1.2", rev: true, args });
    await using conn = await connectTls(to(server));
    assert(conn.session !== null);
    assertEquals(conn.session.hasTicket, args.length === 0);
    assertStrictEquals(await conn.getSession(), conn.session);
  }
});

Deno.test(
  "a session that comes with data is found, and the data kept",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ version: "TLSv1.3", www: "www" });
    await using conn = await connectTls(to(server));
    await conn.write(GET);
    assert(await conn.getSession({ timeout: FOR_EVER_MS }) !== null);
    const { bytes, error } = await readAll(conn);
    assertEquals([textOf(bytes).includes("<HTML>"), error], [true, undefined]);
  },
);

Deno.test(
  "nothing can come after the peer's close_notify: null at once",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({
      version: "TLSv1.3",
      www: "www",
      numTickets: 0,
    });
    await using conn = await connectTls(to(server));
    await conn.write(GET);
    const waiting = conn.getSession({ timeout: FOR_EVER_MS });
    assertEquals(await within(waiting, "getSession() ends"), null);
    const { bytes, error } = await readAll(conn);
    assertEquals([textOf(bytes).includes("<HTML>"), error], [true, undefined]);
    assertEquals(await within(conn.getSession({ timeout: FOR_EVER_MS }), "and again"), null);
  },
);

Deno.test("a truncation met by getSession() is left for read()", needs("openssl"), async () => {
  await using server = await startOpensslServer({
    version: "TLSv1.3",
    www: "www",
    numTickets: 0,
  });
  await using proxy = startTcpProxy({
    targetPort: server.port,
    fromServer: { dropCloseNotify: true },
  });
  await using conn = await connectTls(to(proxy));
  await conn.write(GET);
  const waiting = conn.getSession({ timeout: FOR_EVER_MS });
  assertEquals(await within(waiting, "getSession() ends"), null);
  const { bytes, error } = await readAll(conn);
  assert(textOf(bytes).includes("<HTML>"));
  assertInstanceOf(error, TlsError);
  assertEquals(error.code, "ERR_TLS_TRUNCATED");
});

Deno.test(
  "sessions() gives every ticket in its order, and ends with the connection",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ version: "TLSv1.3", rev: true, numTickets: 5 });
    const conn = await connectTls(to(server));
    const ids: string[] = [];
    for await (const session of conn.sessions()) {
      ids.push(session.id);
      if (ids.length === 5) break;
    }
    assertEquals(new Set(ids).size, 5);
    assertEquals(conn.session!.id, ids.at(-1));
    // The generator that was left has ended; a new one waits for the next ticket.
    const next = conn.sessions().next();
    await conn.close();
    assertEquals(await within(next, "sessions() ends"), { done: true, value: undefined });
  },
);

Deno.test("sessions() ends when the peer does", needs("openssl"), async () => {
  await using server = await startOpensslServer({ version: "TLSv1.3", www: "www" });
  await using conn = await connectTls(to(server));
  let count = 0;
  const iterating = (async () => {
    for await (const _ of conn.sessions()) count++;
  })();
  await conn.write(GET);
  await within(iterating, "sessions() ends");
  assertEquals(count, 2);
  assert(textOf((await readAll(conn)).bytes).includes("<HTML>"));
});

/** Chunks of so few bytes that no two tickets come at once. */
async function inSmallChunks(port: number): Promise<ByteStreams> {
  const { readable, writable } = await Deno.connect({ hostname, port });
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      for (let at = 0; at < chunk.length; at += 50) controller.enqueue(chunk.slice(at, at + 50));
    },
  });
  return { readable: readable.pipeThrough(cut), writable };
}

for (const how of ["at once", "one by one"]) {
  Deno.test(`of 20 tickets that come ${how} the newest 16 wait`, needs("openssl"), async () => {
    await using server = await startOpensslServer({
      version: "TLSv1.3",
      rev: true,
      numTickets: 20,
    });
    const conn = how === "at once"
      ? await connectTls(to(server))
      : await startTls(await inSmallChunks(server.port), { hostname, context });
    await conn.write(bytesOf("abc\n"));
    assertEquals(await readText(conn), "cba\n"); // the tickets came before it
    const newest = conn.session!.id;
    const closing = conn.close();
    const ids: string[] = [];
    for await (const session of conn.sessions()) ids.push(session.id);
    await closing;
    assertEquals([ids.length, ids.at(-1)], [16, newest]);
  });
}

Deno.test("a resumed connection brings a session of its own", needs("openssl"), async () => {
  await using server = await startOpensslServer({ version: "TLSv1.3", rev: true });
  const first = await connectTls(to(server));
  const session = (await first.getSession())!;
  await first.close();
  await using second = await connectTls(to(server, { session }));
  assert(second.sessionReused);
  const renewed = (await second.getSession())!;
  assert(renewed.id !== session.id);
  assertEquals(renewed.createdAt, session.createdAt);
});

Deno.test(
  "bad options of getSession() are TypeErrors that name them",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ version: "TLSv1.3", rev: true, numTickets: 0 });
    await using conn = await connectTls(to(server));
    const bad: [string, unknown][] = [
      ["timeout", "1000"],
      ["timeout", NaN],
      ["timeout", -1],
      ["signal", {}],
      ["timeuot", 1000],
    ];
    for (const [name, value] of bad) {
      const error = await rejection(conn.getSession({ [name]: value }));
      assertInstanceOf(error, TypeError);
      assert(error.message.includes(`"${name}"`), error.message);
    }
  },
);

Deno.test(
  "a wait for a session does not keep a failed connection from its end",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({
      version: "TLSv1.3",
      rev: true,
      numTickets: 0,
    });
    await using conn = await connectTls(to(server));
    await conn.write(bytesOf("abc\n"));
    assertEquals(await readText(conn), "cba\n");
    const waiting = conn.getSession({ timeout: FOR_EVER_MS });
    let over = false;
    waiting.then(() => over = true);
    Deno.kill(server.pid, "SIGKILL");
    await until(() => over, "getSession() ends");
    assertEquals(await waiting, null);
    await tlsError(conn.read(new Uint8Array(1)), "ERR_TLS_TRUNCATED");
  },
);

/**
 * Guards: closing ends a connection in order and within bounds, whatever is under way, and what is
 * asked of a closed one is told by `ERR_TLS_CLOSED`.
 *
 * @module
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { connectTls, type TlsConn } from "../../mod.ts";
import { staysPending, until, within } from "../engine/bounded.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { isAlert } from "../peers/faults.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { readRecords, startTcpProxy } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { bytesOf, pattern, readExactly, readText, tlsError, to } from "./fixtures.ts";

Deno.test.sanitizer({ ops: true, resources: true });

/** Several times the limit of `close()`. */
const CLOSE_BOUND_MS = 10_000;
/** More than the socket buffers of both ends hold. */
const TOO_MUCH = 32 * 1024 * 1024;

function closeWithinBound(conn: TlsConn): Promise<void> {
  return within(conn.close(), "close() returns", CLOSE_BOUND_MS);
}

Deno.test("a closed connection says so", async () => {
  await using server = await startDenoServer();
  const conn = await connectTls(to(server));
  await conn.close();
  await tlsError(conn.read(new Uint8Array(1)), "ERR_TLS_CLOSED", { origin: "local" });
  await tlsError(conn.write(new Uint8Array(1)), "ERR_TLS_CLOSED", { origin: "local" });
  await tlsError(conn.readable.getReader().read(), "ERR_TLS_CLOSED");
  await tlsError(conn.writable.getWriter().write(new Uint8Array(1)), "ERR_TLS_CLOSED");
  assertEquals(await conn.getSession(), conn.session);
  for await (const _ of conn.sessions());
  assertEquals((await conn.handshake()).resumed, false);
});

Deno.test("closing twice, and at the same time, is closing once", async () => {
  await using server = await startDenoServer();
  await using proxy = startTcpProxy({ targetPort: server.port });
  const conn = await connectTls(to(proxy));
  await Promise.all([conn.close(), conn.close(), conn[Symbol.asyncDispose]()]);
  await conn.close();
  await tlsError(conn.closeWrite(), "ERR_TLS_CLOSED");
  const alerts = () => readRecords(proxy.connections[0].fromClient()).filter(isAlert).length;
  await until(() => alerts() > 0, "close_notify is sent");
  assertEquals(alerts(), 1);
});

Deno.test("close() rejects the reads under way with ERR_TLS_CLOSED", needs("openssl"), async () => {
  await using server = await startOpensslServer({ rev: true, numTickets: 0 });
  const conn = await connectTls(to(server));
  const reads = [conn.read(new Uint8Array(1)), conn.read(new Uint8Array(1))];
  const session = conn.getSession({ timeout: 60_000 });
  for (const pending of [...reads, session]) assert(await staysPending(pending, 30));
  const rejected = Promise.all(reads.map((read) => tlsError(read, "ERR_TLS_CLOSED")));
  await closeWithinBound(conn);
  await rejected;
  assertEquals(await within(session, "getSession() ends"), null);
});

Deno.test("the end of an `await using` block closes with close_notify", async () => {
  await using server = await startDenoServer();
  await using proxy = startTcpProxy({ targetPort: server.port });
  let conn: TlsConn;
  {
    await using own = await connectTls(to(proxy));
    conn = own;
  }
  await tlsError(conn.read(new Uint8Array(1)), "ERR_TLS_CLOSED");
  const last = () => readRecords(proxy.connections[0].fromClient()).at(-1)!;
  await until(() => isAlert(last()), "close_notify is sent");
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  Deno.test(`what was written before close() arrives, ${version}`, needs("openssl"), async () => {
    await using server = await startOpensslServer({ version });
    const conn = await connectTls(to(server));
    // On 1.3 tickets wait to be read: an end of the socket must not reset it.
    const writes = Array.from({ length: 100 }, (_, i) => conn.write(bytesOf(`line ${i}\n`)));
    await closeWithinBound(conn);
    assertEquals(await Promise.all(writes), writes.map((_, i) => `line ${i}\n`.length));
    await server.waitForLog(/line 99/);
  });
}

Deno.test("closeWrite() ends one direction, and the other goes on to its end", async () => {
  await using server = await startDenoServer();
  await using conn = await connectTls(to(server));
  const bytes = pattern(100_000);
  const echo = readExactly(conn, bytes.length);
  await conn.write(bytes);
  await conn.closeWrite();
  await tlsError(conn.write(new Uint8Array(1)), "ERR_TLS_CLOSED", { origin: "local" });
  assertEquals(await echo, bytes);
  assertEquals(await readText(conn), null);
  await conn.closeWrite();
});

Deno.test("closeWrite() waits for the writes before it", async () => {
  await using server = await startDenoServer();
  await using conn = await connectTls(to(server));
  const bytes = pattern(300_000);
  const echo = readExactly(conn, bytes.length);
  echo.catch(() => {});
  const writing = conn.write(bytes);
  const closing = conn.closeWrite();
  assertEquals(await within(writing, "the write"), bytes.length);
  await within(closing, "closeWrite()");
  assertEquals(await echo, bytes);
  assertEquals(await readText(conn), null);
});

Deno.test("close() does not wait for a peer that takes nothing", needs("openssl"), async () => {
  await using server = await startOpensslServer({ rev: true });
  const conn = await connectTls(to(server));
  Deno.kill(server.pid, "SIGSTOP");
  try {
    const writing = conn.write(new Uint8Array(TOO_MUCH));
    writing.catch(() => {});
    const reading = conn.read(new Uint8Array(1));
    reading.catch(() => {});
    assert(await staysPending(writing, 500));
    await closeWithinBound(conn);
    await tlsError(writing, "ERR_TLS_CLOSED", { origin: "local" });
    await tlsError(reading, "ERR_TLS_CLOSED", { origin: "local" });
  } finally {
    Deno.kill(server.pid, "SIGCONT");
  }
});

Deno.test(
  "close() of a failed connection returns, and its error stays",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ rev: true });
    await using proxy = startTcpProxy({ targetPort: server.port });
    const conn = await connectTls(to(proxy));
    await conn.getSession();
    await proxy[Symbol.asyncDispose]();
    await tlsError(conn.read(new Uint8Array(1)), "ERR_TLS_TRUNCATED");
    await closeWithinBound(conn);
    await tlsError(conn.read(new Uint8Array(1)), "ERR_TLS_TRUNCATED");
    await tlsError(conn.write(new Uint8Array(1)), "ERR_TLS_TRUNCATED");
  },
);

Deno.test(
  "a connection that failed lets go of its socket though nobody closes it",
  needs("openssl"),
  async () => {
    // The sanitizers of this test would tell.
    await using server = await startOpensslServer({ rev: true });
    const conn = await connectTls(to(server));
    await conn.write(bytesOf("abc\n"));
    assertEquals(await readText(conn), "cba\n");
    Deno.kill(server.pid, "SIGKILL");
    await tlsError(conn.read(new Uint8Array(1)), "ERR_TLS_TRUNCATED");
    await tlsError(conn.write(new Uint8Array(1)), "ERR_TLS_TRUNCATED");
  },
);

Deno.test("data that was not read does not keep close() from its end", async () => {
  await using server = await startDenoServer();
  await using proxy = startTcpProxy({ targetPort: server.port });
  const conn = await connectTls(to(proxy));
  await conn.write(pattern(50_000));
  const echoed = () => proxy.connections[0].fromServer().length;
  await until(() => echoed() > 50_000, "the echo is on its way");
  await closeWithinBound(conn);
  assertGreater(echoed(), 50_000);
});

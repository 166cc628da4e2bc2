/**
 * Guards: a bug that stops an engine instance fails the connections of that instance, all of them
 * and at once, by `ERR_TLS_ENGINE_PANICKED`; the next connection gets a fresh instance, under the
 * contexts and with the sessions that were there before.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClientContext, connectTls, listenTls, ServerContext, TlsError } from "../../mod.ts";
import { ClientEngine } from "../../src/client_engine.ts";
import type { EngineInstance } from "../../src/engine.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { startSilentServer } from "../peers/raw.ts";
import { runScript } from "../peers/process.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { until, within } from "./bounded.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const hostname = "127.0.0.1";
const context = new ClientContext({ caCerts: [caCert("ec")] });

/** Stops the instance in use, and returns it. */
function panic(): EngineInstance {
  const instance = currentEngine();
  assertPanicked(assertThrows(() => instance.call((exports) => exports.panic_for_test())));
  return instance;
}

function assertPanicked(error: unknown): void {
  assert(error instanceof TlsError, `${error} is a TlsError`);
  assertEquals([error.code, error.origin], ["ERR_TLS_ENGINE_PANICKED", "local"]);
}

async function assertRejectsPanicked(promise: Promise<unknown>, what: string): Promise<void> {
  assertPanicked(await assertRejects(() => within(promise, what)));
}

async function echo(conn: Awaited<ReturnType<typeof connectTls>>): Promise<void> {
  await conn.write(new TextEncoder().encode("hello"));
  const buffer = new Uint8Array(100);
  let text = "";
  while (text.length < 5) {
    const n = await within(conn.read(buffer), "the echo");
    text += new TextDecoder().decode(buffer.subarray(0, n!));
  }
  assertEquals(text, "hello");
}

Deno.test("a panic fails everything that a connection is asked for, at once", async () => {
  await using server = await startDenoServer();
  const conn = await connectTls({ hostname, port: server.port, context });
  await echo(conn);
  // Nothing more comes from the peer: what waits does not wait for it.
  const pending = conn.read(new Uint8Array(10));
  pending.catch(() => {});
  panic();
  await assertRejectsPanicked(pending, "the read under way ends");
  await assertRejectsPanicked(conn.read(new Uint8Array(10)), "a read ends");
  await assertRejectsPanicked(conn.write(new Uint8Array(10)), "a write ends");
  await assertRejectsPanicked(conn.closeWrite(), "closeWrite ends");
  await within(conn.close(), "close() resolves");
});

Deno.test("a panic ends a wait for a session", async () => {
  await using silent = startSilentServer();
  await using server = await startDenoServer();
  // `getSession()` has one already on most servers: take those first.
  await using conn = await connectTls({ hostname, port: server.port, context });
  await conn.getSession();
  const iterator = conn.sessions();
  await iterator.next();
  let over = false;
  const rest = (async () => {
    for await (const _ of iterator);
    over = true;
  })();
  const handshake = connectTls({ hostname, port: silent.port, context });
  handshake.catch(() => {});
  await until(() => silent.accepted() === 1, "the handshake is under way");
  panic();
  await within(rest, "sessions() ends");
  assert(over);
  await assertRejectsPanicked(handshake, "the handshake ends");
});

Deno.test("getSession() after a panic rejects where no session came before", async () => {
  await using server = await startDenoServer();
  const tls12 = new ClientContext({ caCerts: [caCert("ec")], maxVersion: "TLSv1.2" });
  await using empty = await connectTls({ hostname, port: server.port, context });
  await using full = await connectTls({ hostname, port: server.port, context: tls12 });
  // On 1.2 the ticket is part of the handshake; on 1.3 it was not read yet.
  const before = full.session;
  assertEquals([empty.session, before === null], [null, false]);
  panic();
  await assertRejectsPanicked(empty.getSession(), "getSession() ends");
  assertEquals(await full.getSession(), before);
});

Deno.test("a panic fails every connection of its instance and none of another", async () => {
  await using server = await startDenoServer();
  const { port } = server;
  await using first = await connectTls({ hostname, port, context });
  await using second = await connectTls({ hostname, port, context });
  const broken = panic();
  await using third = await connectTls({ hostname, port, context });
  assert(currentEngine() !== broken);
  await assertRejectsPanicked(first.write(new Uint8Array(1)), "the first");
  await assertRejectsPanicked(second.write(new Uint8Array(1)), "the second");
  await echo(third);

  // The end of the old ones does not touch the new one either.
  await Promise.all([first.close(), second.close()]);
  await echo(third);
  const fourth = await connectTls({ hostname, port, context });
  await echo(fourth);
  await fourth.close();
});

Deno.test("contexts and sessions outlive the instance they were used in", async () => {
  await using server = await startDenoServer();
  const { port } = server;
  const conn = await connectTls({ hostname, port, context });
  const session = await conn.getSession();
  assert(session !== null);
  await conn.close();
  panic();
  await using again = await connectTls({ hostname, port, context, session });
  assertEquals([again.sessionReused, again.sessionMiss], [true, null]);
  await echo(again);
  assert(await again.getSession() !== null);
});

Deno.test("a server's connections fail, and its listener goes on", async () => {
  const server = new ServerContext(serverCert("ec_p256"));
  const listener = listenTls({ hostname, port: 0, context: server });
  try {
    const { port } = await listener.listening;
    const accepted = listener[Symbol.asyncIterator]();
    const pair = async () => {
      const both = Promise.all([connectTls({ hostname, port, context }), accepted.next()]);
      const [client, { value }] = await within(both, "the handshake");
      return { client, served: value! };
    };
    const before = await pair();
    const reading = before.served.read(new Uint8Array(10));
    reading.catch(() => {});
    panic();
    await assertRejectsPanicked(reading, "the server's read");
    await assertRejectsPanicked(before.served.write(new Uint8Array(1)), "the server's write");
    await assertRejectsPanicked(before.client.write(new Uint8Array(1)), "the client's write");

    const after = await pair();
    await after.client.write(new Uint8Array([1, 2, 3]));
    assertEquals(await within(after.served.read(new Uint8Array(10)), "the bytes"), 3);
    const { client, served } = after;
    await Promise.all([client, served, before.client, before.served].map((conn) => conn.close()));
  } finally {
    await listener.close();
  }
});

Deno.test("an engine connection of a panicked instance says so whatever it is asked", async () => {
  const target = { context, serverName: "localhost", port: 443 };
  const { connection } = await ClientEngine.begin(target);
  panic();
  assertPanicked(connection.error);
  assertPanicked(connection.panic);
  assertPanicked(assertThrows(() => connection.inputSpace()));
  assertPanicked(assertThrows(() => connection.receiveTls(0)));
  assertPanicked(assertThrows(() => connection.pollTransmit()));
  assertPanicked(assertThrows(() => connection.writePlaintext(new Uint8Array(1))));
  assertPanicked(assertThrows(() => connection.close()));
  assertPanicked(assertThrows(() => connection.negotiated()));
  connection.free();
  connection.free();
});

Deno.test("garbage collection of a panicked instance's connections ends nothing else", async () => {
  // In a process of its own: it asks for collections, and an error there would end the process.
  const script = new URL("./panic_collected.ts", import.meta.url);
  const flags = ["-A", "--v8-flags=--expose-gc"];
  const result = await runScript(script, { flags, input: { ca: caCert("ec") } });
  assertEquals(result, { code: "ERR_TLS_ENGINE_PANICKED", next: true });
});

/**
 * Guards: memory that connections took goes back to the system: an engine has so many connections and
 * so much memory, and is let go of with its last one.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import {
  acceptTls,
  ClientContext,
  listenTls,
  ServerContext,
  startTls,
  type TlsConn,
} from "../../mod.ts";
import type { EngineInstance } from "../../src/engine.ts";
import { currentEngine, retireEngine } from "../../src/engine_pool.ts";
import { RawClient } from "../server_faults/raw_client.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { until, within } from "./bounded.ts";

const client = new ClientContext({ caCerts: [caCert("ec")] });
const server = new ServerContext(serverCert("ec_p256"));
const KIB = 1024;

function pipe(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream(undefined, { highWaterMark: 64 }, { highWaterMark: 64 });
}

async function open(): Promise<[TlsConn, TlsConn]> {
  const [up, down] = [pipe(), pipe()];
  return await within(
    Promise.all([
      startTls({ readable: down.readable, writable: up.writable }, {
        hostname: "localhost",
        context: client,
      }),
      acceptTls({ readable: up.readable, writable: down.writable }, { context: server }),
    ]),
    "the handshake",
  );
}

const close = (pairs: TlsConn[][]) => Promise.all(pairs.flat().map((conn) => conn.close()));
const bytesOf = (instance: EngineInstance) => instance.memory.buffer.byteLength;

Deno.test("an engine takes 1,024 connections, the next ones go to another", async () => {
  const first = currentEngine();
  const pairs: TlsConn[][] = [];
  for (let i = 0; i < 520; i++) pairs.push(await open());
  const second = currentEngine();
  assert(second !== first);
  assertEquals(first.connections, 1024);
  await close(pairs);
  assertEquals([first.connections, second.connections], [0, 0]);
  assert(currentEngine() === first, "the older one is used again, and the younger one let go of");
});

Deno.test("an engine whose memory is large takes no connection any more", async () => {
  const large = currentEngine();
  const [conn, peer] = await open();
  large.memory.grow(17 * 16);
  assert(currentEngine() !== large);
  // Its connections live on.
  const buffer = new Uint8Array(10);
  await Promise.all([conn.write(new Uint8Array([1])), peer.read(buffer)]);
  assertEquals(buffer[0], 1);
  const later = await open();
  assertEquals(large.connections, 2);
  await close([[conn, peer], later]);
  assertEquals(large.connections, 0);
  assertLess(bytesOf(currentEngine()), 17 * KIB * KIB);
});

Deno.test("idle connections hold some KiB each, whatever they carried", async () => {
  const engine = currentEngine();
  const pairs: [TlsConn, TlsConn][] = [];
  for (let i = 0; i < 50; i++) pairs.push(await open());
  const before = bytesOf(engine);
  const message = new Uint8Array(1_000_000);
  for (const [a, b] of pairs) {
    const received = new Uint8Array(64 * KIB);
    const writing = a.write(message);
    for (let n = 0; n < message.length;) n += (await b.read(received))!;
    await writing;
    // A read under way, as an idle connection has one.
    b.read(received).catch(() => {});
  }
  assertLessOrEqual(bytesOf(engine) - before, 1024 * KIB, "one large buffer, used in turn");
  await close(pairs);
});

Deno.test("clients that send nothing cost no memory of the engine", async () => {
  const listener = listenTls({ hostname: "127.0.0.1", port: 0, context: server });
  const { port } = await listener.listening;
  const engine = currentEngine();
  const [before, connections] = [bytesOf(engine), engine.connections];
  const accepted = server.stats().accept;
  const silent: RawClient[] = [];
  for (let i = 0; i < 300; i++) silent.push(await RawClient.connect(port));
  await until(() => server.stats().accept === accepted + 300, "all of them are there");
  assertEquals([bytesOf(engine), engine.connections], [before, connections]);
  for (const each of silent) each[Symbol.dispose]();
  await listener.close();
});

Deno.test("half-open clients hold what they sent, up to a bound", async () => {
  const listener = listenTls({ hostname: "127.0.0.1", port: 0, context: server });
  const { port } = await listener.listening;
  // One of its own: others have room left from what was freed.
  retireEngine(currentEngine());
  const engine = currentEngine();
  const before = bytesOf(engine);
  const clients: RawClient[] = [];
  const sent = 20;
  for (let i = 0; i < sent; i++) {
    const each = await RawClient.connect(port);
    // Of a ClientHello of 60 KiB all but its end.
    const message = new Uint8Array(60 * KIB);
    message.set([1, 0, 0xf0, 0]);
    for (let at = 0; at < message.length - 20 * KIB; at += 10 * KIB) {
      const part = message.subarray(at, at + 10 * KIB);
      await each.send(new Uint8Array([22, 3, 1, part.length >> 8, part.length & 255, ...part]));
    }
    clients.push(each);
  }
  await until(() => engine.connections === sent, "all of them are heard");
  await new Promise((resolve) => setTimeout(resolve, 100));
  const held = bytesOf(engine) - before;
  assertGreater(held, sent * 30 * KIB);
  assertLess(held, sent * 90 * KIB);
  for (const each of clients) each[Symbol.dispose]();
  await listener.close();
});

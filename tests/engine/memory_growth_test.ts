/**
 * Guards: wasm memory that grows while a transport works in it, which detaches every view of it,
 * loses no byte: neither of a read under way, nor of a write that the peer takes bit by bit.
 *
 * @module
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { ClientContext, connectTls, startTls, type TlsConn } from "../../mod.ts";
import { ClientEngine } from "../../src/client_engine.ts";
import { provideConnector } from "../../src/connector.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { denoConnect } from "../../src/transport/deno.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { caCert } from "../testdata/mod.ts";
import { within } from "./bounded.ts";
import { pseudoRandom } from "./driver.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const hostname = "127.0.0.1";
const context = new ClientContext({ caCerts: [caCert("ec")] });

function memory(): ArrayBuffer {
  return currentEngine().memory.buffer as ArrayBuffer;
}

/** Grows the memory as a program does: by connections. */
async function growByConnections(): Promise<void> {
  const before = memory();
  const clients: ClientEngine[] = [];
  while (memory() === before) {
    const client = await ClientEngine.begin({ context, serverName: "localhost", port: 443 });
    client.connection.inputSpace();
    clients.push(client);
  }
  for (const { connection } of clients) connection.free();
  assertEquals(before.byteLength, 0);
}

/** Grows the memory by a page. */
function grow(): void {
  currentEngine().memory.grow(1);
}

function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = pseudoRandom(seed);
  return Uint8Array.from({ length }, () => random() * 256);
}

async function readExactly(conn: TlsConn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const n = await within(conn.read(bytes.subarray(at)), `${length - at} more bytes`);
    assert(n !== null, "no end yet");
    at += n;
  }
  return bytes;
}

/** Echoes messages, each of which is waited for while the memory grows. */
async function echoWhileGrowing(conn: TlsConn): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const message = noise(round % 4 === 0 ? 40_000 : 100 + round, round);
    const echo = readExactly(conn, message.length);
    echo.catch(() => {});
    // The read is under way: nothing was sent yet.
    if (round % 5 === 0) await growByConnections();
    else grow();
    await within(conn.write(message), "the write");
    assertEquals(await echo, message);
  }
}

Deno.test("a read under way on a TCP socket delivers while the memory grows", async () => {
  await using server = await startDenoServer();
  await using conn = await connectTls({ hostname, port: server.port, context });
  await echoWhileGrowing(conn);
});

Deno.test("a read under way on a stream delivers while the memory grows", async () => {
  await using server = await startDenoServer();
  const socket = await Deno.connect({ hostname, port: server.port });
  await using conn = await startTls(socket, { hostname, port: server.port, context });
  await echoWhileGrowing(conn);
});

/** Takes and gives a few bytes at a time, with the memory growing whenever it waits. */
function oddTransport(inner: Transport, random: () => number): Transport & { writes: number } {
  const received = new Uint8Array(64 * 1024);
  let rest = new Uint8Array(0);
  const transport = {
    writes: 0,
    async read(room: (available: number) => Uint8Array): Promise<number | null> {
      if (rest.length === 0) {
        const n = await inner.read(() => received);
        if (n === null) return null;
        rest = received.slice(0, n);
      }
      if (random() < 0.3) grow();
      await Promise.resolve();
      const into = room(rest.length);
      const n = Math.min(rest.length, into.length, 1 + Math.floor(random() * 3_000));
      if (n > 0) into.set(rest.subarray(0, n));
      rest = rest.subarray(n);
      return n;
    },
    async write(bytes: Uint8Array): Promise<number> {
      transport.writes++;
      const part = bytes.slice(0, 1 + Math.floor(random() * 5_000));
      if (random() < 0.3) grow();
      for (let at = 0; at < part.length;) at += await inner.write(part.subarray(at));
      return part.length;
    },
    closeWrite: () => inner.closeWrite!(),
    close: () => inner.close(),
  };
  return transport;
}

Deno.test("a transport that takes bytes in parts loses none while the memory grows", async () => {
  await using server = await startDenoServer();
  let transport: ReturnType<typeof oddTransport> | undefined;
  provideConnector(async (target, signal) => {
    return transport = oddTransport(await denoConnect(target, signal), pseudoRandom(7));
  });
  try {
    await using conn = await connectTls({ hostname, port: server.port, context });
    const message = noise(300_000, 1);
    const echo = readExactly(conn, message.length);
    echo.catch(() => {});
    await within(conn.write(message), "the write");
    assertEquals(await echo, message);
    assertGreater(transport!.writes, 50);
  } finally {
    provideConnector(denoConnect);
  }
});

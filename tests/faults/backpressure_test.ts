/**
 * Guards: a slow side slows the other one down: what is not taken is not encrypted ahead, what is
 * not read is not received without bound, and nothing is lost when it goes on.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { connectTls, startTls } from "../../mod.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { staysPending, within } from "../engine/bounded.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { TcpListener } from "../peers/tcp_listener.ts";
import { context, hostname, pattern, readExactly, to } from "./fixtures.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const MIB = 1024 * 1024;
/** More than the socket buffers of both ends hold. */
const TOO_MUCH = 24 * MIB;

/** Relays, but takes nothing of the client while `shut`. */
function startGate(targetPort: number) {
  let opened = Promise.withResolvers<void>();
  let taken = 0;
  opened.resolve();
  const copy = async (from: Deno.TcpConn, to: Deno.TcpConn, gated: boolean) => {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      if (gated) await opened.promise;
      const n = await from.read(buffer);
      if (n === null) break;
      if (gated) taken += n;
      for (let at = 0; at < n;) at += await to.write(buffer.subarray(at, n));
    }
    await to.closeWrite();
  };
  const listener = new TcpListener(async (client, own) => {
    const server = own(await Deno.connect({ hostname, port: targetPort }));
    await Promise.all([copy(client, server, true), copy(server, client, false)]);
  });
  return {
    port: listener.port,
    taken: () => taken,
    shut: () => {
      opened = Promise.withResolvers();
    },
    open: () => opened.resolve(),
    [Symbol.asyncDispose]: () => {
      opened.resolve();
      return listener[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a write waits while the peer takes nothing, in bounded memory, and then goes on", async () => {
  await using server = await startDenoServer();
  await using gate = startGate(server.port);
  await using conn = await connectTls(to(gate));
  gate.shut();
  const memory = currentEngine().memory.buffer.byteLength;
  const bytes = pattern(TOO_MUCH);
  const writing = conn.write(bytes);
  writing.catch(() => {});
  assert(await staysPending(writing, 1_500));
  // Between them are a record's encryption and the buffer it goes out of.
  assertLess(currentEngine().memory.buffer.byteLength, memory + MIB);
  gate.open();
  assertEquals(await readExactly(conn, bytes.length), bytes);
  assertEquals(await within(writing, "the write"), bytes.length);
  assertGreater(gate.taken(), TOO_MUCH);
});

/** A TLS connection over streams, whose sink the test may stop. */
async function overStoppableSink(port: number) {
  const socket = await Deno.connect({ hostname, port });
  let stopped: PromiseWithResolvers<void> | undefined;
  let taken = 0;
  const sink = socket.writable.getWriter();
  const writable = new WritableStream<Uint8Array>({
    async write(chunk) {
      await stopped?.promise;
      taken += chunk.length;
      await sink.write(chunk);
    },
    close: () => sink.close(),
    abort: (reason) => sink.abort(reason),
  });
  const conn = await startTls({ readable: socket.readable, writable }, { hostname, port, context });
  return {
    conn,
    taken: () => taken,
    stop: () => {
      stopped = Promise.withResolvers();
    },
    go: () => {
      stopped?.resolve();
      stopped = undefined;
    },
  };
}

Deno.test("no more than one piece is given to a sink that is stuck", async () => {
  await using server = await startDenoServer();
  const { conn, stop, go, taken } = await overStoppableSink(server.port);
  await using _ = conn;
  stop();
  const before = taken();
  const bytes = pattern(MIB);
  const writing = conn.write(bytes);
  writing.catch(() => {});
  const second = conn.write(bytes);
  second.catch(() => {});
  assert(await staysPending(writing));
  assertEquals(taken(), before);
  assert(await staysPending(second, 10));
  go();
  assertEquals(await readExactly(conn, bytes.length), bytes);
  assertEquals(await readExactly(conn, bytes.length), bytes);
  assertEquals(await within(Promise.all([writing, second]), "the writes"), [MIB, MIB]);
});

Deno.test("close() does not wait for a sink that is stuck", async () => {
  await using server = await startDenoServer();
  const { conn, stop, go } = await overStoppableSink(server.port);
  stop();
  const writing = conn.write(pattern(MIB));
  writing.catch(() => {});
  assert(await staysPending(writing, 50));
  await within(conn.close(), "close() returns", 10_000);
  await within(writing.catch(() => {}), "the write settles");
  go();
});

Deno.test("writable waits while the peer takes nothing", async () => {
  await using server = await startDenoServer();
  const { conn, stop, go } = await overStoppableSink(server.port);
  await using _ = conn;
  const writer = conn.writable.getWriter();
  await writer.ready;
  stop();
  const writing = writer.write(pattern(1000));
  writing.catch(() => {});
  assertEquals(writer.desiredSize, 0);
  const { ready } = writer;
  assert(await staysPending(ready, 50));
  go();
  await within(writing, "the write");
  await within(ready, "the writer is ready");
  assertEquals(await readExactly(conn, 1000), pattern(1000));
});

Deno.test("nothing is received before it is asked for, nor read ahead without bound", async () => {
  await using server = await startDenoServer();
  const { conn } = await overStoppableSink(server.port);
  await using _ = conn;
  let pulled = 0;
  const before = currentEngine().memory.buffer.byteLength;
  const bytes = pattern(4 * MIB);
  const writing = conn.write(bytes);
  writing.catch(() => {});
  const stream = conn.readable.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        pulled += chunk.length;
        controller.enqueue(chunk);
      },
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, 300));
  assertLess(pulled, MIB);
  assertLess(currentEngine().memory.buffer.byteLength, before + 2 * MIB);
  const reader = stream.getReader();
  const echo = new Uint8Array(bytes.length);
  for (let at = 0; at < echo.length;) {
    const { value } = await within(reader.read(), "more of the echo");
    echo.set(value!, at);
    at += value!.length;
  }
  assertEquals(echo, bytes);
  assertEquals(await within(writing, "the write"), bytes.length);
});

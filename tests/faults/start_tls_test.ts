/**
 * Guards: `startTls` runs over any pair of byte streams: chunks of odd sizes, tunnels of messages,
 * TLS within TLS; and over streams that stall, fail or end it fails as a socket does.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { type ByteStreams, startTls, type StartTlsOptions } from "../../mod.ts";
import { pseudoRandom } from "../engine/driver.ts";
import { staysPending, until, within } from "../engine/bounded.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { isAlert } from "../peers/faults.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { readRecords } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { serverCert } from "../testdata/mod.ts";
import {
  bytesOf,
  context,
  hostname,
  pattern,
  readExactly,
  readText,
  rejection,
  tlsError,
} from "./fixtures.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const options: StartTlsOptions = { hostname, context };
const SHORT_MS = 200;

async function socketTo(port: number): Promise<ByteStreams> {
  const { readable, writable } = await Deno.connect({ hostname, port });
  return { readable, writable };
}

/** A pipe that takes some chunks though nobody reads them. */
function pipe(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream(undefined, undefined, { highWaterMark: 10 });
}

/** Cuts chunks into sizes that have nothing to do with what was written. */
function recut(size: () => number): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(chunk, controller) {
      for (let at = 0; at < chunk.length;) {
        const end = at + size();
        controller.enqueue(chunk.slice(at, end));
        at = end;
      }
    },
  });
}

/** Joins chunks: what was written apart comes together, on `every` one. */
function join(every: number): TransformStream<Uint8Array, Uint8Array> {
  let waiting: Uint8Array[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = async (controller: TransformStreamDefaultController<Uint8Array>) => {
    clearTimeout(timer);
    const joined = await new Blob(waiting.splice(0) as BlobPart[]).bytes();
    if (joined.length > 0) controller.enqueue(joined);
  };
  return new TransformStream({
    async transform(chunk, controller) {
      waiting = [...waiting, chunk];
      clearTimeout(timer);
      if (waiting.length >= every) await flush(controller);
      // Nothing is kept for good: a handshake waits for its last piece.
      else timer = setTimeout(() => void flush(controller), 5);
    },
    flush,
  });
}

/** Streams with a transformation in each direction. */
function through(
  { readable, writable }: ByteStreams,
  transform: () => TransformStream<Uint8Array, Uint8Array>,
): ByteStreams {
  const up = transform();
  up.readable.pipeTo(writable).catch(() => {});
  return { readable: readable.pipeThrough(transform()), writable: up.writable };
}

const SHAPES: Record<string, () => TransformStream<Uint8Array, Uint8Array>> = {
  "one byte each": () => recut(() => 1),
  "seven bytes each": () => recut(() => 7),
  "odd sizes, and empty ones": () => {
    const random = pseudoRandom(11);
    return recut(() => random() < 0.3 ? 0 : Math.floor(random() * 5_000));
  },
  "several joined into one": () => join(4),
};

for (const [name, shape] of Object.entries(SHAPES)) {
  Deno.test(`chunks of ${name} carry a connection`, async () => {
    await using server = await startDenoServer();
    const streams = through(await socketTo(server.port), shape);
    await using conn = await startTls(streams, options);
    const bytes = pattern(30_000);
    const [echo] = await within(
      Promise.all([readExactly(conn, bytes.length), conn.write(bytes)]),
      "the echo",
    );
    assertEquals(echo, bytes);
    assert(await conn.getSession() !== null);
    await conn.closeWrite();
    assertEquals(await readText(conn), null);
  });
}

Deno.test("a session taken over streams resumes over other streams", async () => {
  await using server = await startDenoServer();
  const first = await startTls(await socketTo(server.port), { ...options, port: server.port });
  const session = (await first.getSession())!;
  await first.close();
  await using second = await startTls(
    through(await socketTo(server.port), () => recut(() => 100)),
    { ...options, port: server.port, session: session.toBytes() },
  );
  assertEquals([second.sessionReused, second.sessionMiss], [true, null]);
});

/** A tunnel of messages, as a `WebSocketStream` is one: each chunk is a message of its own. */
async function messageTunnel(port: number): Promise<ByteStreams> {
  const socket = await socketTo(port);
  const writer = socket.writable.getWriter();
  const reader = socket.readable.getReader();
  return {
    readable: new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    }),
    writable: new WritableStream<Uint8Array>({
      async write(message) {
        // A message is handed over whole, and its memory with it.
        const transfer = [message.buffer as ArrayBuffer];
        await writer.write(structuredClone(message, { transfer }));
      },
      close: () => writer.close(),
      abort: (reason) => writer.abort(reason),
    }),
  };
}

Deno.test("a tunnel that takes the memory of its messages carries a connection", async () => {
  await using server = await startDenoServer();
  await using conn = await startTls(await messageTunnel(server.port), options);
  for (let round = 0; round < 10; round++) {
    const bytes = pattern(10_000 + round);
    await conn.write(bytes);
    assertEquals(await readExactly(conn, bytes.length), bytes);
  }
});

Deno.test("TLS within TLS carries a connection, and its end", async () => {
  await using inner = await startDenoServer();
  const { cert, key } = serverCert("ec_p256");
  const outer = Deno.listenTls({ hostname, port: 0, cert, key });
  const relaying = (async () => {
    const conn = await outer.accept();
    const { readable, writable } = await Deno.connect({ hostname, port: inner.port });
    await Promise.allSettled([conn.readable.pipeTo(writable), readable.pipeTo(conn.writable)]);
  })();
  try {
    const tunnel = await startTls(await socketTo(outer.addr.port), options);
    const conn = await startTls(tunnel, options);
    const bytes = pattern(200_000);
    const [echo] = await within(
      Promise.all([readExactly(conn, bytes.length), conn.write(bytes)]),
      "the echo",
    );
    assertEquals(echo, bytes);
    await within(conn.close(), "the inner close()");
    await within(tunnel.close(), "the outer close()");
    await within(relaying, "the relay ends");
  } finally {
    outer.close();
  }
});

Deno.test("a sink that stalls in the handshake: ERR_TLS_HANDSHAKE_TIMEOUT, in time", async () => {
  const { readable } = new TransformStream<Uint8Array, Uint8Array>();
  const writable = new WritableStream<Uint8Array>({ write: () => new Promise(() => {}) });
  const starting = startTls({ readable, writable }, { ...options, handshakeTimeout: SHORT_MS });
  await tlsError(starting, "ERR_TLS_HANDSHAKE_TIMEOUT");
});

Deno.test("a source that says nothing: ERR_TLS_HANDSHAKE_TIMEOUT", async () => {
  const fromPeer = new TransformStream<Uint8Array, Uint8Array>();
  const toPeer = pipe();
  const streams = { readable: fromPeer.readable, writable: toPeer.writable };
  await tlsError(
    startTls(streams, { ...options, handshakeTimeout: SHORT_MS }),
    "ERR_TLS_HANDSHAKE_TIMEOUT",
  );
});

Deno.test("a stream that fails: ERR_TLS_TRANSPORT, with its cause", async () => {
  const cause = new Error("the tunnel fell in");
  const failing = new ReadableStream<Uint8Array>({
    pull() {
      throw cause;
    },
  });
  const refusing = new WritableStream<Uint8Array>({
    write() {
      throw cause;
    },
  });
  for (
    const streams of [
      { readable: failing, writable: pipe().writable },
      { readable: pipe().readable, writable: refusing },
    ]
  ) {
    const error = await tlsError(startTls(streams, options), "ERR_TLS_TRANSPORT", {
      origin: "transport",
    });
    assertStrictEquals(error.cause, cause);
  }
});

Deno.test("a stream that fails after the handshake: ERR_TLS_TRANSPORT, with its cause", async () => {
  await using server = await startDenoServer();
  const { readable, writable } = await socketTo(server.port);
  const cause = new Error("the tunnel fell in");
  let fail = false;
  const failing = readable.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        if (fail) controller.error(cause);
        else controller.enqueue(chunk);
      },
    }),
  );
  await using conn = await startTls({ readable: failing, writable }, options);
  await conn.getSession();
  fail = true;
  await conn.write(bytesOf("abc"));
  const error = await tlsError(conn.read(new Uint8Array(10)), "ERR_TLS_TRANSPORT");
  assertStrictEquals(error.cause, cause);
});

Deno.test("a stream that ends: ERR_TLS_TRUNCATED", async () => {
  const readable = ReadableStream.from<Uint8Array>([]);
  const { writable } = pipe();
  await tlsError(startTls({ readable, writable }, options), "ERR_TLS_TRUNCATED");
});

Deno.test("chunks that are no bytes: ERR_TLS_TRANSPORT", async () => {
  const readable = ReadableStream.from(["text"]) as unknown as ReadableStream<Uint8Array>;
  const { writable } = pipe();
  const error = await tlsError(startTls({ readable, writable }, options), "ERR_TLS_TRANSPORT");
  assertInstanceOf(error.cause, TypeError);
});

Deno.test("streams that are none, or are locked, are TypeErrors", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const bad: [unknown, string][] = [
    [undefined, "readable"],
    [{ readable }, "writable"],
    [{ readable: writable, writable: readable }, "readable"],
  ];
  for (const [streams, name] of bad) {
    const error = await rejection(startTls(streams as ByteStreams, options));
    assertInstanceOf(error, TypeError);
    assert(error.message.includes(`"${name}"`), error.message);
  }
  readable.getReader();
  assertInstanceOf(await rejection(startTls({ readable, writable }, options)), TypeError);
});

Deno.test("the streams stay locked while the connection is open", needs("openssl"), async () => {
  await using server = await startOpensslServer({ rev: true });
  const streams = await socketTo(server.port);
  const conn = await startTls(streams, options);
  assert(streams.readable.locked && streams.writable.locked);
  await conn.write(bytesOf("abc\n"));
  assertEquals(await readText(conn), "cba\n");
  await conn.close();
});

Deno.test("close() ends both streams, after close_notify", async () => {
  await using server = await startDenoServer();
  const { readable, writable } = await socketTo(server.port);
  const events: string[] = [];
  const writer = writable.getWriter();
  const streams: ByteStreams = {
    readable,
    writable: new WritableStream({
      async write(chunk) {
        for (const record of readRecords(chunk)) if (isAlert(record)) events.push("alert");
        await writer.write(chunk);
      },
      async close() {
        events.push("the sink was closed");
        await writer.close();
      },
    }),
  };
  const conn = await startTls(streams, options);
  await conn.write(bytesOf("abc"));
  assertEquals(await readText(conn), "abc");
  await conn.close();
  await until(() => events.length === 2, "the sink has ended");
  assertEquals(events, ["alert", "the sink was closed"]);
  // The source is cancelled, or its socket would be left open: the sanitizers would tell.
});

Deno.test("a write over a stalled sink settles when the connection closes", async () => {
  await using server = await startDenoServer();
  const { readable, writable } = await socketTo(server.port);
  const released = Promise.withResolvers<void>();
  let stalled = false;
  const sink = new TransformStream<Uint8Array, Uint8Array>({
    async transform(chunk, controller) {
      if (stalled) await released.promise;
      controller.enqueue(chunk);
    },
  });
  const piping = sink.readable.pipeTo(writable).catch(() => {});
  const conn = await startTls({ readable, writable: sink.writable }, options);
  stalled = true;
  const writing = conn.write(pattern(500_000));
  writing.catch(() => {});
  assert(await staysPending(writing, 50));
  await within(conn.close(), "close() returns", 10_000);
  await tlsError(writing, "ERR_TLS_CLOSED");
  released.resolve();
  await within(piping, "the pipe ends");
});

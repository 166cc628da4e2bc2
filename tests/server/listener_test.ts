/**
 * The listener: a client that is slow, bad or gone ends nothing but its own handshake; what is under
 * way is bounded; and an end lets finish what has begun.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { listenTls, type ListenTlsOptions, ServerContext, startTls, TlsError } from "../../mod.ts";
import { serverContextInternals } from "../../src/server_context.ts";
import { bounded } from "../interop/visit.ts";
import { settledWithin } from "../peers/child.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { connectTo, resumed, VERSIONS, visitAt } from "./client.ts";
import { serve, type TestServer } from "./in_process.ts";

const CERT = serverCert("ec_p256");
const CONTEXT = new ServerContext(CERT);

function tcpTo({ port }: { port: number }): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

const code = (error: Error) => (error as TlsError).code;

/** Waits until a condition holds. */
async function until(condition: () => boolean): Promise<void> {
  const wait = async () => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await bounded(wait(), `${condition}`);
}

/** Bytes that the server sends, to its end; nothing if it resets. */
async function readRaw(conn: Deno.TcpConn): Promise<Uint8Array> {
  const received: number[] = [];
  const buffer = new Uint8Array(4096);
  const reading = async () => {
    for (let n; (n = await conn.read(buffer).catch(() => null)) !== null;) {
      received.push(...buffer.subarray(0, n));
    }
  };
  await bounded(reading(), "the server's end");
  return new Uint8Array(received);
}

Deno.test("a client that says nothing is given up, and told to onError", async () => {
  await using server = await serve(CONTEXT, { handshakeTimeout: 200 });
  using silent = await tcpTo(server);
  assertEquals(await readRaw(silent), new Uint8Array(0));
  await server.failed(1);
  assertEquals(server.errors.map(({ code }) => code), ["ERR_TLS_HANDSHAKE_TIMEOUT"]);
});

Deno.test("a client that drips is given up as well", async () => {
  await using server = await serve(CONTEXT, { handshakeTimeout: 300 });
  using slow = await tcpTo(server);
  const over = readRaw(slow);
  // A record of 16 KiB, a byte at a time: each is progress, and none is a handshake.
  const drip = (async () => {
    await slow.write(new Uint8Array([22, 3, 1, 0x40, 0]));
    while (server.errors.length === 0) {
      await slow.write(new Uint8Array([1])).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  await Promise.all([over, bounded(drip, "the timeout")]);
  assertEquals(server.errors.map(({ code }) => code), ["ERR_TLS_HANDSHAKE_TIMEOUT"]);
});

for (const version of VERSIONS) {
  Deno.test(`who has shaken hands may be silent for longer, ${version}`, async () => {
    await using server = await serve(CONTEXT, { handshakeTimeout: 250 });
    await using conn = await connectTo(server, { version });
    await until(() => server.reports.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await conn.write(new TextEncoder().encode("hello\n"));
    const n = await bounded(conn.read(new Uint8Array(4096)), "an answer");
    assert(n !== null && n > 0);
  });
}

const text = (each: string) => new TextEncoder().encode(each);

/** What some clients send instead of a handshake, and how the server takes it. */
const BAD: [string, Uint8Array<ArrayBuffer>, string[]][] = [
  ["ends at once", new Uint8Array(0), ["ERR_TLS_TRUNCATED"]],
  ["speaks HTTP", text("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"), ["ERR_TLS_PEER_MISBEHAVED"]],
  ["sends zeros", new Uint8Array(1000), ["ERR_TLS_PEER_MISBEHAVED"]],
  ["begins a hello and ends", new Uint8Array([22, 3, 1, 0, 100, 1, 0]), ["ERR_TLS_TRUNCATED"]],
  [
    "sends an empty hello",
    new Uint8Array([22, 3, 1, 0, 4, 1, 0, 0, 0]),
    ["ERR_TLS_PEER_MISBEHAVED"],
  ],
  [
    "sends a hello with a length beyond its end",
    new Uint8Array([22, 3, 1, 0, 8, 1, 0, 0, 4, 3, 3, 255, 255]),
    ["ERR_TLS_PEER_MISBEHAVED"],
  ],
  ["begins with application data", new Uint8Array([23, 3, 3, 0, 1, 0]), [
    "ERR_TLS_PEER_MISBEHAVED",
  ]],
  ["begins with an alert", new Uint8Array([21, 3, 3, 0, 2, 2, 40]), ["ERR_TLS_ALERT_RECEIVED"]],
  [
    "sends a record that is too long",
    new Uint8Array([22, 3, 1, 255, 255, 1, 0, 0, 0]),
    ["ERR_TLS_PEER_MISBEHAVED"],
  ],
  [
    "begins with another handshake message",
    new Uint8Array([22, 3, 3, 0, 4, 20, 0, 0, 0]),
    ["ERR_TLS_PEER_MISBEHAVED"],
  ],
];

for (const [what, bytes, codes] of BAD) {
  Deno.test(`a client that ${what} ends nothing but itself`, async () => {
    await using server = await serve(CONTEXT);
    using bad = await tcpTo(server);
    if (bytes.length > 0) await bad.write(bytes);
    await bad.closeWrite();
    await readRaw(bad);
    await server.failed(1);
    assertEquals(server.errors.map(({ code }) => code), codes);
    assertEquals(resumed(await visitAt(server)), [false, false]);
  });
}

Deno.test("noise of many clients at once ends nothing", async () => {
  await using server = await serve(CONTEXT);
  const bad = async (i: number) => {
    using conn = await tcpTo(server);
    const bytes = crypto.getRandomValues(new Uint8Array(1 + i * 97));
    // Half of them begin like a handshake.
    if (i % 2 === 0) bytes.set([22, 3, 1].slice(0, bytes.length));
    await conn.write(bytes).catch(() => {});
    await conn.closeWrite().catch(() => {});
    await readRaw(conn);
  };
  const good = Array.from({ length: 10 }, () => visitAt(server));
  await Promise.all(Array.from({ length: 40 }, (_, i) => bad(i)));
  assertEquals((await Promise.all(good)).length, 10);
  await server.failed(40);
  assertEquals([server.errors.length, server.reports.length], [40, 10]);
});

Deno.test("onError that throws ends nothing", async () => {
  await using server = await serve(CONTEXT, {
    onError() {
      throw new Error("as it was told");
    },
  });
  {
    using bad = await tcpTo(server);
    await bad.closeWrite();
    await readRaw(bad);
  }
  await server.failed(1);
  assertEquals(resumed(await visitAt(server)), [false, false]);
});

Deno.test("at maxPending the oldest client that has sent nothing goes for the next one", async () => {
  const context = new ServerContext(CERT);
  await using server = await serve(context, { maxPending: 3 });
  const silent: Deno.TcpConn[] = [];
  for (let i = 0; i < 3; i++) {
    silent.push(await tcpTo(server));
    await until(() => context.stats().accept === i + 1);
  }
  assertEquals(resumed(await visitAt(server)), [false, false]);
  assertEquals(await readRaw(silent[0]), new Uint8Array(0), "the first was closed");
  assertEquals(context.stats().refused, 1);
  await server.failed(1);
  assertEquals(server.errors.map(code), ["ERR_TLS_OVERLOADED"]);
  for (const conn of silent) conn.close();
  await server.failed(3);
});

Deno.test("at maxPending handshakes under way stay, and others wait for their turn", async () => {
  const context = new ServerContext(CERT);
  await using server = await serve(context, { maxPending: 3 });
  const clients = await Promise.all([1, 2, 3].map(() => halfway(server, context)));
  const visit = visitAt(server);
  assertEquals(await settledWithin(visit, 300), false);
  assertEquals(context.stats().accept, 3, "no more were begun");
  clients[0].go();
  assertEquals(resumed(await visit), [false, false]);
  for (const { go } of clients) go();
  await Promise.all(clients.map(async ({ conn, piping }) => {
    await (await conn).close();
    await piping;
  }));
  assertEquals(context.stats().refused, 0);
});

Deno.test("maxPending counts connections that nobody takes, too", async () => {
  const context = new ServerContext(CERT);
  await using listener = listenTls({ hostname: "127.0.0.1", port: 0, context, maxPending: 2 });
  const server = await listener.listening;
  const conns = [await connectTo(server), await connectTo(server)];
  const third = connectTo(server);
  assertEquals(await settledWithin(third, 300), false);
  assertEquals(context.stats().accept, 2);
  const taken = listener[Symbol.asyncIterator]();
  const first = (await taken.next()).value!;
  conns.push(await bounded(third, "the third handshake"));
  assertEquals(context.stats().accept, 3);
  await Promise.all([...conns, first].map((conn) => conn.close()));
});

Deno.test("listening tells the port, and rejects where it is taken", async () => {
  await using server = await serve(CONTEXT);
  const options = { hostname: "127.0.0.1", port: server.port, context: CONTEXT };
  const second = listenTls(options);
  const error = await assertRejects(() => second.listening, TlsError);
  assertEquals([error.code, error.origin], ["ERR_TLS_TRANSPORT", "transport"]);
  assert(error.cause instanceof Deno.errors.AddrInUse);
  const iterate = async () => {
    for await (const _ of second);
  };
  assertEquals(await assertRejects(iterate, TlsError), error);
  await bounded(second.close(), "close()");
});

Deno.test("a listener that cannot listen, and that nobody asks, ends nothing", async () => {
  await using server = await serve(CONTEXT);
  const second = listenTls({ hostname: "127.0.0.1", port: server.port, context: CONTEXT });
  await bounded(second.close(), "close()");
});

/** A client that has sent its ClientHello, and holds back the rest until `go()`. */
async function halfway(server: TestServer | { port: number }, context: ServerContext) {
  const tcp = await tcpTo(server);
  const hold = Promise.withResolvers<void>();
  const { readable, writable } = tcp;
  let sent = 0;
  const held = new TransformStream<Uint8Array<ArrayBuffer>>({
    async transform(chunk, controller) {
      if (sent++ > 0) await hold.promise;
      controller.enqueue(chunk);
    },
  });
  const piping = held.readable.pipeTo(writable).catch(() => {});
  const conn = startTls({ readable, writable: held.writable }, {
    hostname: "localhost",
    caCerts: [caCert("ec")],
  });
  const halfOpen = serverContextInternals.halfOpen(context);
  await until(() => sent > 0 && halfOpen.size > 0 && halfOpen.unheard === 0);
  return { conn, go: hold.resolve, piping };
}

Deno.test("close() lets the handshakes in flight finish, and hands them out", async () => {
  const context = new ServerContext(CERT);
  const listener = listenTls({ hostname: "127.0.0.1", port: 0, context });
  const { port } = await listener.listening;
  const client = await halfway({ port }, context);
  const closing = listener.close();
  assertEquals(await settledWithin(closing, 100), false);
  await assertRejects(() => tcpTo({ port }), Deno.errors.ConnectionRefused);
  client.go();
  await bounded(closing, "close()");
  const conns = [];
  for await (const conn of listener) conns.push(conn);
  assertEquals(conns.length, 1);
  const [server] = conns;
  const conn = await client.conn;
  await server.write(text("still here"));
  const buffer = new Uint8Array(100);
  assertEquals(
    new TextDecoder().decode(buffer.subarray(0, (await bounded(conn.read(buffer), "the bytes"))!)),
    "still here",
  );
  await Promise.all([conn.close(), server.close(), client.piping]);
});

Deno.test("close() does not wait for clients that have not sent a ClientHello", async () => {
  const context = new ServerContext(CERT);
  const errors: Error[] = [];
  const listener = listenTls({
    hostname: "127.0.0.1",
    port: 0,
    context,
    handshakeTimeout: Infinity,
    helloTimeout: Infinity,
    onError: (error) => errors.push(error),
  });
  const { port } = await listener.listening;
  using silent = await tcpTo({ port });
  using partial = await tcpTo({ port });
  await partial.write(new Uint8Array([22, 3, 1, 1, 0, 1]));
  await until(() => context.stats().accept === 2);
  await bounded(listener.close(), "close()");
  assertEquals(errors.map(code), ["ERR_TLS_CLOSED", "ERR_TLS_CLOSED"]);
  await Promise.all([readRaw(silent), readRaw(partial)]);
});

Deno.test("the iteration ends when the listener was closed", async () => {
  const listener = listenTls({ hostname: "127.0.0.1", port: 0, context: CONTEXT });
  await listener.listening;
  const iterating = (async () => {
    for await (const _ of listener);
  })();
  await bounded(Promise.all([listener.close(), listener.close()]), "close()");
  await bounded(iterating, "the iteration");
});

Deno.test("disposing closes connections that nobody took", async () => {
  let conn;
  {
    await using listener = listenTls({ hostname: "127.0.0.1", port: 0, context: CONTEXT });
    conn = await connectTo(await listener.listening);
  }
  assertEquals(await bounded(conn.read(new Uint8Array(1)), "the end"), null);
  await conn.close();
});

Deno.test("close() before it listens is fine", async () => {
  const listener = listenTls({ hostname: "127.0.0.1", port: 0, context: CONTEXT });
  await bounded(listener.close(), "close()");
  for await (const _ of listener) assert(false, "there is none");
});

Deno.test("bad options are told by name", () => {
  const good = { port: 0, context: CONTEXT };
  const bad: [Record<string, unknown>, string][] = [
    [{ port: -1 }, "port"],
    [{ port: "443" }, "port"],
    [{ port: undefined }, "port"],
    [{ context: {} }, "context"],
    [{ context: undefined }, "context"],
    [{ hostname: 1 }, "hostname"],
    [{ handshakeTimeout: 0 }, "handshakeTimeout"],
    [{ handshakeTimeout: "1" }, "handshakeTimeout"],
    [{ maxPending: 0 }, "maxPending"],
    [{ maxPending: 1.5 }, "maxPending"],
    [{ onError: true }, "onError"],
    [{ maxpending: 1 }, "maxpending"],
  ];
  for (const [option, name] of bad) {
    const options = { ...good, ...option } as unknown as ListenTlsOptions;
    assertThrows(() => listenTls(options), TypeError, `"${name}"`);
  }
});

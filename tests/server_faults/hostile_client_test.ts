/**
 * Clients that send nonsense, nothing, too much or too little: each fails alone, within bounds, and
 * the server serves the next one.
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { connectTls, type ListenTlsOptions, TlsError } from "../../mod.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { until, within } from "../engine/bounded.ts";
import { startTcpProxy } from "../peers/raw.ts";
import {
  clientContext,
  type EchoServer,
  firstVisit,
  newest,
  startEchoServer,
  statefulContext,
  VERSIONS,
  visit,
} from "./echo_server.ts";
import { clientHello, padded, RawClient, records } from "./raw_client.ts";
import { gate, ScriptedStore } from "./scripted_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const ALERT = 21;
const HANDSHAKE = 22;

function server(options: Partial<ListenTlsOptions> = {}) {
  return startEchoServer(statefulContext(new ScriptedStore()), options);
}

/** The next failed handshake's code and origin; then the server serves. */
async function assertFailsAlone(
  { errors, port, conns }: EchoServer,
  code: string,
  origin: string,
): Promise<void> {
  await until(() => errors.length > 0, "the failure");
  const [error] = errors;
  assert(error instanceof TlsError, String(error));
  assertEquals([error.code, error.origin, errors.length], [code, origin, 1]);
  assertEquals(conns.length, 0);
  await visit(port, "TLSv1.3");
}

const text = (text: string) => new TextEncoder().encode(text);

const NONSENSE: [string, Uint8Array][] = [
  ["HTTP", text("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")],
  ["SSH", text("SSH-2.0-OpenSSH_9.6\r\n")],
  ["noise", Uint8Array.from({ length: 1000 }, (_, i) => (i * 197 + 131) & 255)],
  ["zeros", new Uint8Array(1000)],
  ["an SSL 2.0 hello", Uint8Array.from([0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 16, 7, 0, 0xc0])],
  ["application data", Uint8Array.from([23, 3, 3, 0, 5, 1, 2, 3, 4, 5])],
  ["an empty handshake record", Uint8Array.from([22, 3, 1, 0, 0])],
  ["a record that is too long", Uint8Array.from([22, 3, 1, 0xff, 0xff, 1])],
  ["a ServerHello", records(Uint8Array.from([2, 0, 0, 2, 3, 3]))],
  ["an empty ClientHello", records(Uint8Array.from([1, 0, 0, 0]))],
  ["a hello of 16 MiB to come", records(Uint8Array.from([1, 0xff, 0xff, 0xff, 3, 3]))],
];

for (const [what, bytes] of NONSENSE) {
  Deno.test(`${what} instead of a ClientHello gets an alert`, async () => {
    await using echo = await server();
    using client = await RawClient.connect(echo.port);
    await client.send(bytes);
    const answer = await client.receiveAll();
    assertEquals([answer[0], answer.length], [ALERT, 7]);
    await assertFailsAlone(echo, "ERR_TLS_PEER_MISBEHAVED", "peer");
  });
}

Deno.test("an alert instead of a ClientHello is told", async () => {
  await using echo = await server();
  using client = await RawClient.connect(echo.port);
  await client.send(Uint8Array.from([21, 3, 3, 0, 2, 2, 40]));
  await client.receiveAll();
  await assertFailsAlone(echo, "ERR_TLS_ALERT_RECEIVED", "peer");
  assertEquals((echo.errors[0] as TlsError).alert, "handshake_failure");
});

Deno.test("a client that says nothing is left after the handshake's timeout", async () => {
  await using echo = await server({ handshakeTimeout: 1_000 });
  using client = await RawClient.connect(echo.port);
  assertEquals((await client.receiveAll()).length, 0);
  await assertFailsAlone(echo, "ERR_TLS_HANDSHAKE_TIMEOUT", "peer");
});

Deno.test("a client that stops in its hello is left after the handshake's timeout", async () => {
  await using echo = await server({ handshakeTimeout: 1_000 });
  using client = await RawClient.connect(echo.port);
  const hello = records(await clientHello("TLSv1.3", echo.port));
  await client.send(hello.subarray(0, -1));
  await client.receiveAll();
  await assertFailsAlone(echo, "ERR_TLS_HANDSHAKE_TIMEOUT", "peer");
});

Deno.test("a client that trickles without an end is left after the handshake's timeout", async () => {
  await using echo = await server({ handshakeTimeout: 1_000 });
  using client = await RawClient.connect(echo.port);
  const hello = padded(await clientHello("TLSv1.3", echo.port), 60_000);
  const trickle = (async () => {
    for (const byte of records(hello)) {
      await client.send(Uint8Array.of(byte));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })().catch(() => {});
  await client.receiveAll();
  await within(trickle, "the trickle's end");
  await assertFailsAlone(echo, "ERR_TLS_HANDSHAKE_TIMEOUT", "peer");
});

Deno.test("a client that closes at once is truncated", async () => {
  await using echo = await server();
  (await RawClient.connect(echo.port))[Symbol.dispose]();
  await assertFailsAlone(echo, "ERR_TLS_TRUNCATED", "peer");
});

for (const { version, lookup } of VERSIONS) {
  Deno.test(`${version}: a client that closes in its hello is truncated`, async () => {
    await using echo = await server();
    const client = await RawClient.connect(echo.port);
    await client.send(records(await clientHello(version, echo.port)).subarray(0, 50));
    client[Symbol.dispose]();
    await assertFailsAlone(echo, "ERR_TLS_TRUNCATED", "peer");
  });

  Deno.test(`${version}: a client that ends after the server's answer is truncated`, async () => {
    await using echo = await server();
    using client = await RawClient.connect(echo.port);
    await client.send(records(await clientHello(version, echo.port)));
    assertEquals((await client.receive())[0], HANDSHAKE);
    await client.closeWrite();
    await client.receiveAll();
    await assertFailsAlone(echo, "ERR_TLS_TRUNCATED", "peer");
  });

  Deno.test(`${version}: nonsense after the hello gets an alert`, async () => {
    await using echo = await server();
    using client = await RawClient.connect(echo.port);
    await client.send(records(await clientHello(version, echo.port)));
    await client.receive();
    await client.send(text("GET / HTTP/1.1\r\n\r\n"));
    await client.receiveAll();
    await assertFailsAlone(echo, "ERR_TLS_PEER_MISBEHAVED", "peer");
  });

  Deno.test(`${version}: a client that is gone when the store answers fails alone`, async () => {
    const store = new ScriptedStore();
    await using echo = await startEchoServer(statefulContext(store, { timeout: 20_000 }));
    const session = await firstVisit(echo, version);
    await until(() => echo.conns.length === 1, "the first visit");
    const { passed, open } = gate();
    store.on[lookup] = (partition: string) => passed.then(() => store.inner[lookup](partition));
    const gone = new AbortController();
    const leaving = connectTls({
      hostname: "localhost",
      port: echo.port,
      context: clientContext(version),
      session,
      signal: gone.signal,
    });
    leaving.catch(() => {});
    await until(() => store.calls[lookup] === 1, "the lookup");
    gone.abort();
    await within(leaving.then(() => assert(false), () => {}), "the client's end");
    open();
    await until(() => echo.errors.length === 1, "the server's error");
    assert(echo.errors[0] instanceof TlsError, String(echo.errors[0]));
    await visit(echo.port, version);
    assertEquals(echo.errors.length, 1);
  });

  for (const size of [1, 7]) {
    Deno.test(`${version}: a hello in records of ${size} bytes, byte by byte, is served`, async () => {
      await using echo = await server();
      await using proxy = startTcpProxy({
        targetPort: echo.port,
        fromClient: {
          onRecord: ({ index, bytes }) => index === 0 ? records(bytes.subarray(5), size) : bytes,
          chunkSize: 1,
        },
        fromServer: { chunkSize: 1 },
      });
      await visit(proxy.port, version);
      assertEquals([echo.errors, newest(echo)], [[], [false, null]]);
    });
  }

  Deno.test(`${version}: a hello of 60,000 bytes in small records is answered`, async () => {
    await using echo = await server();
    using client = await RawClient.connect(echo.port);
    const hello = padded(await clientHello(version, echo.port), 60_000);
    await client.send(records(hello, 64));
    assertEquals((await client.receive())[0], HANDSHAKE);
    await client.closeWrite();
    await client.receiveAll();
    await assertFailsAlone(echo, "ERR_TLS_TRUNCATED", "peer");
  });
}

Deno.test("a hello of 64 KiB in records of one byte is refused, not kept", async () => {
  await using echo = await server();
  using client = await RawClient.connect(echo.port);
  const hello = padded(await clientHello("TLSv1.3", echo.port), 65_000);
  const sending = client.sendAnyway(records(hello, 1));
  await client.receiveAll();
  await within(sending, "the sending");
  await assertFailsAlone(echo, "ERR_TLS_PEER_MISBEHAVED", "peer");
});

Deno.test("a hello above 64 KiB is refused before it is complete", async () => {
  await using echo = await server();
  using client = await RawClient.connect(echo.port);
  const hello = await clientHello("TLSv1.3", echo.port);
  const header = Uint8Array.from([1, 1, 0x86, 0xa0]);
  await client.send(records(Uint8Array.from([...header, ...hello.subarray(4)])));
  const answer = await client.receiveAll();
  assertEquals(answer[0], ALERT);
  await assertFailsAlone(echo, "ERR_TLS_PEER_MISBEHAVED", "peer");
});

Deno.test("a hundred clients amid large hellos hold memory within bounds, and give it back", async () => {
  const CLIENTS = 100;
  await using echo = await server({ handshakeTimeout: 20_000 });
  const hello = records(padded(await clientHello("TLSv1.3", echo.port), 60_000), 1024);
  const memory = () => currentEngine().memory.buffer.byteLength;
  const wave = async () => {
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, () => RawClient.connect(echo.port)),
    );
    await Promise.all(clients.map((client) => client.send(hello.subarray(0, -10))));
    await visit(echo.port, "TLSv1.3");
    const failed = echo.errors.length + CLIENTS;
    for (const client of clients) client[Symbol.dispose]();
    await until(() => echo.errors.length === failed, "the clients' end");
  };
  const before = memory();
  await wave();
  const after = memory();
  assertLess(after - before, CLIENTS * 400 * 1024);
  await wave();
  await wave();
  assertLess(memory() - after, 8 * 1024 * 1024);
});

Deno.test("clients that say nothing are told apart from those that are slow, and end sooner", async () => {
  await using echo = await server({ helloTimeout: 300, handshakeTimeout: 60_000 });
  const clients = await Promise.all([1, 2, 3].map(() => RawClient.connect(echo.port)));
  const [silent, partial, halfway] = clients;
  await partial.send(records(await clientHello("TLSv1.3", echo.port)).subarray(0, 20));
  await halfway.send(records(await clientHello("TLSv1.3", echo.port)));
  await halfway.receive();
  await Promise.all([silent.receiveAll(), partial.receiveAll()]);
  await until(() => echo.errors.length === 2, "both are over");
  assertEquals(echo.errors.map(({ code }) => code), Array(2).fill("ERR_TLS_HANDSHAKE_TIMEOUT"));
  assertEquals(echo.errors.map(({ message }) => message).sort(), [
    "The ClientHello was not whole within 300 ms",
    "The client sent nothing within 300 ms",
  ]);
  for (const client of clients) client[Symbol.dispose]();
  await until(() => echo.errors.length === 3, "the third is over");
});

Deno.test("an onError that throws ends nothing", async () => {
  const context = statefulContext(new ScriptedStore());
  await using echo = await startEchoServer(context);
  const push = echo.errors.push;
  echo.errors.push = (...errors) => {
    push.apply(echo.errors, errors);
    throw new Error("of the application");
  };
  using client = await RawClient.connect(echo.port);
  await client.send(text("nonsense"));
  await client.receiveAll();
  await until(() => echo.errors.length === 1, "the failure");
  await visit(echo.port, "TLSv1.3");
});

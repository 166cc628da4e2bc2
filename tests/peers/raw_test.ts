/**
 * The raw peers and the proxy do what they say.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLess,
  assertRejects,
} from "@std/assert";
import { caCert } from "../testdata/mod.ts";
import { settledWithin } from "./child.ts";
import { haveOpenssl, startOpensslServer } from "./openssl.ts";
import {
  type Faults,
  readRecords,
  startClosingServer,
  startGarbageServer,
  startResettingServer,
  startSendingServer,
  startSilentServer,
  startTcpProxy,
} from "./raw.ts";

const noOpenssl = { ignore: !haveOpenssl() };
const GET = new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n");

Deno.test("the silent server never answers", async () => {
  await using server = startSilentServer();
  using conn = await connect(server.port);
  await conn.write(GET);
  const read = conn.read(new Uint8Array(1)).catch(() => null);
  assertEquals(await settledWithin(read, 100), false);
  assertEquals(server.accepted(), 1);
  // Disposing ends the connection, and with it the read.
  await server[Symbol.asyncDispose]().then(() => read);
});

Deno.test("the sending server sends its bytes, then ends", async () => {
  await using server = startSendingServer(new Uint8Array([1, 2, 3]));
  using conn = await connect(server.port);
  assertEquals(await readAll(conn), new Uint8Array([1, 2, 3]));
});

Deno.test("the garbage server sends no TLS record and stays", async () => {
  await using server = startGarbageServer();
  using conn = await connect(server.port);
  await conn.write(GET);
  const buffer = new Uint8Array(2000);
  assertEquals([await conn.read(buffer), buffer[0]], [1024, 0xff]);
  const read = conn.read(buffer).catch(() => null);
  assertEquals(await settledWithin(read, 100), false);
  await server[Symbol.asyncDispose]().then(() => read);
});

Deno.test("the closing server ends at once or after the first bytes", async () => {
  await using atOnce = startClosingServer();
  using first = await connect(atOnce.port);
  assertEquals(await readAll(first), new Uint8Array());
  await using later = startClosingServer({ when: "first_bytes" });
  using second = await connect(later.port);
  const read = readAll(second);
  assertEquals(await settledWithin(read, 50), false);
  await second.write(GET);
  assertEquals(await read, new Uint8Array());
});

Deno.test("the resetting server resets", async () => {
  await using server = await startResettingServer();
  using conn = await connect(server.port);
  await conn.write(GET);
  assertInstanceOf(await assertRejects(() => readAll(conn)), Deno.errors.ConnectionReset);
});

Deno.test("the proxy forwards and records both directions", noOpenssl, async () => {
  await using server = await startOpensslServer({ www: "www" });
  await using proxy = startTcpProxy({ targetPort: server.port });
  const page = await fetchPage(proxy.port);
  assertGreater(page.length, 1000);
  const [connection] = proxy.connections;
  const up = readRecords(connection.fromClient());
  const down = readRecords(connection.fromServer());
  assertEquals([up[0].type, down[0].type], [22, 22]);
  assertEquals(
    down.reduce((sum, { bytes }) => sum + bytes.length, 0),
    connection.fromServer().length,
  );
  assertGreater(connection.fromServer().length, page.length);
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  Deno.test(`the proxy drops close_notify, ${version}`, noOpenssl, async () => {
    await using server = await startOpensslServer({ www: "www", version });
    await using proxy = startTcpProxy({ targetPort: server.port });
    const whole = await fetchPage(proxy.port);
    proxy.fromServer = { dropCloseNotify: true };
    using conn = await connectTls(proxy.port);
    await conn.write(GET);
    const received: Uint8Array[] = [];
    const error = await assertRejects(() => readAll(conn, received));
    assertInstanceOf(error, Deno.errors.UnexpectedEof);
    const length = received.reduce((sum, { length }) => sum + length, 0);
    // The page tells the times of the session, so its length differs by a few bytes.
    assertLess(Math.abs(length - whole.length), 50);
  });
}

Deno.test("the proxy splits into single bytes, and delays", noOpenssl, async () => {
  await using server = await startOpensslServer({ www: "www" });
  await using proxy = startTcpProxy({
    targetPort: server.port,
    fromClient: { chunkSize: 1 },
    fromServer: { chunkSize: 1 },
  });
  assertGreater((await fetchPage(proxy.port)).length, 1000);
  proxy.fromServer = { delay: 60 };
  proxy.fromClient = {};
  const start = performance.now();
  await fetchPage(proxy.port);
  assertGreaterOrEqual(performance.now() - start, 60);
});

Deno.test("the proxy flips one bit, in the direction it is told", noOpenssl, async () => {
  await using server = await startOpensslServer({ www: "www", version: "TLSv1.3" });
  await using proxy = startTcpProxy({ targetPort: server.port });
  await fetchPage(proxy.port);
  const [hello] = readRecords(proxy.connections[0].fromServer());
  for (
    const faults of [{ fromServer: { flipByteAt: hello.bytes.length + 20 } }, {
      fromClient: { flipByteAt: 30 },
    }]
  ) {
    proxy.fromServer = {};
    proxy.fromClient = {};
    Object.assign(proxy, faults);
    await assertRejects(() => fetchPage(proxy.port));
  }
});

Deno.test("the proxy ends or stalls after so many bytes", noOpenssl, async () => {
  await using server = await startOpensslServer({ www: "www" });
  await using proxy = startTcpProxy({ targetPort: server.port, fromServer: { closeAfter: 500 } });
  await assertRejects(() => fetchPage(proxy.port), Deno.errors.UnexpectedEof);
  proxy.fromServer = { stallAfter: 500 };
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
  const handshake = Deno.startTls(conn, { hostname: "127.0.0.1", caCerts: [caCert("ec")] })
    .then(async (tls) => {
      using _ = tls;
      await tls.handshake();
    });
  const outcome = handshake.catch((error) => error);
  assertEquals(await settledWithin(outcome, 200), false);
  await proxy[Symbol.asyncDispose]();
  assertInstanceOf(await outcome, Error);
});

Deno.test("the proxy hands over each record", noOpenssl, async () => {
  await using server = await startOpensslServer({ www: "www", version: "TLSv1.2" });
  const types: number[] = [];
  const watch: Faults["onRecord"] = ({ type, bytes }) => {
    types.push(type);
    return bytes;
  };
  await using proxy = startTcpProxy({ targetPort: server.port, fromServer: { onRecord: watch } });
  await fetchPage(proxy.port);
  assertEquals([...new Set(types)], [22, 20, 23, 21]);
  proxy.fromServer = { onRecord: ({ index, bytes }) => index === 1 ? "close" : bytes };
  await assertRejects(() => fetchPage(proxy.port), Deno.errors.UnexpectedEof);
  assert(proxy.accepted() === 2 && proxy.connections.length === 2);
});

function connect(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

function connectTls(port: number): Promise<Deno.TlsConn> {
  return Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: [caCert("ec")] });
}

async function fetchPage(port: number): Promise<Uint8Array> {
  using conn = await connectTls(port);
  await conn.write(GET);
  return await readAll(conn);
}

async function readAll(conn: Deno.Conn, received: Uint8Array[] = []): Promise<Uint8Array> {
  const buffer = new Uint8Array(16 * 1024);
  for (let length; (length = await conn.read(buffer)) !== null;) {
    received.push(buffer.slice(0, length));
  }
  return new Uint8Array(received.flatMap((bytes) => [...bytes]));
}

/**
 * Guards: the rules of the layer without I/O: what `pollTransmit()` hands out stays, a full buffer
 * is back-pressure and recovers, plaintext before an error is readable, and misuse is told by
 * `ERR_TLS_ENGINE_MISUSE` and costs nobody else anything.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertLess,
  assertThrows,
} from "@std/assert";
import { ClientContext, TlsError } from "../../mod.ts";
import { ClientEngine } from "../../src/client_engine.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { isAlert } from "../peers/faults.ts";
import { readRecords } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";
import { AS_IT_COMES, Driver } from "./driver.ts";

Deno.test.sanitizer({ ops: true, resources: true });

/** Above the bound on a connection's buffer (264 KiB), and far below what is sent. */
const BUFFER_BOUND = 300 * 1024;
const FILE_SIZE = 2 * 1024 * 1024;

const context = new ClientContext({ caCerts: [caCert("ec")] });

function begin(): Promise<ClientEngine> {
  return ClientEngine.begin({ context, serverName: "localhost", port: 443 });
}

function assertMisuse(action: () => unknown): void {
  assertEquals(assertThrows(action, TlsError).code, "ERR_TLS_ENGINE_MISUSE");
}

/** Bytes in which each place is told from its neighbours. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8)) & 0xff);
}

/** An `s_server` that serves one file, and a client that asked for it. */
async function download(file: Uint8Array) {
  const cwd = await Deno.makeTempDir();
  const stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(cwd, { recursive: true }));
  try {
    await Deno.writeFile(`${cwd}/file.bin`, file);
    const server = stack.use(await startOpensslServer({ www: "WWW", cwd }));
    const driver = stack.use(
      await Driver.connect({
        port: server.port,
        context,
        feed: AS_IT_COMES,
        keepPlaintext: true,
      }),
    );
    await driver.handshake();
    await driver.write("GET /file.bin HTTP/1.0\r\n\r\n");
    return { driver, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

function takeAll(driver: Driver): Uint8Array {
  const taken = new Uint8Array(driver.connection.plaintextLength);
  assertEquals(driver.connection.readPlaintext(taken), taken.length);
  return taken;
}

Deno.test("output stays in place until it is transmitted", async () => {
  const { connection } = await begin();
  const { outputLength } = connection;
  assertGreater(outputLength, 0);
  const hello = connection.pollTransmit()!;
  assertEquals(hello.length, outputLength);
  assertEquals(connection.outputLength, 0);
  const copy = hello.slice();
  assertEquals(readRecords(copy).map(({ type, bytes }) => [type, bytes[5]]), [[22, 1]]);

  const others: ClientEngine[] = [];
  for (let i = 0; i < 50; i++) others.push(await begin());
  for (const other of others) other.connection.free();
  assertEquals(hello.length === 0 ? connection.pollTransmit()! : hello, copy);

  connection.transmitted();
  assertEquals(connection.pollTransmit(), undefined);
  connection.free();
});

Deno.test("output under transmission is handed out again, as after the memory has grown", async () => {
  const { connection } = await begin();
  const copy = connection.pollTransmit()!.slice();
  currentEngine().memory.grow(1);
  assertEquals(connection.pollTransmit()!, copy);
  connection.transmitted();
  assertEquals(connection.pollTransmit(), undefined);
  connection.free();
});

Deno.test("output that was transmitted in part is handed out from there on", async () => {
  const { connection } = await begin();
  const copy = connection.pollTransmit()!.slice();
  connection.transmitted(10);
  assertEquals(connection.pollTransmit()!, copy.slice(10));
  connection.transmitted(copy.length - 11);
  assertEquals(connection.pollTransmit()!, copy.slice(-1));
  connection.transmitted(1);
  assertEquals(connection.pollTransmit(), undefined);
  connection.free();
});

Deno.test("transmitted() without a transmission does nothing", async () => {
  const { connection } = await begin();
  connection.transmitted();
  assertEquals(connection.pollTransmit()?.[0], 22);
  connection.transmitted();
  connection.free();
});

Deno.test("output made during a transmission waits for its turn", needs("openssl"), async () => {
  await using server = await startOpensslServer({ rev: true });
  using driver = await Driver.connect({ port: server.port, context });
  await driver.handshake();
  await driver.flush();
  const { connection } = driver;
  connection.writePlaintext(new TextEncoder().encode("abc\n"));
  const first = connection.pollTransmit()!.slice();
  connection.writePlaintext(new TextEncoder().encode("def\n"));
  assertEquals(connection.pollTransmit()!, first);
  connection.transmitted();
  const second = connection.pollTransmit()!.slice();
  connection.transmitted();
  assertEquals([first, second].map((bytes) => readRecords(bytes).length), [1, 1]);
  assertEquals(connection.pollTransmit(), undefined);
});

Deno.test(
  "a full buffer leaves no room, and has room again once it is read",
  needs("openssl"),
  async () => {
    const file = pattern(FILE_SIZE);
    await using peer = await download(file);
    const { connection } = peer.driver;
    const received = new Uint8Array(FILE_SIZE + 4096);
    let length = 0;
    let timesFull = 0;
    let pending = new Uint8Array(0);
    while (!connection.peerClosed) {
      const space = connection.inputSpace();
      if (space.length === 0) {
        timesFull++;
        assertEquals(connection.inputSpace().length, 0);
        assertGreater(connection.plaintextLength, 0);
        assertLess(connection.plaintextLength, BUFFER_BOUND);
        // Read in three goes: any of them may make room, the last one must.
        for (const part of [1, 100_000, BUFFER_BOUND]) {
          length += connection.readPlaintext(received.subarray(length, length + part));
        }
        assertEquals(connection.plaintextLength, 0);
        assertGreater(connection.inputSpace().length, 0);
        continue;
      }
      if (pending.length === 0) {
        const bytes = await peer.driver.receive();
        assert(bytes !== null, "the file ends with close_notify");
        pending = new Uint8Array(bytes);
      }
      const n = Math.min(space.length, pending.length);
      space.set(pending.subarray(0, n));
      connection.receiveTls(n);
      pending = pending.subarray(n);
      assertEquals(connection.error, undefined);
    }
    length += connection.readPlaintext(received.subarray(length));
    const body = received.subarray(length - FILE_SIZE, length);
    assertEquals(body, file);
    assertGreater(timesFull, 3);
  },
);

Deno.test(
  "plaintext before an error is readable, and the alert goes out",
  needs("openssl"),
  async () => {
    const file = pattern(100_000);
    await using peer = await download(file);
    const { driver } = peer;
    const { connection } = driver;
    let stream = new Uint8Array(0);
    for (let bytes = await driver.receive(); bytes !== null; bytes = await driver.receive()) {
      stream = new Uint8Array([...stream, ...bytes]);
      if (stream.length > 60_000) break;
    }
    // Of whole records, one in the last bit of the last one is wrong.
    const whole = readRecords(stream).reduce((length, { bytes }) => length + bytes.length, 0);
    const sum = readRecords(stream).length;
    stream[whole - 1] ^= 1;
    const text: Uint8Array[] = [];
    for (let at = 0; at < whole;) {
      const space = connection.inputSpace();
      const n = Math.min(space.length, whole - at);
      space.set(stream.subarray(at, at + n));
      connection.receiveTls(n);
      at += n;
      // In the call that fails too, what was good is there to be read.
      if (at === whole) break;
      text.push(takeAll(driver));
    }
    assertGreater(sum, 3);
    const { error } = connection;
    assertInstanceOf(error, TlsError);
    assertEquals([error.code, error.alert], ["ERR_TLS_PEER_MISBEHAVED", "bad_record_mac"]);
    assertGreater(connection.plaintextLength, 0);
    text.push(takeAll(driver));
    assertEquals(connection.plaintextLength, 0);
    const all = new Uint8Array(await new Blob(text as BlobPart[]).arrayBuffer());
    const start = new TextDecoder("latin1").decode(all).indexOf("\r\n\r\n") + 4;
    assertEquals(all.subarray(start), file.subarray(0, all.length - start));
    assertGreater(all.length - start, 16_384);

    const sent = driver.sent.length;
    await driver.flush();
    const [alert, ...more] = readRecords(driver.sent.subarray(sent));
    assert(isAlert(alert));
    assertEquals(more, []);
  },
);

Deno.test(
  "writing before the handshake is a misuse, and the handshake goes on",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ rev: true });
    using driver = await Driver.connect({ port: server.port, context });
    const { connection } = driver;
    assertMisuse(() => connection.writePlaintext(new Uint8Array(3)));
    assertMisuse(() => connection.updateKeys());
    assert(connection.handshaking);
    await driver.handshake();
    await driver.write("abc\n");
    await driver.until(() => driver.text === "cba\n");
  },
);

Deno.test("writing after close is a misuse, and reading goes on", needs("openssl"), async () => {
  await using server = await startOpensslServer({ version: "TLSv1.3" });
  using driver = await Driver.connect({ port: server.port, context });
  const { connection } = driver;
  await driver.handshake();
  connection.close();
  await driver.flush();
  assertMisuse(() => connection.writePlaintext(new Uint8Array(3)));
  assertMisuse(() => connection.updateKeys());
  assertEquals(connection.outputLength, 0);
  await driver.until(() => connection.peerClosed || driver.sessions.length === 2);
  assertEquals(connection.error, undefined);
});

Deno.test("any use after free is a misuse; a second free does nothing", async () => {
  const { connection } = await begin();
  connection.free();
  connection.free();
  assertMisuse(() => connection.writePlaintext(new Uint8Array(3)));
  assertMisuse(() => connection.inputSpace());
  assertMisuse(() => connection.receiveTls(0));
  assertMisuse(() => connection.close());
  assertMisuse(() => connection.updateKeys());
  assertMisuse(() => connection.verified(true));
  assertMisuse(() => connection.transmitted());
  assertMisuse(() => connection.peerCertificates());
  assertMisuse(() => connection.negotiated());
  assertEquals(connection.readPlaintext(new Uint8Array(3)), 0);
  assertEquals([connection.pollTransmit(), connection.pollSession()], [undefined, undefined]);
  assertEquals([connection.handshaking, connection.error], [false, undefined]);
});

Deno.test("more bytes than there was room for are a misuse, not the end of the instance", async () => {
  const instance = currentEngine();
  const { connection } = await begin();
  const other = await begin();
  assertMisuse(() => connection.receiveTls(1)); // no room was asked for
  const { length } = connection.inputSpace();
  assertMisuse(() => connection.receiveTls(length + 1));
  assertMisuse(() => connection.receiveTls(-1));
  assertMisuse(() => connection.receiveTls(0.5));
  assertEquals(instance.panic, undefined);
  assertEquals([connection.error, other.connection.error], [undefined, undefined]);
  connection.free();
  other.connection.free();
});

Deno.test("verified() that nobody waits for changes nothing", async () => {
  const { connection } = await begin();
  connection.verified(false);
  assertEquals([connection.handshaking, connection.error], [true, undefined]);
  connection.free();
});

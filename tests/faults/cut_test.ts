/**
 * Guards: what is cut off does not look complete: where this end did not mean to end, the peer sees no
 * close_notify (RFC 8446 §6.1). And a caller's buffer that shrinks under a write is told, not passed over.
 *
 * @module
 */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  acceptTls,
  ClientContext,
  ServerContext,
  startTls,
  type TlsConn,
  TlsError,
} from "../../mod.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { within } from "../engine/bounded.ts";

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
const server = new ServerContext(serverCert("ec_p256"));

function pipe(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream(undefined, { highWaterMark: 64 }, { highWaterMark: 64 });
}

async function open(version: typeof VERSIONS[number]): Promise<[TlsConn, TlsConn]> {
  const [up, down] = [pipe(), pipe()];
  const context = new ClientContext({
    caCerts: [caCert("ec")],
    minVersion: version,
    maxVersion: version,
  });
  return await within(
    Promise.all([
      startTls({ readable: down.readable, writable: up.writable }, {
        hostname: "localhost",
        context,
      }),
      acceptTls({ readable: up.readable, writable: down.writable }, { context: server }),
    ]),
    "the handshake",
  );
}

/** What the peer makes of it: all bytes, and how they ended. */
async function ending(conn: TlsConn): Promise<[number, string | null]> {
  const buffer = new Uint8Array(64 * 1024);
  let length = 0;
  try {
    for (let n; (n = await within(conn.read(buffer), "the end")) !== null;) length += n;
    return [length, null];
  } catch (error) {
    return [length, (error as TlsError).code];
  }
}

const CUTS: Record<string, (conn: TlsConn) => Promise<unknown>> = {
  "aborting the writable": async (conn) => {
    const writer = conn.writable.getWriter();
    await writer.write(new Uint8Array(10));
    await writer.abort(new Error("never mind"));
  },
  "a pipe whose source fails": (conn) => {
    let chunks = 0;
    const source = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (chunks++ === 0) controller.enqueue(new Uint8Array(10));
        else controller.error(new Error("the source failed"));
      },
    });
    return source.pipeTo(conn.writable);
  },
  "a pipe whose signal aborts": async (conn) => {
    const controller = new AbortController();
    let chunks = 0;
    const source = new ReadableStream<Uint8Array>({
      pull(stream) {
        if (chunks++ === 0) stream.enqueue(new Uint8Array(10));
        else return new Promise(() => {});
      },
    });
    const piping = source.pipeTo(conn.writable, { signal: controller.signal });
    piping.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort();
    await piping;
  },
};

for (const version of VERSIONS) {
  for (const [how, cut] of Object.entries(CUTS)) {
    Deno.test(`${how} sends no close_notify, ${version}`, async () => {
      for (const side of [0, 1]) {
        const pair = await open(version);
        const [conn, peer] = side === 0 ? pair : [pair[1], pair[0]];
        const seen = ending(peer);
        await within(cut(conn).catch(() => {}), "the cut");
        assertEquals(await seen, [10, "ERR_TLS_TRUNCATED"]);
        await Promise.all([conn.close(), peer.close()]);
      }
    });
  }

  Deno.test(`closing the writable sends close_notify, ${version}`, async () => {
    const [conn, peer] = await open(version);
    const seen = ending(peer);
    const writer = conn.writable.getWriter();
    await writer.write(new Uint8Array(10));
    await writer.close();
    assertEquals(await seen, [10, null]);
    await Promise.all([conn.close(), peer.close()]);
  });
}

Deno.test("Deno's own TLS sees that an aborted writable was cut off", async () => {
  using listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...serverCert("ec_p256") });
  for (const how of ["close", "abort"] as const) {
    const accepting = listener.accept();
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    const conn = await startTls(tcp, { hostname: "localhost", caCerts: [caCert("ec")] });
    using peer = await accepting;
    await conn.write(new Uint8Array(10));
    await conn.writable[how]();
    const buffer = new Uint8Array(100);
    assertEquals(await within(peer.read(buffer), "the bytes"), 10);
    const end = within(peer.read(buffer), "the end");
    if (how === "close") assertEquals(await end, null);
    else await assertRejects(() => end, Deno.errors.UnexpectedEof);
    await conn.close();
  }
});

/** A buffer of so many bytes, and what makes it lose them. */
const SHRINKING: Record<string, (size: number) => { bytes: Uint8Array; shrink: () => void }> = {
  "is transferred": (size) => {
    const bytes = new Uint8Array(size);
    return { bytes, shrink: () => structuredClone(bytes.buffer, { transfer: [bytes.buffer] }) };
  },
  shrinks: (size) => {
    const buffer = new ArrayBuffer(size, { maxByteLength: size });
    return { bytes: new Uint8Array(buffer), shrink: () => buffer.resize(10) };
  },
};

for (const [how, make] of Object.entries(SHRINKING)) {
  Deno.test(`a write whose buffer ${how} before it is sent rejects, and loses nothing else`, async () => {
    const [conn, peer] = await open("TLSv1.3");
    const { bytes, shrink } = make(100);
    const first = conn.write(new Uint8Array(20));
    const lost = conn.write(bytes);
    shrink();
    const error = await assertRejects(() => lost, TypeError);
    assertStringIncludes(error.message, "0 of 100 bytes");
    assertEquals([await first, await conn.write(new Uint8Array(3))], [20, 3]);
    await conn.closeWrite();
    assertEquals(await ending(peer), [23, null]);
    await Promise.all([conn.close(), peer.close()]);
  });

  Deno.test(`a write whose buffer ${how} while it is sent rejects, and ends as what was cut off`, async () => {
    const [conn, peer] = await open("TLSv1.3");
    const { bytes, shrink } = make(10_000_000);
    const lost = conn.write(bytes);
    lost.catch(() => {});
    await peer.read(new Uint8Array(100));
    shrink();
    const seen = ending(peer);
    const error = await assertRejects(() => lost, TypeError);
    assertStringIncludes(error.message, "of 10000000 bytes");
    const [length, end] = await seen;
    assertEquals(end, "ERR_TLS_TRUNCATED");
    assertEquals(length > 0 && length < 10_000_000, true, `${length} bytes came`);
    await Promise.all([conn.close(), peer.close()]);
  });

  Deno.test(`a read whose buffer ${how} while it waits rejects, and loses no byte`, async () => {
    const [conn, peer] = await open("TLSv1.3");
    const { bytes, shrink } = make(100);
    const read = conn.read(bytes);
    if (how === "shrinks") (bytes.buffer as ArrayBuffer).resize(0);
    else shrink();
    await peer.write(new Uint8Array([7]));
    const error = await assertRejects(() => within(read, "the error"), TypeError);
    assertStringIncludes(error.message, '"into"');
    const again = new Uint8Array(10);
    assertEquals([await conn.read(again), again[0]], [1, 7]);
    await Promise.all([conn.close(), peer.close()]);
  });
}

Deno.test("a handshake that times out rejects in time, whatever the peer takes", async () => {
  // A sink that takes nothing: the alert cannot go out.
  const readable = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => {}) });
  const writable = new WritableStream<Uint8Array>({ write: () => new Promise(() => {}) });
  const starting = startTls({ readable, writable }, {
    hostname: "localhost",
    handshakeTimeout: 300,
  });
  starting.catch(() => {});
  // It used to wait for half a second more, for its alert to be taken.
  const order: string[] = [];
  await Promise.allSettled([
    starting.catch((error) => order.push(error.code)),
    new Promise((resolve) => setTimeout(resolve, 700)).then(() => order.push("700 ms")),
  ]);
  assertEquals(order, ["ERR_TLS_HANDSHAKE_TIMEOUT", "700 ms"]);
});

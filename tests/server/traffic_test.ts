/**
 * A connection after its handshake, at the server: bytes arrive whole in both directions, each
 * direction ends by itself, and who does not read is not written to without end.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { startTls, type TlsConn, TlsError } from "../../mod.ts";
import { bounded, readAll } from "../interop/visit.ts";
import { opensslClient } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { connectTo, VERSIONS } from "./client.ts";
import { type Handler, serve } from "./in_process.ts";

const CERT = serverCert("ec_p256");
/** More than buffers of the system and of both ends hold together. */
const MUCH = 32 * 1024 * 1024;
const CHUNK = 64 * 1024;

/** Bytes that depend on their place in the stream. */
function pattern(at: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const words = new Uint32Array(bytes.buffer);
  for (let i = 0; i < words.length; i++) words[i] = at + 4 * i;
  return bytes;
}

/** Reads so many bytes of the pattern, and checks each. */
async function expectPattern(
  read: (into: Uint8Array) => Promise<number | null>,
  length: number,
): Promise<void> {
  const chunk = new Uint8Array(CHUNK);
  for (let at = 0; at < length; at += CHUNK) {
    for (let got = 0; got < CHUNK;) {
      const n = await read(chunk.subarray(got));
      if (n === null) throw new Error(`The end came after ${at + got} bytes`);
      got += n;
    }
    const expected = pattern(at, CHUNK);
    if (chunk.some((byte, i) => byte !== expected[i])) throw new Error(`Wrong bytes from ${at} on`);
  }
}

/** Reads to the end. */
async function readText(conn: TlsConn): Promise<string> {
  return new TextDecoder().decode(await bounded(readAll(conn), "the end"));
}

/** Runs a handler once, and tells what became of it. */
function once(handler: Handler): { handler: Handler; done: Promise<void> } {
  const outcome = Promise.withResolvers<void>();
  return {
    done: bounded(outcome.promise, "the server's part", 60_000),
    handler: async (conn, report) => {
      await using closing = conn;
      await handler(closing, report).then(outcome.resolve, outcome.reject);
    },
  };
}

for (const version of VERSIONS) {
  Deno.test(`who does not read slows the server down, and loses nothing, ${version}`, async () => {
    let sent = 0;
    const { handler, done } = once(async (conn) => {
      for (; sent < MUCH; sent += CHUNK) await conn.write(pattern(sent, CHUNK));
      await conn.closeWrite();
    });
    await using server = await serve(CERT, { handler });
    await using conn = await connectTo(server, { version });
    // Until the server has not sent anything for a while.
    for (let before = -1; before !== sent;) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert(sent < MUCH, "everything was sent, though nobody read");
    await bounded(expectPattern((into) => conn.read(into), MUCH), "the bytes", 60_000);
    assertEquals(await bounded(conn.read(new Uint8Array(1)), "the end"), null);
    await done;
  });

  Deno.test(`a server that does not read slows the client down, ${version}`, async () => {
    const begin = Promise.withResolvers<void>();
    const { handler, done } = once(async (conn) => {
      await begin.promise;
      await expectPattern((into) => conn.read(into), MUCH);
      assertEquals(await conn.read(new Uint8Array(1)), null);
    });
    await using server = await serve(CERT, { handler });
    await using conn = await connectTo(server, { version });
    let sent = 0;
    const writing = (async () => {
      for (; sent < MUCH; sent += CHUNK) await conn.write(pattern(sent, CHUNK));
      await conn.closeWrite();
    })();
    for (let before = -1; before !== sent;) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert(sent < MUCH, "everything was sent, though nobody read");
    begin.resolve();
    await bounded(Promise.all([writing, done]), "the bytes", 60_000);
  });

  Deno.test(`the client ends its direction, and still hears the server, ${version}`, async () => {
    const { handler, done } = once(async (conn) => {
      const heard = await readText(conn);
      await conn.write(new TextEncoder().encode(heard.toUpperCase()));
    });
    await using server = await serve(CERT, { handler });
    await using conn = await connectTo(server, { version });
    await conn.write(new TextEncoder().encode("to the end"));
    await conn.closeWrite();
    assertEquals(await readText(conn), "TO THE END");
    await done;
  });

  Deno.test(`the server ends its direction, and still hears the client, ${version}`, async () => {
    let heard = "";
    const { handler, done } = once(async (conn) => {
      await conn.write(new TextEncoder().encode("over to you"));
      await conn.closeWrite();
      heard = await readText(conn);
    });
    await using server = await serve(CERT, { handler });
    await using conn = await connectTo(server, { version });
    assertEquals(await readText(conn), "over to you");
    await conn.write(new TextEncoder().encode("thank you"));
    await conn.closeWrite();
    await done;
    assertEquals(heard, "thank you");
  });

  Deno.test(`the streams of a connection carry both directions, ${version}`, async () => {
    const { handler, done } = once((conn) => conn.readable.pipeTo(conn.writable));
    await using server = await serve(CERT, { handler });
    await using conn = await connectTo(server, { version });
    const sent = pattern(0, 20 * CHUNK);
    const sending = new Blob([sent]).stream().pipeTo(conn.writable);
    const received = await new Response(conn.readable).bytes();
    assertEquals(received, sent);
    await bounded(Promise.all([sending, done]), "the end of both directions");
  });

  Deno.test(`an end without close_notify is no end, ${version}`, async () => {
    const { handler, done } = once(async (conn) => void await readAll(conn));
    await using server = await serve(CERT, { handler });
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const { readable, writable } = tcp;
    // What the client sends to end its direction is kept back: only the TCP connection ends.
    const cut = new TransformStream<Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        if (open) controller.enqueue(chunk);
      },
    });
    let open = true;
    const piping = cut.readable.pipeTo(writable).catch(() => {});
    const conn = await startTls({ readable, writable: cut.writable }, {
      hostname: "localhost",
      caCerts: [caCert("ec")],
      minVersion: version,
      maxVersion: version,
    });
    await conn.write(new TextEncoder().encode("cut sh"));
    open = false;
    await conn.close();
    await piping;
    const error = await assertRejects(() => bounded(done, "the server's end"), TlsError);
    assertEquals(error.code, "ERR_TLS_TRUNCATED");
  });
}

Deno.test(
  "key updates of the client are answered, in both directions",
  needs("openssl"),
  async () => {
    const { handler, done } = once(async (conn) => {
      const buffer = new Uint8Array(CHUNK);
      for (let n; (n = await conn.read(buffer)) !== null;) await conn.write(buffer.subarray(0, n));
    });
    await using server = await serve(CERT, { handler });
    const { stdout } = await opensslClient({
      port: server.port,
      version: "TLSv1.3",
      commands: true,
      // K asks the server for new keys too, k does not.
      stdin: "one\nK\ntwo\nk\nthree\n",
      until: /three/,
    });
    for (const line of ["one", "two", "three"]) assert(stdout.includes(line), line);
    await done;
  },
);

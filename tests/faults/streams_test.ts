/**
 * Guards: `readable` and `writable` of a connection are streams as others are: they pipe, are read
 * into the caller's memory, cancel, abort and fail, and what ends them ends the connection.
 *
 * @module
 */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { connectTls } from "../../mod.ts";
import { staysPending, until, within } from "../engine/bounded.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { isAlert } from "../peers/faults.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { readRecords, startTcpProxy } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { bytesOf, pattern, readText, rejection, textOf, tlsError, to } from "./fixtures.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const GET = bytesOf("GET / HTTP/1.0\r\n\r\n");
/** More than the socket buffers of both ends hold. */
const TOO_MUCH = 32 * 1024 * 1024;

function chunksOf(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  return ReadableStream.from((function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  })());
}

Deno.test("a pipe in and a pipe out carry everything, to the end of both", async () => {
  await using server = await startDenoServer();
  await using conn = await connectTls(to(server));
  const bytes = pattern(1_000_000);
  const [echo] = await within(
    Promise.all([
      new Response(conn.readable).bytes(),
      chunksOf(bytes, 33_333).pipeTo(conn.writable), // closing it sends close_notify
    ]),
    "the echo",
  );
  assertEquals(echo, bytes);
});

Deno.test("the streams are the same each time", async () => {
  await using server = await startDenoServer();
  await using conn = await connectTls(to(server));
  assertStrictEquals(conn.readable, conn.readable);
  assertStrictEquals(conn.writable, conn.writable);
});

Deno.test("a BYOB reader gets its own memory filled", async () => {
  await using server = await startDenoServer();
  await using conn = await connectTls(to(server));
  await conn.write(bytesOf("abcdefgh"));
  const reader = conn.readable.getReader({ mode: "byob" });
  const first = await within(reader.read(new Uint8Array(3)), "three bytes");
  assertEquals(textOf(first.value!), "abc");
  assertEquals(first.value!.buffer.byteLength, 3);
  const at = new Uint8Array(new ArrayBuffer(10), 4, 5);
  const second = await within(reader.read(at, { min: 5 }), "five bytes");
  assertEquals([second.value!.byteOffset, textOf(second.value!)], [4, "defgh"]);
  const waiting = reader.read(new DataView(new ArrayBuffer(2)));
  await conn.write(bytesOf("ij"));
  const third = await within(waiting, "two bytes");
  assert(third.value instanceof DataView);
  assertEquals(third.value.getUint8(0), "i".charCodeAt(0));

  await conn.closeWrite();
  const last = await within(reader.read(new Uint8Array(1)), "the end");
  // A chunk that had one byte only may leave the other one.
  assert(last.done || textOf(last.value!) === "j");
});

Deno.test("a default reader gets what there is, and the end", needs("openssl"), async () => {
  await using server = await startOpensslServer({ www: "www" });
  await using conn = await connectTls(to(server));
  await conn.write(GET);
  let text = "";
  const reader = conn.readable.getReader();
  for (;;) {
    const { done, value } = await within(reader.read(), "a chunk");
    if (done) break;
    assert(value.length > 0);
    text += textOf(value);
  }
  assert(text.includes("<HTML>"));
});

Deno.test(
  "the readable fails with the error that ended the connection",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ www: "www" });
    await using proxy = startTcpProxy({
      targetPort: server.port,
      fromServer: { dropCloseNotify: true },
    });
    await using conn = await connectTls(to(proxy));
    await conn.write(GET);
    let text = "";
    const reading = (async () => {
      for await (const chunk of conn.readable) text += textOf(chunk);
    })();
    await tlsError(reading, "ERR_TLS_TRUNCATED");
    assert(text.includes("<HTML>"));
  },
);

Deno.test("cancelling the readable closes the connection", async () => {
  await using server = await startDenoServer();
  await using proxy = startTcpProxy({ targetPort: server.port });
  const conn = await connectTls(to(proxy));
  await within(conn.readable.cancel("enough"), "cancel()");
  await tlsError(conn.read(new Uint8Array(1)), "ERR_TLS_CLOSED");
  const records = () => readRecords(proxy.connections[0].fromClient());
  await until(() => isAlert(records().at(-1)!), "close_notify is sent");
});

Deno.test("leaving a loop over the readable closes the connection", async () => {
  await using server = await startDenoServer();
  const conn = await connectTls(to(server));
  await conn.write(bytesOf("abc"));
  for await (const chunk of conn.readable) {
    assert(chunk.length > 0);
    break;
  }
  await tlsError(conn.write(new Uint8Array(1)), "ERR_TLS_CLOSED");
});

Deno.test(
  "closing the connection ends a read of the stream with ERR_TLS_CLOSED",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ rev: true, numTickets: 0 });
    const conn = await connectTls(to(server));
    const reading = conn.readable.getReader().read();
    assert(await staysPending(reading, 30));
    const rejected = tlsError(reading, "ERR_TLS_CLOSED");
    await conn.close();
    await rejected;
  },
);

Deno.test("closing the writable ends one direction", async () => {
  await using server = await startDenoServer();
  await using conn = await connectTls(to(server));
  const writer = conn.writable.getWriter();
  await writer.write(bytesOf("abc"));
  await within(writer.close(), "close()");
  assertEquals(await new Response(conn.readable).text(), "abc");
  await tlsError(conn.write(new Uint8Array(1)), "ERR_TLS_CLOSED");
});

Deno.test("aborting the writable closes the connection", async () => {
  await using server = await startDenoServer();
  const conn = await connectTls(to(server));
  await within(conn.writable.abort(new Error("no more")), "abort()");
  await tlsError(conn.read(new Uint8Array(1)), "ERR_TLS_CLOSED");
  await tlsError(conn.write(new Uint8Array(1)), "ERR_TLS_CLOSED");
});

Deno.test(
  "aborting the writable ends a write that the peer does not take",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ rev: true });
    const conn = await connectTls(to(server));
    Deno.kill(server.pid, "SIGSTOP");
    try {
      const writer = conn.writable.getWriter();
      writer.closed.catch(() => {});
      const writing = writer.write(new Uint8Array(TOO_MUCH));
      const settled = writing.catch(() => {});
      assert(await staysPending(writing, 500));
      await within(writer.abort(new Error("no more")).catch(() => {}), "abort()");
      await within(settled, "the write settles");
      await tlsError(conn.read(new Uint8Array(1)), "ERR_TLS_CLOSED");
      await conn.close();
    } finally {
      Deno.kill(server.pid, "SIGCONT");
    }
  },
);

Deno.test("a pipe whose signal aborts closes the connection", async () => {
  await using server = await startDenoServer();
  const conn = await connectTls(to(server));
  const endless = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      controller.enqueue(new Uint8Array(100));
    },
  });
  const controller = new AbortController();
  const piping = endless.pipeTo(conn.writable, { signal: controller.signal });
  piping.catch(() => {});
  const n = await within(conn.read(new Uint8Array(10)), "some of the echo");
  assertEquals(n, 10);
  const reason = new Error("no more");
  controller.abort(reason);
  assertStrictEquals(await rejection(piping), reason);
  await within(conn.close(), "close()");
  await tlsError(conn.read(new Uint8Array(1)), "ERR_TLS_CLOSED");
});

Deno.test("a source that fails in a pipe closes the connection", async () => {
  await using server = await startDenoServer();
  const conn = await connectTls(to(server));
  const failure = new Error("the source ran dry");
  const failing = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.error(failure);
    },
  });
  assertStrictEquals(await rejection(failing.pipeTo(conn.writable)), failure);
  await within(conn.close(), "close()");
  await tlsError(conn.write(new Uint8Array(1)), "ERR_TLS_CLOSED");
});

Deno.test("the writable fails with the error of the connection", needs("openssl"), async () => {
  await using server = await startOpensslServer({
    version: "TLSv1.3",
    clientAuth: true,
    rev: true,
  });
  await using conn = await connectTls(to(server));
  await tlsError(conn.read(new Uint8Array(1)), "ERR_TLS_ALERT_RECEIVED");
  const writer = conn.writable.getWriter();
  writer.closed.catch(() => {});
  await tlsError(writer.write(bytesOf("abc")), "ERR_TLS_ALERT_RECEIVED");
});

Deno.test(
  "what is no Uint8Array is refused, and nothing is sent for it",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ rev: true });
    await using conn = await connectTls(to(server));
    const values = ["text", new ArrayBuffer(3), [1, 2], new DataView(new ArrayBuffer(1)), 3, null];
    for (const value of values as unknown[] as Uint8Array[]) {
      for (const call of [conn.write(value), conn.read(value)]) {
        const error = await rejection(call);
        assert(error instanceof TypeError, `${error}`);
        assert(error.message.includes("must be a Uint8Array"), error.message);
      }
    }
    await conn.write(bytesOf("abc\n"));
    assertEquals(await readText(conn), "cba\n");
  },
);

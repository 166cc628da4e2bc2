/**
 * Bodies as streams, both ways: back-pressure, reads into buffers of the caller's, answers that come
 * before the request is whole.
 */

import { assert, assertEquals } from "@std/assert";
import { canReuse, fetchOver } from "../../src/http/mod.ts";
import { deferred } from "../../src/deferred.ts";
import { staysPending, until, within } from "../engine/bounded.ts";
import { answering, bytesOf, FakeConn, httpError, rejection, textOf, URL_A } from "./fake_conn.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const OK = "HTTP/1.1 200 OK\r\n";

/** Pieces of a body without end, and how many of them were asked for. */
function endless(): {
  body: ReadableStream<Uint8Array>;
  pulls: () => number;
  cancelled: Promise<unknown>;
} {
  let pulls = 0;
  const cancelled = deferred<unknown>();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulls++;
      controller.enqueue(new Uint8Array(10_000));
    },
    cancel: (reason) => cancelled.resolve(reason),
  }, { highWaterMark: 0 });
  return { body, pulls: () => pulls, cancelled: cancelled.promise };
}

Deno.test("a body is read from the connection only as it is read from the response", async () => {
  const piece = new Uint8Array(16_384).fill(97);
  const count = 64;
  const conn = answering([`${OK}content-length: ${count * piece.length}\r\n\r\n`]
    .concat(Array(count).fill(textOf(piece))));
  const response = await fetchOver(conn, URL_A);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert(conn.taken < 1_000, `${conn.taken} bytes were read ahead of any reader`);
  const reader = response.body!.getReader();
  for (let i = 1; i <= count; i++) {
    assertEquals((await reader.read()).value, piece);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert(conn.taken < 1_000 + i * piece.length, "no more than was asked for is read");
  }
  assertEquals((await reader.read()).done, true);
  assertEquals(canReuse(conn), true);
});

Deno.test("a caller's buffer is filled, whatever its size", async () => {
  const heads = [
    ["content-length: 11\r\n\r\n", "hello world"],
    ["transfer-encoding: chunked\r\n\r\n", "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"],
    ["connection: close\r\n\r\n", "hello world"],
  ];
  for (const [head, body] of heads) {
    for (const size of [1, 3, 11, 100]) {
      const conn = answering(OK + head + body, "end");
      const reader = (await fetchOver(conn, URL_A)).body!.getReader({ mode: "byob" });
      let text = "";
      for (;;) {
        const { done, value } = await reader.read(new Uint8Array(size));
        if (done) break;
        assert(value.length > 0 && value.length <= size);
        text += textOf(value);
      }
      assertEquals(text, "hello world", `${head} by ${size}`);
    }
  }
});

Deno.test("what a reader was given does not change under it", async () => {
  const conn = answering([`${OK}content-length: 6\r\n\r\n`, "one", "two"]);
  const reader = (await fetchOver(conn, URL_A)).body!.getReader();
  const { value: first } = await reader.read();
  await reader.read();
  assertEquals(first, bytesOf("one"));
});

Deno.test("a request's body is asked for as fast as the connection takes it", async () => {
  const conn = new FakeConn();
  const gate = deferred<void>();
  conn.onWrite = (text) => text.startsWith("POST") ? undefined : gate.promise;
  const { body, pulls, cancelled } = endless();
  const abort = new AbortController();
  const options = { method: "POST", body, maxBufferedBody: 0, signal: abort.signal };
  const response = fetchOver(conn, URL_A, options);
  assert(await staysPending(response, 50));
  assert(pulls() <= 2, `${pulls()} chunks were read while nothing was taken`);
  abort.abort("enough");
  assertEquals(await rejection(response), "enough");
  assertEquals(await cancelled, "enough");
});

Deno.test("an error answer before the request is whole is delivered, and stops the body", async () => {
  const conn = new FakeConn();
  const { body, cancelled } = endless();
  conn.onWrite = async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (conn.writes.length === 3) {
      conn.feed(["HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\n\r\nstop"]);
    }
  };
  const response = await fetchOver(conn, URL_A, { method: "POST", body, maxBufferedBody: 0 });
  assertEquals(response.status, 413);
  await within(cancelled, "the body is cancelled");
  assertEquals(await response.text(), "stop");
  assertEquals([conn.closes, canReuse(conn)], [1, false]);
  assert(!conn.sent.includes("\r\n0\r\n\r\n"), "a stopped body has no end");
});

Deno.test("an early error answer is heard where a Content-Length is not kept then", async () => {
  const conn = new FakeConn();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(bytesOf("the first part")),
  });
  conn.onWrite = (text) => {
    if (text.endsWith("part")) conn.feed(["HTTP/1.1 413 No\r\ncontent-length: 4\r\n\r\n"]);
  };
  const headers = { "content-length": "1000" };
  const response = await fetchOver(conn, URL_A, { method: "POST", body, headers });
  await new Promise((resolve) => setTimeout(resolve, 20));
  conn.feed(["stop"]);
  assertEquals([response.status, await response.text()], [413, "stop"]);
});

Deno.test("an early error answer stops a body that is all there, too", async () => {
  const conn = new FakeConn();
  conn.onWrite = async () => {
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (conn.writes.length === 3) conn.feed(["HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n"]);
  };
  const body = new Uint8Array(4 * 1024 * 1024);
  const response = await fetchOver(conn, URL_A, { method: "POST", body });
  assertEquals(response.status, 413);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert(conn.writes.length < 8, `${conn.writes.length} writes of 65`);
  assertEquals([conn.closes, canReuse(conn)], [1, false]);
});

Deno.test("a connection that is cut while the body is sent may have answered all the same", async () => {
  const conn = new FakeConn();
  const { body } = endless();
  conn.onWrite = () => {
    if (conn.writes.length < 3) return;
    conn.feed(["HTTP/1.1 403 No\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno"], "end");
    throw new Error("EPIPE");
  };
  const response = await fetchOver(conn, URL_A, { method: "POST", body, maxBufferedBody: 0 });
  assertEquals([response.status, await response.text()], [403, "no"]);
  assertEquals(canReuse(conn), false);
});

Deno.test("a write that fails, and no answer: ERR_HTTP_CLOSED with its cause", async () => {
  const conn = new FakeConn();
  const broken = new Error("EPIPE");
  conn.onWrite = () => Promise.reject(broken);
  const error = await httpError(fetchOver(conn, URL_A), "ERR_HTTP_CLOSED");
  assertEquals(error.cause, broken);
  assertEquals(conn.closes, 1);
});

Deno.test("both ways at once: a 200 that comes early lets the body go on", async () => {
  const conn = new FakeConn();
  let source!: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => void (source = controller),
  });
  conn.onWrite = (text) => {
    if (text.startsWith("POST")) conn.feed([`${OK}transfer-encoding: chunked\r\n\r\n`]);
    else conn.feed([text]);
  };
  const response = await within(fetchOver(conn, URL_A, { method: "POST", body }), "the head");
  const reader = response.body!.getReader();
  for (const word of ["one", "two", "three"]) {
    source.enqueue(bytesOf(word));
    assertEquals((await within(reader.read(), word)).value, bytesOf(word));
  }
  source.close();
  assertEquals((await within(reader.read(), "the end")).done, true);
  assertEquals([canReuse(conn), conn.closes], [true, 0]);
});

Deno.test("a 200 that is whole before the request is: the body stops, and the connection", async () => {
  const conn = answering(`${OK}content-length: 2\r\n\r\nhi`);
  const { body, cancelled } = endless();
  const slow = body.pipeThrough(
    new TransformStream({
      async transform(chunk, controller) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        controller.enqueue(chunk);
      },
    }),
  );
  const options = { method: "POST", body: slow, maxBufferedBody: 0 };
  assertEquals(await (await fetchOver(conn, URL_A, options)).text(), "hi");
  await within(cancelled, "the body is cancelled");
  assertEquals([conn.closes, canReuse(conn)], [1, false]);
});

Deno.test("a response waits for the last write of its request before another may follow", async () => {
  const conn = new FakeConn();
  const gate = deferred<void>();
  conn.onWrite = (text) => {
    conn.onWrite = () => {};
    if (text.startsWith("POST")) conn.feed([`${OK}content-length: 2\r\n\r\nhi`]);
    return gate.promise;
  };
  const response = await fetchOver(conn, URL_A, { method: "POST", body: "all" });
  const reader = response.body!.getReader();
  assertEquals((await reader.read()).value, bytesOf("hi"));
  assertEquals(canReuse(conn), false);
  const end = reader.read();
  assert(await staysPending(end, 30));
  gate.resolve();
  assertEquals((await end).done, true);
  await until(() => canReuse(conn), "the connection is free");
});

Deno.test("a last write that is never taken ends the connection, not the response", async () => {
  const conn = new FakeConn();
  conn.onWrite = () => {
    conn.feed([`${OK}content-length: 2\r\n\r\nhi`]);
    return new Promise(() => {});
  };
  const options = { method: "POST", body: "all", idleTimeout: 50 };
  assertEquals(await (await fetchOver(conn, URL_A, options)).text(), "hi");
  assertEquals([conn.closes, canReuse(conn)], [1, false]);
});

Deno.test("a source that goes on after its Content-Length is left, or found out", async () => {
  const conn = answering("");
  conn.onWrite = (text) => {
    if (text.endsWith("ab")) conn.feed([`${OK}content-length: 2\r\n\r\nhi`]);
  };
  const cancelled = deferred<void>();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(bytesOf("ab")),
    cancel: () => cancelled.resolve(),
  });
  const headers = { "content-length": "2" };
  const response = await fetchOver(conn, URL_A, { method: "POST", body, headers });
  assertEquals(await within(response.text(), "the response"), "hi");
  await within(cancelled.promise, "the source is cancelled");
  assertEquals([canReuse(conn), conn.closes], [true, 0]);
});

Deno.test("a refusal does not wait long for the last piece, which nobody may take", async () => {
  const conn = new FakeConn();
  conn.onWrite = (text) => {
    conn.feed(["HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n"]);
    return text.endsWith("body") ? new Promise(() => {}) : undefined;
  };
  const sent = fetchOver(conn, URL_A, { method: "POST", body: "body", idleTimeout: Infinity });
  const response = await within(sent, "the response");
  assertEquals([response.status, canReuse(conn), conn.closes], [413, false, 1]);
});

Deno.test("bytes are sent as they were when the call was made", async () => {
  const conn = answering("HTTP/1.1 204 x\r\n\r\n");
  const body = bytesOf("as it was");
  const sent = fetchOver(conn, URL_A, { method: "POST", body });
  body.fill(88);
  await sent;
  assert(conn.sent.endsWith("\r\n\r\nas it was"));
});

/**
 * What makes no progress: chunks without bytes, sources that give none, handshakes that do not end,
 * and connections that read or write nothing, or say something else than what they did. None of it
 * stops the event loop or goes on without end. And what is small goes out together.
 */

import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { canReuse, fetchOver, type FetchOverOptions } from "../../src/http/mod.ts";
import { deferred } from "../../src/deferred.ts";
import { staysPending, within } from "../engine/bounded.ts";
import { answering, bytesOf, FakeConn, httpError, rejection, textOf, URL_A } from "./fake_conn.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const NOTHING = new Uint8Array(0);

/** A connection that answers once a body in chunks has come to its end. */
function answeringTheLastChunk(answer = OK): FakeConn {
  const conn = new FakeConn();
  conn.onWrite = (text) => {
    if (text.endsWith("0\r\n\r\n")) conn.feed([answer]);
  };
  return conn;
}

/** A source that never makes anybody wait. */
function sourceOf(next: (i: number) => Uint8Array | null) {
  let pulls = 0;
  const cancelled = deferred<unknown>();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = next(pulls++);
      if (chunk === null) controller.close();
      else controller.enqueue(chunk);
    },
    cancel: (reason) => cancelled.resolve(reason),
  }, { highWaterMark: 0 });
  return { body, pulls: () => pulls, cancelled: cancelled.promise };
}

/** What is in the chunks of a request (RFC 9112 §7.1), and how long they are. */
function unchunked(sent: string): { text: string; lengths: number[] } {
  let rest = sent.slice(sent.indexOf("\r\n\r\n") + 4);
  const lengths: number[] = [];
  let text = "";
  for (;;) {
    const [size] = rest.split("\r\n", 1);
    const length = parseInt(size, 16);
    rest = rest.slice(size.length + 2);
    if (length === 0) break;
    text += rest.slice(0, length);
    lengths.push(length);
    assertEquals(rest.slice(length, length + 2), "\r\n");
    rest = rest.slice(length + 2);
  }
  assertEquals(rest, "\r\n");
  return { text, lengths };
}

const BODIES: [what: string, options: FetchOverOptions][] = [
  ["one that is measured", {}],
  ["one in chunks", { maxBufferedBody: 0 }],
  ["one of a declared length", { headers: { "content-length": "5" } }],
];

for (const [what, options] of BODIES) {
  Deno.test(`a body of chunks without bytes, ${what}, is over after idleTimeout, and stops no timer`, async () => {
    const conn = new FakeConn();
    const { body, cancelled } = sourceOf(() => NOTHING);
    let turns = 0;
    const ticking = setInterval(() => turns++, 1);
    const sent = fetchOver(conn, URL_A, { method: "POST", body, idleTimeout: 100, ...options });
    await httpError(sent, "ERR_HTTP_TIMEOUT", "idleTimeout");
    clearInterval(ticking);
    assert(turns > 2, `the event loop turned ${turns} times`);
    await within(cancelled, "the source is told");
    assertEquals([conn.closes, canReuse(conn)], [1, false]);
  });

  Deno.test(`a body of chunks without bytes, ${what}, can be aborted by a timer`, async () => {
    const conn = new FakeConn();
    const { body } = sourceOf(() => NOTHING);
    const abort = new AbortController();
    setTimeout(() => abort.abort("enough"), 20);
    const { signal } = abort;
    const sent = fetchOver(conn, URL_A, { method: "POST", body, signal, ...options });
    assertEquals(await rejection(sent), "enough");
  });
}

Deno.test("chunks without bytes among others are left out: none of them is taken for the last one", async () => {
  const source = (i: number) => i < 1000 ? i % 10 === 9 ? bytesOf("a") : NOTHING : null;
  const measured = answering(OK);
  await fetchOver(measured, URL_A, { method: "POST", body: sourceOf(source).body });
  assertStringIncludes(measured.sent, `content-length: 100\r\n\r\n${"a".repeat(100)}`);
  const conn = answeringTheLastChunk();
  const options = { method: "POST", maxBufferedBody: 0 };
  await fetchOver(conn, URL_A, { ...options, body: sourceOf(source).body });
  assertEquals(unchunked(conn.sent).text, "a".repeat(100));
});

Deno.test("after a body of its declared length chunks without bytes hold nothing up", async () => {
  const conn = answering("");
  conn.onWrite = () => {
    if (conn.sent.endsWith("hello")) conn.feed([OK]);
  };
  const { body, cancelled } = sourceOf((i) => i === 0 ? bytesOf("hello") : NOTHING);
  const headers = { "content-length": "5" };
  const response = fetchOver(conn, URL_A, { method: "POST", body, headers });
  assertEquals((await within(response, "the response")).status, 200);
  await within(cancelled, "the source is told");
});

Deno.test("a source that gives nothing for idleTimeout ends the request", async () => {
  const conn = new FakeConn();
  const cancelled = deferred<unknown>();
  const body = new ReadableStream<Uint8Array>({ cancel: (reason) => cancelled.resolve(reason) });
  const sent = fetchOver(conn, URL_A, { method: "POST", body, idleTimeout: 60 });
  const error = await httpError(sent, "ERR_HTTP_TIMEOUT", "idleTimeout");
  assertStringIncludes(error.message, "body had no more bytes within 60 ms");
  assertEquals(await within(cancelled.promise, "the source is told"), error);
  assertEquals(conn.closes, 1);
});

Deno.test("a source that gives a byte now and then goes on for longer than idleTimeout", async () => {
  const conn = answeringTheLastChunk();
  let left = 5;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      if (left-- > 0) controller.enqueue(bytesOf("a"));
      else controller.close();
    },
  }, { highWaterMark: 0 });
  const response = await fetchOver(conn, URL_A, { method: "POST", body, idleTimeout: 250 });
  assertEquals([response.status, unchunked(conn.sent).text], [200, "aaaaa"]);
});

Deno.test("once the response is there a source may keep silent for as long as that is read", async () => {
  const conn = new FakeConn();
  const streaming = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  conn.onWrite = (text) => {
    if (text.startsWith("POST")) conn.feed([`${streaming}1\r\na\r\n`]);
  };
  const { promise, resolve } = deferred<void>();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await promise;
      controller.enqueue(bytesOf("late"));
      controller.close();
    },
  }, { highWaterMark: 0 });
  const idleTimeout = 100;
  const response = await fetchOver(conn, URL_A, { method: "POST", body, idleTimeout });
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    conn.feed(["1\r\nb\r\n"]);
  }
  resolve();
  conn.onWrite = (text) => {
    if (text.endsWith("0\r\n\r\n")) conn.feed(["0\r\n\r\n"]);
  };
  assertEquals(await within(response.text(), "the response"), "abbbb");
  assertEquals([unchunked(conn.sent).text, conn.closes], ["late", 0]);
});

Deno.test("a handshake that never ends is over after headTimeout, and the body stays the caller's", async () => {
  const conn = new FakeConn();
  conn.handshake = () => new Promise(() => {});
  const { body, pulls } = sourceOf(() => bytesOf("a"));
  const options = { method: "POST", body, headTimeout: 60 };
  const error = await httpError(fetchOver(conn, URL_A, options), "ERR_HTTP_TIMEOUT", "headTimeout");
  assertStringIncludes(error.message, "handshake did not end within 60 ms");
  assertEquals([conn.sent, conn.closes, canReuse(conn)], ["", 1, false]);
  assertEquals([pulls(), body.locked], [0, false]);
  await httpError(fetchOver(conn, URL_A), "ERR_HTTP_NOT_REUSABLE");
});

Deno.test("a handshake that throws, or never ends and is aborted, rejects with that", async () => {
  const broken = new Error("broken");
  const throwing = new FakeConn();
  throwing.handshake = () => {
    throw broken;
  };
  assertEquals(await rejection(fetchOver(throwing, URL_A)), broken);
  const hanging = new FakeConn();
  hanging.handshake = () => new Promise(() => {});
  const abort = new AbortController();
  const response = fetchOver(hanging, URL_A, { signal: abort.signal });
  assert(await staysPending(response, 20));
  abort.abort("enough");
  assertEquals(await rejection(response), "enough");
});

Deno.test("a connection that takes no bytes and says so is over after idleTimeout", async () => {
  const conn = new FakeConn();
  conn.write = () => Promise.resolve(0);
  const sent = fetchOver(conn, URL_A, { idleTimeout: 60 });
  await httpError(sent, "ERR_HTTP_TIMEOUT", "idleTimeout");
  assertEquals(conn.closes, 1);
});

Deno.test("a connection that takes nothing now and then gets all of it in the end", async () => {
  const conn = answering("");
  const whole = conn.write.bind(conn);
  let calls = 0;
  conn.write = async (bytes) => {
    if (calls++ % 2 === 0) return 0;
    const taken = await whole(bytes.subarray(0, 7));
    if (conn.sent.endsWith("hello")) conn.feed([OK]);
    return taken;
  };
  await fetchOver(conn, URL_A, { method: "POST", body: "hello", idleTimeout: 5_000 });
  assert(conn.sent.endsWith("content-length: 5\r\n\r\nhello"));
});

Deno.test("a write that says it took what it cannot have taken fails the request", async () => {
  await Promise.all([-1, 1.5, NaN, Infinity, 1e9].map(async (taken) => {
    const conn = new FakeConn();
    conn.write = () => Promise.resolve(taken);
    const error = await rejection(fetchOver(conn, URL_A));
    assert(error instanceof Error, `${taken}`);
    assertStringIncludes(`${error.cause ?? error}`, `got ${taken}`);
    assertEquals(conn.closes, 1);
  }));
});

Deno.test("reads without a byte are no answer: a few are passed over, many fail", async () => {
  const conn = answering(OK);
  const read = conn.read.bind(conn);
  let empty = 0;
  conn.read = (into) => empty++ % 8 === 7 ? read(into) : Promise.resolve(0);
  assertEquals((await within(fetchOver(conn, URL_A), "the response")).status, 200);
  const never = new FakeConn();
  never.read = () => Promise.resolve(0);
  const error = await rejection(fetchOver(never, URL_A)) as Error;
  assertStringIncludes(`${error.cause ?? error}`, "no byte 64 times");
  assertEquals(canReuse(never), false);
});

Deno.test("reads without a byte within a body end it", async () => {
  const conn = answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe");
  const response = await fetchOver(conn, URL_A);
  conn.read = () => Promise.resolve(0);
  const reader = response.body!.getReader();
  assertEquals(textOf((await reader.read()).value!), "he");
  const error = await rejection(reader.read()) as Error;
  assertStringIncludes(error.message, "no byte 64 times");
});

Deno.test("a read that says it read what it cannot have read fails the request", async () => {
  for (const n of [-1, 1.5, NaN, Infinity, 1e9, "5", undefined]) {
    const conn = new FakeConn();
    conn.read = () => Promise.resolve(n as number);
    const error = await rejection(fetchOver(conn, URL_A)) as Error;
    assertStringIncludes(`${error.cause ?? error}`, `got ${n}`);
    assertEquals(canReuse(conn), false);
  }
});

Deno.test("a connection that takes the buffer away fails the request", async () => {
  const conn = new FakeConn();
  conn.read = (into) => {
    const { length } = into;
    structuredClone(into.buffer, { transfer: [into.buffer as ArrayBuffer] });
    return Promise.resolve(length);
  };
  const error = await rejection(fetchOver(conn, URL_A)) as Error;
  assertStringIncludes(`${error.cause ?? error}`, "of 0 bytes");
});

Deno.test("chunks of a byte each go out in few writes, as the chunks that they are", async () => {
  const conn = answeringTheLastChunk();
  const { body } = sourceOf((i) => i < 20_000 ? Uint8Array.of(97 + i % 26) : null);
  await fetchOver(conn, URL_A, { method: "POST", body, maxBufferedBody: 0 });
  const { text, lengths } = unchunked(conn.sent);
  assertEquals(
    text,
    Array.from({ length: 20_000 }, (_, i) => "abcdefghijklmnopqrstuvwxyz"[i % 26]).join(""),
  );
  assert(lengths.every((length) => length === 1));
  assertLess(conn.writes.length, 10);
  assertLess(Math.max(...conn.writes), 100_000);
});

Deno.test("small chunks of a body of known length go out in few writes, too", async () => {
  const conn = answering("");
  conn.onWrite = () => {
    if (conn.sent.endsWith("z")) conn.feed([OK]);
  };
  const { body } = sourceOf((i) => i < 10_000 ? bytesOf(i === 9_999 ? "z" : "a") : null);
  const headers = { "content-length": "10000" };
  await fetchOver(conn, URL_A, { method: "POST", body, headers });
  assert(conn.sent.endsWith(`\r\n\r\n${"a".repeat(9_999)}z`));
  assertLess(conn.writes.length, 6);
});

Deno.test("a source may use its buffer again for the next chunk", async () => {
  const conn = answeringTheLastChunk();
  const buffer = new Uint8Array(3);
  const { body } = sourceOf((i) => i < 100 ? buffer.fill(48 + i % 10) : null);
  await fetchOver(conn, URL_A, { method: "POST", body, maxBufferedBody: 0 });
  const { text } = unchunked(conn.sent);
  assertEquals(text, Array.from({ length: 100 }, (_, i) => `${i % 10}`.repeat(3)).join(""));
});

Deno.test("a large chunk goes out alone, between what is small", async () => {
  const conn = answeringTheLastChunk();
  const large = "L".repeat(5_000);
  const chunks = ["a", "b", large, "c", "d"];
  const { body } = sourceOf((i) => i < chunks.length ? bytesOf(chunks[i]) : null);
  await fetchOver(conn, URL_A, { method: "POST", body, maxBufferedBody: 0 });
  assertEquals(unchunked(conn.sent), { text: chunks.join(""), lengths: [1, 1, 5_000, 1, 1] });
  assertEquals(conn.writes.slice(1), [12, 5_008, 12, 5]);
});

Deno.test("of a source that makes others wait nothing is read ahead", async () => {
  const conn = new FakeConn();
  const gate = deferred<void>();
  conn.onWrite = (text) => text.startsWith("POST") ? undefined : gate.promise;
  let pulls = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      pulls++;
      controller.enqueue(bytesOf("a"));
    },
  }, { highWaterMark: 0 });
  const abort = new AbortController();
  const options = { method: "POST", body, maxBufferedBody: 0, signal: abort.signal };
  const response = fetchOver(conn, URL_A, options);
  assert(await staysPending(response, 100));
  assertEquals(pulls, 1);
  abort.abort("enough");
  assertEquals(await rejection(response), "enough");
});

for (const maxBufferedBody of [0, 65_536, 16 * 1024 * 1024]) {
  Deno.test(`an endless source and a connection that never waits stop no timer, ${maxBufferedBody} bytes measured`, async () => {
    const conn = new FakeConn();
    conn.write = (bytes) => Promise.resolve(bytes.length);
    const { body, cancelled } = sourceOf(() => bytesOf("a"));
    const abort = new AbortController();
    setTimeout(() => abort.abort("enough"), 30);
    const options = { method: "POST", body, maxBufferedBody, signal: abort.signal };
    assertEquals(await rejection(fetchOver(conn, URL_A, options)), "enough");
    assertEquals(await within(cancelled, "the source is told"), "enough");
  });
}

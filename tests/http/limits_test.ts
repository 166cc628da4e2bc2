/**
 * Each limit has an effect, at its value and not before; aborts and time limits close.
 */

import { assert, assertEquals } from "@std/assert";
import { canReuse, fetchOver, type FetchOverOptions } from "../../src/http/mod.ts";
import { deferred } from "../../src/deferred.ts";
import { staysPending, within } from "../engine/bounded.ts";
import { answering, FakeConn, httpError, rejection, URL_A } from "./fake_conn.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;
const HINTS = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";

const head = (bytes: number) => {
  const rest = `${OK}content-length: 0\r\nx: `;
  return `${rest}${"a".repeat(bytes - rest.length - 4)}\r\n\r\n`;
};

const SIZES: [name: keyof FetchOverOptions, value: number, within: string, beyond: string][] = [
  ["maxHeadBytes", 100, head(100), head(101)],
  ["maxHeadBytes", 65_536, head(65_536), head(65_537)],
  ["maxHeadBytes", 100, HINTS + HINTS + head(100), HINTS + head(101)],
  ["maxHeaderCount", 2, `${OK}a: 1\r\ncontent-length: 0\r\n\r\n`, `${OK}a:\r\nb:\r\nc:\r\n\r\n`],
  [
    "maxHeaderCount",
    256,
    `${OK}${"a: 1\r\n".repeat(255)}content-length: 0\r\n\r\n`,
    `${OK}${"a: 1\r\n".repeat(256)}content-length: 0\r\n\r\n`,
  ],
  ["maxHeaderCount", 1, `${CHUNKED}0\r\na: 1\r\n\r\n`, `${CHUNKED}0\r\na: 1\r\nb: 1\r\n\r\n`],
  [
    "maxBodyBytes",
    3,
    `${OK}content-length: 3\r\n\r\nabc`,
    `${OK}content-length: 4\r\n\r\nabcd`,
  ],
  ["maxBodyBytes", 3, `${CHUNKED}2\r\nab\r\n1\r\nc\r\n0\r\n\r\n`, `${CHUNKED}2\r\nab\r\n2\r\ncd`],
  ["maxBodyBytes", 0, `${CHUNKED}0\r\n\r\n`, `${CHUNKED}1\r\na`],
  [
    "maxInterimResponses",
    2,
    `${HINTS}${HINTS}${OK}content-length: 0\r\n\r\n`,
    `${HINTS}${HINTS}${HINTS}`,
  ],
  ["maxInterimResponses", 0, `${OK}content-length: 0\r\n\r\n`, HINTS],
  [
    "maxInterimResponses",
    16,
    `${HINTS.repeat(16)}${OK}content-length: 0\r\n\r\n`,
    HINTS.repeat(17),
  ],
  [
    "maxChunkExtensionBytes",
    6,
    `${CHUNKED}1;ab\r\na\r\n0;ab\r\n\r\n`,
    `${CHUNKED}1;ab\r\na\r\n0;abc\r\n\r\n`,
  ],
  ["maxChunkExtensionBytes", 0, `${CHUNKED}1\r\na\r\n0\r\n\r\n`, `${CHUNKED}1;a\r\na`],
  [
    "maxChunkExtensionBytes",
    16_384,
    `${CHUNKED}1;${"a".repeat(16_383)}\r\na\r\n0\r\n\r\n`,
    `${CHUNKED}${"1;abcdefg\r\na\r\n".repeat(2_049)}`,
  ],
  ["maxTrailerBytes", 6, `${CHUNKED}0\r\na: 1\r\n\r\n`, `${CHUNKED}0\r\na: 12\r\n\r\n`],
  ["maxTrailerBytes", 0, `${CHUNKED}0\r\n\r\n`, `${CHUNKED}0\r\na:\r\n\r\n`],
];
const DEFAULTS: Partial<Record<keyof FetchOverOptions, number>> = {
  maxHeadBytes: 65_536,
  maxHeaderCount: 256,
  maxInterimResponses: 16,
  maxChunkExtensionBytes: 16_384,
};

for (const [name, value, good, bad] of SIZES) {
  const byDefault = DEFAULTS[name] === value;
  const what = `${name} of ${value}${byDefault ? ", as by default" : ""}`;
  Deno.test(`${what}: takes ${good.length} bytes, refuses what is beyond`, async () => {
    for (const options of byDefault ? [{}, { [name]: value }] : [{ [name]: value }]) {
      const conn = answering(good);
      await (await fetchOver(conn, URL_A, options)).text();
      assertEquals(canReuse(conn), true);
      const other = answering(bad);
      const body = fetchOver(other, URL_A, options).then((response) => response.text());
      await httpError(body, "ERR_HTTP_LIMIT", name);
      assertEquals(other.closes, 1);
    }
  });
}

Deno.test("a Content-Length beyond maxBodyBytes is refused with the head", async () => {
  const conn = answering(`${OK}content-length: 4\r\n\r\n`);
  await httpError(fetchOver(conn, URL_A, { maxBodyBytes: 3 }), "ERR_HTTP_LIMIT", "maxBodyBytes");
  assertEquals(conn.closes, 1);
  // It is the length of what is not sent.
  const head = answering(`${OK}content-length: 4\r\n\r\n`);
  await fetchOver(head, URL_A, { method: "HEAD", maxBodyBytes: 3 });
});

Deno.test("a line or a head without end is refused before it is whole", async () => {
  const cases: [string, string][] = [
    [`${OK}x: `, "maxHeadBytes"],
    [CHUNKED + "1;", "maxChunkExtensionBytes"],
    [CHUNKED + "0\r\nx: ", "maxTrailerBytes"],
  ];
  for (const [start, limit] of cases) {
    const conn = answering([start, ..."ab".repeat(4)].concat(Array(100).fill("a".repeat(1000))));
    const body = fetchOver(conn, URL_A).then((response) => response.text());
    await httpError(body, "ERR_HTTP_LIMIT", limit);
    assert(conn.taken < 70_000);
  }
});

Deno.test("headTimeout ends a wait for a response, from the end of the request on", async () => {
  const conn = new FakeConn();
  const error = await httpError(
    fetchOver(conn, URL_A, { headTimeout: 30 }),
    "ERR_HTTP_TIMEOUT",
    "headTimeout",
  );
  assert(error.message.includes("30 ms"));
  assertEquals([conn.closes, canReuse(conn)], [1, false]);
  const half = answering(OK);
  await httpError(fetchOver(half, URL_A, { headTimeout: 30 }), "ERR_HTTP_TIMEOUT", "headTimeout");
});

Deno.test("headTimeout does not count while the request is being sent", async () => {
  const conn = new FakeConn();
  let left = 3;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 80));
      if (left-- > 0) controller.enqueue(Uint8Array.of(97));
      else controller.close();
    },
  });
  conn.onWrite = (text) => {
    if (text === "0\r\n\r\n") conn.feed([`${OK}content-length: 0\r\n\r\n`]);
  };
  const response = await fetchOver(conn, URL_A, { method: "POST", body, headTimeout: 60 });
  assertEquals(response.status, 200);
});

Deno.test("headTimeout does not count for a body", async () => {
  const conn = answering(`${OK}content-length: 2\r\n\r\n`);
  const response = await fetchOver(conn, URL_A, { headTimeout: 30 });
  const text = response.text();
  assert(await staysPending(text, 100));
  conn.feed(["hi"]);
  assertEquals(await text, "hi");
});

Deno.test("idleTimeout ends a wait for more of a body, while somebody reads it", async () => {
  const conn = answering([`${OK}content-length: 5\r\n\r\n`, "he"]);
  const response = await fetchOver(conn, URL_A, { idleTimeout: 60 });
  const reader = response.body!.getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 120));
  conn.feed(["l"]);
  assertEquals((await reader.read()).value?.length, 1);
  await httpError(reader.read(), "ERR_HTTP_TIMEOUT", "idleTimeout");
  assertEquals(conn.closes, 1);
});

Deno.test("idleTimeout ends a write that the connection does not take", async () => {
  const conn = new FakeConn();
  conn.onWrite = () => new Promise(() => {});
  await httpError(fetchOver(conn, URL_A, { idleTimeout: 30 }), "ERR_HTTP_TIMEOUT", "idleTimeout");
  assertEquals(conn.closes, 1);
});

for (const where of ["options", "the Request", "both"]) {
  Deno.test(`an abort while a response is waited for: the signal of ${where}`, async () => {
    const abort = new AbortController();
    const request = new Request(URL_A, where === "options" ? {} : { signal: abort.signal });
    const options = where === "the Request" ? {} : { signal: abort.signal };
    const conn = new FakeConn();
    const response = fetchOver(conn, request, options);
    assert(await staysPending(response, 20));
    const reason = new Error("enough");
    abort.abort(reason);
    assertEquals(await rejection(response), reason);
    assertEquals([conn.closes, canReuse(conn)], [1, false]);
  });
}

Deno.test("an abort before anything, a reason that is none, and the default reason", async () => {
  const conn = new FakeConn();
  assertEquals(await rejection(fetchOver(conn, URL_A, { signal: AbortSignal.abort("no") })), "no");
  assertEquals([conn.sent, conn.closes, canReuse(conn)], ["", 0, true]);
  const abort = new AbortController();
  const response = fetchOver(conn, URL_A, { signal: abort.signal });
  abort.abort(null);
  assertEquals(await rejection(response), null);
  const timeout = fetchOver(new FakeConn(), URL_A, { signal: AbortSignal.timeout(20) });
  assertEquals((await rejection(timeout) as Error).name, "TimeoutError");
});

Deno.test("an abort while a body is measured sends nothing, and closes", async () => {
  const abort = new AbortController();
  const conn = new FakeConn();
  const cancelled = deferred<unknown>();
  const body = new ReadableStream<Uint8Array>({
    pull: () => abort.abort("enough"),
    cancel: (reason) => cancelled.resolve(reason),
  }, { highWaterMark: 0 });
  const response = fetchOver(conn, URL_A, { method: "POST", body, signal: abort.signal });
  assertEquals(await rejection(response), "enough");
  assertEquals(await within(cancelled.promise, "the body is cancelled"), "enough");
  assertEquals([conn.sent, conn.closes], ["", 1]);
});

Deno.test("an abort within a body fails it, whether somebody reads it or not", async () => {
  for (const reading of [true, false]) {
    const abort = new AbortController();
    const conn = answering(`${OK}content-length: 5\r\n\r\nhe`);
    const response = await fetchOver(conn, URL_A, { signal: abort.signal });
    const reader = response.body!.getReader();
    await reader.read();
    const next = reading ? reader.read() : undefined;
    next?.catch(() => {});
    abort.abort("enough");
    assertEquals(await rejection(next ?? reader.read()), "enough");
    assertEquals([conn.closes, canReuse(conn)], [1, false]);
  }
});

Deno.test("an abort leaves nothing to read of what came before it", async () => {
  const abort = new AbortController();
  const conn = answering(`${OK}content-length: 5\r\n\r\nhello`);
  const response = await fetchOver(conn, URL_A, { signal: abort.signal });
  const reader = response.body!.getReader({ mode: "byob" });
  assertEquals((await reader.read(new Uint8Array(1))).value?.length, 1);
  abort.abort("enough");
  assertEquals(await rejection(reader.read(new Uint8Array(1))), "enough");
});

Deno.test("an abort within a request's body stops that, too", async () => {
  const abort = new AbortController();
  const cancelled = deferred<unknown>();
  const body = new ReadableStream<Uint8Array>({ cancel: (reason) => cancelled.resolve(reason) });
  const conn = new FakeConn();
  const response = fetchOver(conn, URL_A, { method: "POST", body, signal: abort.signal });
  assert(await staysPending(response, 100));
  assert(conn.sent.endsWith("chunked\r\n\r\n"));
  abort.abort("enough");
  assertEquals(await rejection(response), "enough");
  assertEquals(await within(cancelled.promise, "the body is cancelled"), "enough");
  assert(!conn.sent.includes("0\r\n\r\n"), "an aborted body has no end");
});

Deno.test("an abort after the response has no effect, and no listener is left", async () => {
  const abort = new AbortController();
  const { signal } = abort;
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, args);
  };
  const conn = answering(`${OK}content-length: 2\r\n\r\nhi`);
  const response = await fetchOver(conn, URL_A, { signal });
  assertEquals(await response.text(), "hi");
  assertEquals(listeners, 0);
  abort.abort();
  assertEquals([canReuse(conn), conn.closes], [true, 0]);
});

Deno.test("a time limit of centuries is none, not one that is over at once", async () => {
  const conn = new FakeConn();
  conn.onWrite = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    conn.feed(["HTTP/1.1 204 x\r\n\r\n"]);
  };
  const headTimeout = Number.MAX_SAFE_INTEGER;
  assertEquals((await fetchOver(conn, URL_A, { headTimeout })).status, 204);
});

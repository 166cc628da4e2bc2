/**
 * What is sent: request line, fields, framing; and what is refused before anything is.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { fetchOver, type FetchOverOptions } from "../../src/http/mod.ts";
import { answering, FakeConn, httpError, rejection, URL_A } from "./fake_conn.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/** The bytes of a request. */
async function sent(input: Request | string | URL, options?: FetchOverOptions): Promise<string> {
  const conn = new FakeConn();
  let answered = false;
  conn.onWrite = () => {
    const [head, body] = split(conn.sent);
    const length = Number(head.match(/content-length: (\d+)/)?.[1] ?? 0);
    const whole = head.includes("chunked") ? body.endsWith("0\r\n\r\n") : body.length === length;
    if (whole && !answered) conn.feed([OK]);
    answered ||= whole;
  };
  const response = await fetchOver(conn, input, options);
  assertEquals(response.status, 200);
  assertEquals(conn.closes, 0);
  return conn.sent;
}

function split(text: string): [head: string, body: string] {
  const at = text.indexOf("\r\n\r\n");
  return [text.slice(0, at + 4), text.slice(at + 4)];
}

function streamOf(...chunks: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
      controller.close();
    },
  });
}

/** Its chunks come later than anybody waits for its length. */
function slowStreamOf(...chunks: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 120));
      const chunk = chunks.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(new TextEncoder().encode(chunk));
    },
  }, { highWaterMark: 0 });
}

Deno.test("a GET is its target and Host, and nothing else", async () => {
  assertEquals(await sent(URL_A), "GET /x HTTP/1.1\r\nhost: a.example\r\n\r\n");
});

Deno.test("the target is in origin-form, without fragment", async () => {
  const cases: [url: string, target: string][] = [
    ["https://a.example", "/"],
    ["https://a.example?q=1", "/?q=1"],
    ['https://a.example/a b/ü?q=ü&x="#frag', "/a%20b/%C3%BC?q=%C3%BC&x=%22"],
    ["https://a.example/a/../b//c", "/b//c"],
  ];
  for (const [url, target] of cases) {
    assert((await sent(new URL(url))).startsWith(`GET ${target} HTTP/1.1\r\n`), url);
  }
});

Deno.test("Host has the port, but not the scheme's own", async () => {
  const cases: [url: string, host: string][] = [
    ["https://a.example:443/", "a.example"],
    ["https://a.example:8443/", "a.example:8443"],
    ["http://a.example:80/", "a.example"],
    ["http://a.example:443/", "a.example:443"],
    ["https://[::1]:8443/", "[::1]:8443"],
    ["https://BÜCHER.example/", "xn--bcher-kva.example"],
  ];
  for (const [url, host] of cases) {
    assert((await sent(url)).includes(`\r\nhost: ${host}\r\n`), url);
  }
});

Deno.test("a Request gives method, headers and body; options come before it", async () => {
  const request = () =>
    new Request(URL_A, { method: "PUT", headers: { "x-a": "1" }, body: "hello" });
  const text = await sent(request());
  assert(text.startsWith("PUT /x HTTP/1.1\r\n"));
  assert(text.includes("\r\nx-a: 1\r\n"));
  assert(text.includes("\r\ncontent-type: text/plain;charset=UTF-8\r\n"));
  assert(text.endsWith("\r\ncontent-length: 5\r\n\r\nhello"));
  const other = await sent(request(), { method: "PATCH", headers: { "x-b": "2" }, body: "bye" });
  assert(other.startsWith("PATCH /x HTTP/1.1\r\n"));
  assert(!other.includes("x-a") && other.includes("\r\nx-b: 2\r\n") && other.endsWith("bye"));
});

Deno.test("fields of a connection are left out, those that Connection names too", async () => {
  const headers = {
    host: "evil.example",
    connection: "keep-alive, X-Hop",
    "x-hop": "1",
    "keep-alive": "timeout=5",
    "proxy-connection": "keep-alive",
    te: "trailers",
    trailer: "x",
    "transfer-encoding": "gzip",
    upgrade: "h2c",
    "http2-settings": "AAA",
    expect: "100-continue",
    "x-end": "kept",
  };
  assertEquals(
    await sent(URL_A, { headers }),
    "GET /x HTTP/1.1\r\nhost: a.example\r\nx-end: kept\r\n\r\n",
  );
});

Deno.test("connection: close is sent", async () => {
  const text = await sent(URL_A, { headers: { connection: "close" } });
  assert(text.endsWith("\r\nconnection: close\r\n\r\n"));
});

Deno.test("fields are sent as the bytes they are", async () => {
  const text = await sent(URL_A, { headers: { "X-Name": "  caf\xe9\t1 " } });
  assert(text.includes("\r\nx-name: caf\xe9\t1\r\n"));
});

Deno.test("names and values with line breaks are refused, by Headers or by us", async () => {
  const conn = new FakeConn();
  const bad: Record<string, string>[] = [{ "x": "a\r\nx-b: 1" }, { "x\r\ny": "1" }, { "x y": "1" }];
  for (const headers of bad) {
    await assertRejects(() => fetchOver(conn, URL_A, { headers }), TypeError);
  }
  // A `Headers` that lets it through.
  const { forEach } = Headers.prototype;
  for (const [name, value] of [["x", "a\r\nx-b: 1"], ["x", "\0"], ["x", "\u{100}"], ["a b", "1"]]) {
    Headers.prototype.forEach = function (visit) {
      visit(value, name, this);
    };
    try {
      await assertRejects(() => fetchOver(conn, URL_A), TypeError, "cannot be sent");
    } finally {
      Headers.prototype.forEach = forEach;
    }
  }
  assertEquals(conn.sent, "");
});

Deno.test("methods are written as fetch writes them", async () => {
  const cases = [["get", "GET"], ["DeLeTe", "DELETE"], ["options", "OPTIONS"], ["patch", "patch"], [
    "PURGE",
    "PURGE",
  ], ["M-SEARCH", "M-SEARCH"]];
  for (const [method, written] of cases) {
    assert((await sent(URL_A, { method })).startsWith(`${written} /x HTTP/1.1\r\n`));
  }
});

Deno.test("what cannot be a request is a TypeError, and nothing is sent", async () => {
  const conn = new FakeConn();
  const used = new Request(URL_A, { method: "POST", body: "x" });
  await used.text();
  const locked = new ReadableStream();
  locked.getReader();
  // deno-lint-ignore no-explicit-any -- what a program without types may do
  const cases: [input: any, options: any, message: string][] = [
    [URL_A, { method: "CONNECT" }, '"method"'],
    [URL_A, { method: "trace" }, '"method"'],
    [URL_A, { method: "A B" }, '"method"'],
    [URL_A, { method: "" }, '"method"'],
    [URL_A, { method: 1 }, '"method" must be a string, got number'],
    [URL_A, { body: "x" }, "A GET request must have no body"],
    [URL_A, { method: "HEAD", body: "" }, "A HEAD request must have no body"],
    [URL_A, { method: "POST", body: {} }, '"body"'],
    [URL_A, { method: "POST", body: [1] }, '"body" must be a string, bytes'],
    [URL_A, { method: "POST", body: locked }, "locked"],
    [used, {}, "used already"],
    ["/x", {}, ""],
    ["ftp://a.example/", {}, "ftp:"],
    ["https://user@a.example/", {}, "user name"],
    ["https://:pass@a.example/", {}, "user name"],
    [URL_A, { redirect: "follow" }, '"redirect" is unknown'],
    [URL_A, { signal: 1 }, '"signal" must be an AbortSignal, got number'],
    [URL_A, { maxHeadBytes: "1" }, '"maxHeadBytes"'],
    [URL_A, { maxHeadBytes: 0 }, '"maxHeadBytes"'],
    [URL_A, { maxHeaderCount: -1 }, '"maxHeaderCount"'],
    [URL_A, { maxBodyBytes: "1" }, '"maxBodyBytes" must be a number of bytes, got string'],
    [URL_A, { maxBodyBytes: -1 }, '"maxBodyBytes"'],
    [URL_A, { maxBodyBytes: NaN }, '"maxBodyBytes"'],
    [URL_A, { maxInterimResponses: 0.5 }, '"maxInterimResponses"'],
    [URL_A, { maxChunkExtensionBytes: null }, '"maxChunkExtensionBytes"'],
    [URL_A, { maxTrailerBytes: Infinity }, '"maxTrailerBytes"'],
    [URL_A, { maxBufferedBody: -1 }, '"maxBufferedBody"'],
    [URL_A, { headTimeout: 0 }, '"headTimeout"'],
    [URL_A, { idleTimeout: "1s" }, '"idleTimeout"'],
    [URL_A, null, "options must be an object, got null"],
    [URL_A, { method: "POST", body: "x", headers: { "content-length": "2" } }, "content-length"],
    [URL_A, { method: "POST", body: "x", headers: { "content-length": "1x" } }, "content-length"],
    [URL_A, { headers: { "content-length": "1" } }, "content-length"],
  ];
  for (const [input, options, message] of cases) {
    await assertRejects(() => fetchOver(conn, input, options), TypeError, message);
  }
  // deno-lint-ignore no-explicit-any -- as above
  for (const bad of [null, undefined, {}, { read() {}, write() {} }] as any[]) {
    await assertRejects(() => fetchOver(bad, URL_A), TypeError, '"conn"');
  }
  assertEquals([conn.sent, conn.reads, conn.closes], ["", 0, 0]);
});

Deno.test("bodies of known length have a Content-Length, and a type if they have one", async () => {
  const bytes = Uint8Array.of(104, 105);
  const cases: [body: BodyInit, type: string | null, length: number][] = [
    ["hü", "text/plain;charset=UTF-8", 3],
    ["", "text/plain;charset=UTF-8", 0],
    [bytes, null, 2],
    [bytes.buffer, null, 2],
    [new DataView(bytes.buffer, 1), null, 1],
    [new URLSearchParams({ a: "1 2" }), "application/x-www-form-urlencoded;charset=UTF-8", 5],
    [new Blob(["hi"], { type: "text/html" }), "text/html", 2],
    [new Blob(["hi"]), null, 2],
    [streamOf("h", "i"), null, 2],
    [streamOf(), null, 0],
  ];
  for (const [body, type, length] of cases) {
    const text = await sent(URL_A, { method: "POST", body });
    const line = type === null ? "" : `content-type: ${type}\r\n`;
    const [head, content] = split(text);
    assertEquals(
      head,
      `POST /x HTTP/1.1\r\nhost: a.example\r\n${line}content-length: ${length}\r\n\r\n`,
    );
    assertEquals(content.length, length);
  }
});

Deno.test("a Content-Type of the caller's comes before the body's own", async () => {
  const headers = { "content-type": "application/json" };
  const text = await sent(URL_A, { method: "POST", headers, body: "{}" });
  assertEquals(text.match(/content-type: .*/g), ["content-type: application/json"]);
});

Deno.test("a form is sent as multipart with its boundary", async () => {
  const body = new FormData();
  body.set("a", "1");
  const text = await sent(URL_A, { method: "POST", body });
  const [, boundary] = text.match(/content-type: multipart\/form-data; boundary=(\S+)\r\n/)!;
  assert(text.includes(`--${boundary}--`));
});

Deno.test("POST, PUT and PATCH without a body say so, others do not", async () => {
  for (const method of ["POST", "PUT", "PATCH"]) {
    assert((await sent(URL_A, { method })).endsWith("\r\ncontent-length: 0\r\n\r\n"), method);
  }
  for (const method of ["GET", "HEAD", "DELETE", "OPTIONS", "PURGE"]) {
    assert((await sent(URL_A, { method })).endsWith("\r\nhost: a.example\r\n\r\n"), method);
  }
});

Deno.test("a stream longer than maxBufferedBody is sent in chunks", async () => {
  const options = { method: "POST", maxBufferedBody: 3 };
  assert((await sent(URL_A, { ...options, body: streamOf("ab", "c") })).endsWith("3\r\n\r\nabc"));
  const longer = await sent(URL_A, { ...options, body: streamOf("ab", "cd", "", "e") });
  assertEquals(
    split(longer),
    [
      "POST /x HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n",
      "4\r\nabcd\r\n1\r\ne\r\n0\r\n\r\n",
    ],
  );
  const never = await sent(URL_A, { ...options, maxBufferedBody: 0, body: streamOf("ab") });
  assert(never.endsWith("chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"));
});

Deno.test("a stream that takes its time is sent in chunks as they come", async () => {
  const text = await sent(URL_A, { method: "POST", body: slowStreamOf("one", "two") });
  assertEquals(split(text)[1], "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
});

Deno.test("a large chunk is written in pieces", async () => {
  const conn = answering("");
  const body = new Uint8Array(200_000).fill(97);
  conn.onWrite = () => {
    if (conn.sent.length > body.length) conn.feed([OK]);
  };
  await fetchOver(conn, URL_A, { method: "POST", body });
  assertEquals(conn.writes.slice(1), [65536, 65536, 65536, 3392]);
  assertEquals(split(conn.sent)[1], "a".repeat(200_000));
  const chunked = new FakeConn();
  chunked.onWrite = (text) => {
    if (text.endsWith("0\r\n\r\n")) chunked.feed([OK]);
  };
  const stream = new Blob([body]).stream();
  await fetchOver(chunked, URL_A, { method: "POST", body: stream });
  assert(Math.max(...chunked.writes) < 140_000);
  const content = split(chunked.sent)[1].replace(/(^|\r\n)[0-9a-f]+\r\n/g, "");
  assertEquals(content.replaceAll("\r\n", ""), "a".repeat(200_000));
});

Deno.test("a short request goes out in one write", async () => {
  const conn = answering(OK);
  await fetchOver(conn, URL_A, { method: "POST", body: "hello" });
  assertEquals(conn.writes.length, 1);
});

Deno.test("a connection that takes bytes bit by bit gets all of them", async () => {
  const conn = answering("");
  const whole = conn.write.bind(conn);
  conn.write = async (bytes) => {
    const n = Math.min(bytes.length, 7);
    await whole(bytes.subarray(0, n));
    if (conn.sent.endsWith("hello")) conn.feed([OK]);
    return n;
  };
  await fetchOver(conn, URL_A, { method: "POST", body: "hello" });
  assert(conn.sent.endsWith("content-length: 5\r\n\r\nhello"));
});

Deno.test("a Content-Length of the caller's is used for a stream, which is held to it", async () => {
  const headers = { "content-length": "5" };
  const text = await sent(URL_A, { method: "POST", body: slowStreamOf("he", "llo"), headers });
  assert(text.endsWith("\r\ncontent-length: 5\r\n\r\nhello"));
  for (const body of [slowStreamOf("hell"), slowStreamOf("hell", "oo")]) {
    const conn = new FakeConn();
    await httpError(
      fetchOver(conn, URL_A, { method: "POST", body, headers }),
      "ERR_HTTP_BODY_LENGTH",
    );
    assertEquals(conn.closes, 1);
    assertEquals(split(conn.sent)[1], "hell");
  }
});

Deno.test("a body whose source fails is never completed", async () => {
  const broken = new Error("broken");
  let chunks = 1;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 70));
      if (chunks-- > 0) controller.enqueue(Uint8Array.of(97));
      else controller.error(broken);
    },
  }, { highWaterMark: 0 });
  const conn = new FakeConn();
  assertEquals(await rejection(fetchOver(conn, URL_A, { method: "POST", body })), broken);
  assertEquals(split(conn.sent)[1], "1\r\na\r\n");
  assertEquals(conn.closes, 1);
});

Deno.test("a source that fails before anything is sent leaves the connection as it is", async () => {
  const broken = new Error("broken");
  const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(broken) });
  const conn = answering(OK);
  assertEquals(await rejection(fetchOver(conn, URL_A, { method: "POST", body })), broken);
  assertEquals([conn.sent, conn.closes], ["", 0]);
  assertEquals((await fetchOver(conn, URL_A)).status, 200);
});

Deno.test("a stream of what is no bytes is a TypeError, and never completed", async () => {
  const body = new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 70));
      controller.enqueue("text" as unknown as Uint8Array);
    },
  }, { highWaterMark: 0 });
  const conn = new FakeConn();
  const options = { method: "POST", body };
  await assertRejects(() => fetchOver(conn, URL_A, options), TypeError, "stream of Uint8Array");
  assertEquals(conn.closes, 1);
});

Deno.test("a signal of another realm counts as well", async () => {
  const conn = new FakeConn();
  const reason = new Error("over there");
  const { signal } = new AbortController();
  const foreign = Object.assign(Object.create(null), {
    aborted: true,
    reason,
    addEventListener: signal.addEventListener.bind(signal),
    removeEventListener: signal.removeEventListener.bind(signal),
  });
  const request = {
    url: URL_A,
    method: "GET",
    headers: new Headers(),
    body: null,
    signal: foreign,
  };
  const sent = fetchOver(conn, request as unknown as Request);
  assertEquals(await rejection(sent), reason);
  assertEquals(conn.sent, "");
});

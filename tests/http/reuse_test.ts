/**
 * Several requests on one connection, and when there may be no further one.
 */

import { assert, assertEquals } from "@std/assert";
import { canReuse, fetchOver } from "../../src/http/mod.ts";
import { TlsError } from "../../src/errors.ts";
import { until } from "../engine/bounded.ts";
import { answering, FakeConn, httpError, rejection, truncated, URL_A } from "./fake_conn.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const OK = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

Deno.test("requests follow one another", async () => {
  const conn = new FakeConn().answers(
    OK("one"),
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n",
    "HTTP/1.1 204 x\r\n\r\n",
    OK(""),
    OK("five"),
  );
  const bodies: string[] = [];
  for (let i = 0; i < 5; i++) {
    assert(canReuse(conn));
    bodies.push(await (await fetchOver(conn, URL_A)).text());
  }
  assertEquals(bodies, ["one", "two", "", "", "five"]);
  assertEquals(conn.sent, "GET /x HTTP/1.1\r\nhost: a.example\r\n\r\n".repeat(5));
});

Deno.test("a connection that was not used yet can be", () => {
  assertEquals(canReuse(new FakeConn()), true);
});

Deno.test("a second request while a response is under way is refused at once", async () => {
  const conn = new FakeConn().answers(OK("one"), OK("two"));
  const first = fetchOver(conn, URL_A);
  assertEquals(canReuse(conn), false);
  await httpError(fetchOver(conn, URL_A), "ERR_HTTP_BUSY");
  const response = await first;
  assertEquals(canReuse(conn), false);
  await httpError(fetchOver(conn, URL_A), "ERR_HTTP_BUSY");
  assertEquals(conn.closes, 0);
  assertEquals(await response.text(), "one");
  assertEquals(await (await fetchOver(conn, URL_A)).text(), "two");
});

Deno.test("a body need be read to its last byte only, not to the end of the stream", async () => {
  const conn = new FakeConn().answers(OK("one"), OK("two"));
  const reader = (await fetchOver(conn, URL_A)).body!.getReader();
  assertEquals((await reader.read()).value?.length, 3);
  assertEquals(canReuse(conn), true);
});

Deno.test("the end of chunks counts, if it is there with the last chunk", async () => {
  const conn = answering([
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    "3\r\none\r\n0\r\n\r\n",
  ]);
  const reader = (await fetchOver(conn, URL_A)).body!.getReader();
  assertEquals((await reader.read()).value?.length, 3);
  assertEquals(canReuse(conn), true);
});

Deno.test("after Connection: close no request follows, and the owner closes", async () => {
  for (const head of ["HTTP/1.1 200 OK\r\nconnection: close", "HTTP/1.0 200 OK"]) {
    const conn = answering(`${head}\r\ncontent-length: 2\r\n\r\nhi`);
    assertEquals(await (await fetchOver(conn, URL_A)).text(), "hi");
    assertEquals([canReuse(conn), conn.closes], [false, 0]);
    const error = await httpError(fetchOver(conn, URL_A), "ERR_HTTP_NOT_REUSABLE");
    assert(error.message.includes("the last one"), error.message);
  }
});

Deno.test("after our own connection: close no request follows", async () => {
  const conn = answering(OK("hi"));
  const headers = { connection: "close" };
  assertEquals(await (await fetchOver(conn, URL_A, { headers })).text(), "hi");
  assertEquals(canReuse(conn), false);
});

Deno.test("bytes after a response close the connection, those with it and those later", async () => {
  const bodies = [
    OK("hi"),
    "HTTP/1.1 204 x\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
  ];
  for (const body of bodies) {
    const conn = answering(`${body}X`);
    await (await fetchOver(conn, URL_A)).text();
    assertEquals([canReuse(conn), conn.closes], [false, 1]);
    const error = await httpError(fetchOver(conn, URL_A), "ERR_HTTP_NOT_REUSABLE");
    assert(error.message.includes("bytes after a response"), error.message);

    const later = answering(body);
    await (await fetchOver(later, URL_A)).text();
    assertEquals(canReuse(later), true);
    later.feed([OK("injected")]);
    await until(() => !canReuse(later), "the bytes are seen");
    const sent = later.sent;
    const other = await httpError(fetchOver(later, URL_A), "ERR_HTTP_NOT_REUSABLE");
    assert(other.message.includes("no request asked for"), other.message);
    assertEquals([later.sent, later.closes], [sent, 1]);
  }
});

Deno.test("bytes that come while a body is measured are nobody's answer", async () => {
  const conn = answering(OK("hi"));
  await (await fetchOver(conn, URL_A)).text();
  const { sent } = conn;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      conn.feed([OK("injected")]);
      await new Promise((resolve) => setTimeout(resolve, 10));
      controller.close();
    },
  });
  const second = fetchOver(conn, URL_A, { method: "POST", body });
  await httpError(second, "ERR_HTTP_NOT_REUSABLE");
  assertEquals(conn.sent, sent);
});

Deno.test("a server that speaks first gets no request", async () => {
  const conn = new FakeConn(["220 mail.example ESMTP\r\n"]);
  await httpError(fetchOver(conn, URL_A), "ERR_HTTP_NOT_REUSABLE");
  assertEquals([conn.sent, conn.closes], ["", 1]);
});

Deno.test("a server that ends an idle connection is seen without a request", async () => {
  for (const end of ["end", truncated()] as const) {
    const conn = answering(OK("hi"));
    await (await fetchOver(conn, URL_A)).text();
    conn.feed([], end);
    await until(() => !canReuse(conn), "the end is seen");
    const { sent } = conn;
    const error = await httpError(fetchOver(conn, URL_A), "ERR_HTTP_NOT_REUSABLE");
    assertEquals(error.cause, end === "end" ? undefined : end);
    assertEquals(conn.sent, sent, "nothing is sent");
    await httpError(fetchOver(conn, URL_A), "ERR_HTTP_NOT_REUSABLE");
  }
});

Deno.test("a request that is refused keeps its body, for another connection", async () => {
  const conn = new FakeConn().answers(OK("hi"), OK("hi"));
  await (await fetchOver(conn, URL_A)).text();
  const request = () => new Request(URL_A, { method: "POST", body: new Blob(["body"]).stream() });
  const busy = fetchOver(conn, URL_A);
  const early = request();
  await httpError(fetchOver(conn, early), "ERR_HTTP_BUSY");
  await (await busy).body?.cancel();
  const ended = answering(OK("hi"));
  await (await fetchOver(ended, URL_A)).text();
  ended.feed([], "end");
  await until(() => !canReuse(ended), "the end is seen");
  const late = request();
  await httpError(fetchOver(ended, late), "ERR_HTTP_NOT_REUSABLE");
  for (const kept of [early, late]) {
    const next = answering(OK("hi"));
    await fetchOver(next, kept);
    assert(next.sent.endsWith("\r\n\r\nbody"));
  }
});

Deno.test("a server that ends the connection as the request comes: ERR_HTTP_CLOSED", async () => {
  const reset = Object.assign(new Error("reset"), { code: "ECONNRESET" });
  for (const end of ["end", truncated(), reset] as const) {
    const conn = answering("", end);
    const error = await httpError(fetchOver(conn, URL_A), "ERR_HTTP_CLOSED");
    assertEquals(error.cause, end === "end" ? undefined : end);
    assertEquals([canReuse(conn), conn.closes], [false, 1]);
  }
});

Deno.test("an error of TLS that is no end comes through as it is", async () => {
  const alert = new TlsError("ERR_TLS_ALERT_RECEIVED", "Alert", { origin: "peer" });
  const conn = answering("", alert);
  assertEquals(await rejection(fetchOver(conn, URL_A)), alert);
  assertEquals(canReuse(conn), false);
});

Deno.test("a cancelled body closes the connection", async () => {
  const conn = answering(["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", "hel"]);
  const response = await fetchOver(conn, URL_A);
  await response.body!.cancel();
  assertEquals([canReuse(conn), conn.closes], [false, 1]);
  const error = await httpError(fetchOver(conn, URL_A), "ERR_HTTP_NOT_REUSABLE");
  assert(error.message.includes("cancelled"), error.message);
});

Deno.test("another application protocol is refused, and the connection left alone", async () => {
  for (const protocol of ["h2", "http/1.0", "x"]) {
    const conn = answering(OK("hi"));
    conn.alpnProtocol = protocol;
    const error = await httpError(fetchOver(conn, URL_A), "ERR_HTTP_ALPN");
    assert(error.message.includes(`"${protocol}"`));
    assertEquals([conn.sent, conn.reads, conn.closes, canReuse(conn)], ["", 0, 0, false]);
    await httpError(fetchOver(conn, URL_A), "ERR_HTTP_NOT_REUSABLE");
  }
  const conn = answering(OK("hi"));
  conn.alpnProtocol = "http/1.1";
  assertEquals(await (await fetchOver(conn, URL_A)).text(), "hi");
});

Deno.test("a connection without a handshake() is taken at its word", async () => {
  const conn = answering(OK("hi"));
  const plain = {
    read: (into: Uint8Array) => conn.read(into),
    write: (bytes: Uint8Array) => conn.write(bytes),
    close: () => conn.close(),
  };
  assertEquals(await (await fetchOver(plain, URL_A)).text(), "hi");
  assertEquals(canReuse(plain), true);
});

Deno.test("a handshake that fails is the error, and a close() that throws is none", async () => {
  const conn = answering(OK("hi"));
  const failed = new Error("handshake");
  conn.handshake = () => Promise.reject(failed);
  assertEquals(await rejection(fetchOver(conn, URL_A)), failed);
  const other = answering("nonsense");
  other.close = () => {
    throw new Error("closed already");
  };
  await httpError(fetchOver(other, URL_A), "ERR_HTTP_MALFORMED");
});

Deno.test("a connection whose handshake failed takes no request", async () => {
  const conn = new FakeConn();
  const failed = new Error("no handshake");
  conn.handshake = () => Promise.reject(failed);
  assertEquals(await rejection(fetchOver(conn, URL_A)), failed);
  assertEquals(canReuse(conn), false);
  const error = await httpError(fetchOver(conn, URL_A), "ERR_HTTP_NOT_REUSABLE");
  assertEquals(error.cause, failed);
});

/**
 * Responses as RFC 9112 has them: each in one piece, byte by byte, and cut at each place.
 */

import { assert, assertEquals } from "@std/assert";
import { canReuse, fetchOver } from "../../src/http/mod.ts";
import { answering, bytesOf, type End, rejection, truncated, URL_A } from "./fake_conn.ts";

Deno.test.sanitizer({ ops: true, resources: true });

interface Case {
  name: string;
  bytes: string;
  end?: End;
  method?: string;
  status?: number;
  reason?: string;
  headers?: Record<string, string>;
  body: string;
  /** Whether another request may follow. */
  reuse: boolean;
}

const CASES: Case[] = [
  {
    name: "Content-Length",
    bytes: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    body: "hello",
    reason: "OK",
    reuse: true,
  },
  {
    name: "an empty body",
    bytes: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    body: "",
    reuse: true,
  },
  {
    name: "a Content-Length with zeros in front",
    bytes: "HTTP/1.1 200 OK\r\nContent-Length: 005\r\n\r\nhello",
    body: "hello",
    reuse: true,
  },
  {
    name: "the same Content-Length twice, and in a list",
    bytes: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nContent-Length: 2 ,\t2\r\n\r\nhi",
    body: "hi",
    reuse: true,
  },
  {
    name: "chunks",
    bytes:
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n00000A\r\n, world!!!\r\n0\r\n\r\n",
    body: "hello, world!!!",
    reuse: true,
  },
  {
    name: "no chunk but the last",
    bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED \t\r\n\r\n000\r\n\r\n",
    body: "",
    reuse: true,
  },
  {
    name: "chunk extensions and trailers",
    bytes:
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b;c="d;e"\r\nhi\r\n0 ; x\r\nX-Sum: 1\r\nB:\r\n\r\n',
    body: "hi",
    headers: { "transfer-encoding": "chunked" },
    reuse: true,
  },
  {
    name: "a chunk of CRLFs",
    bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n",
    body: "\r\n\r\n",
    reuse: true,
  },
  {
    name: "a body to the end of the connection",
    bytes: "HTTP/1.1 200 OK\r\n\r\nhello",
    end: "end",
    body: "hello",
    reuse: false,
  },
  {
    name: "Connection: close",
    bytes: "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nhi",
    body: "hi",
    reuse: false,
  },
  {
    name: "HTTP/1.0",
    bytes: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    body: "hi",
    reuse: false,
  },
  {
    name: "HTTP/1.0 with keep-alive",
    bytes: "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi",
    body: "hi",
    reuse: true,
  },
  {
    name: "HTTP/1.0 with keep-alive and close",
    bytes:
      "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\ncontent-length: 0\r\n\r\n",
    body: "",
    reuse: false,
  },
  {
    name: "HEAD with a Content-Length",
    bytes: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    method: "HEAD",
    headers: { "content-length": "5" },
    body: "",
    reuse: true,
  },
  {
    name: "HEAD with chunked",
    bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    method: "HEAD",
    body: "",
    reuse: true,
  },
  {
    name: "HEAD with no length",
    bytes: "HTTP/1.1 200 OK\r\n\r\n",
    method: "HEAD",
    body: "",
    reuse: true,
  },
  { name: "204", bytes: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, body: "", reuse: true },
  {
    name: "204 with a length of 0",
    bytes: "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    status: 204,
    body: "",
    reuse: true,
  },
  {
    name: "204 that speaks of a body",
    bytes: "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n",
    status: 204,
    body: "",
    reuse: false,
  },
  {
    name: "204 that speaks of chunks",
    bytes: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    status: 204,
    body: "",
    reuse: false,
  },
  {
    name: "205 with a length of 0",
    bytes: "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    status: 205,
    body: "",
    reuse: true,
  },
  {
    name: "205 with no length",
    bytes: "HTTP/1.1 205 x\r\n\r\n",
    status: 205,
    body: "",
    reuse: false,
  },
  {
    name: "304 with the length of what is not sent",
    bytes: "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n",
    status: 304,
    body: "",
    reuse: true,
  },
  {
    name: "a redirect, which is not followed",
    bytes: "HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n",
    status: 302,
    headers: { location: "/y" },
    body: "",
    reuse: true,
  },
  {
    name: "interim responses before the final one",
    bytes:
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
    status: 404,
    reason: "Not Found",
    headers: { "content-length": "2" },
    body: "no",
    reuse: true,
  },
  {
    name: "no reason",
    bytes: "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n",
    reason: "",
    body: "",
    reuse: true,
  },
  {
    name: "not even a space",
    bytes: "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n",
    reason: "",
    body: "",
    reuse: true,
  },
  {
    name: "a status nobody knows",
    bytes: "HTTP/1.1 599 \xe9 \t!\r\ncontent-length: 0\r\n\r\n",
    status: 599,
    reason: "\xe9 \t!",
    body: "",
    reuse: true,
  },
  {
    name: "fields with odd names and values",
    bytes:
      "HTTP/1.1 200 OK\r\n!#$%&'*+-.^_`|~09aZ: \t a:b\tc \t\r\nempty:\r\nX:caf\xe9\r\nx: 2\r\ncontent-length:0\r\n\r\n",
    headers: { "!#$%&'*+-.^_`|~09aZ": "a:b\tc", empty: "", x: "caf\xe9, 2", "content-length": "0" },
    body: "",
    reuse: true,
  },
  {
    name: "a body that is compressed, which is not touched",
    bytes: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
    headers: { "content-encoding": "gzip" },
    body: "\x1f\x8b\x08",
    reuse: true,
  },
];

async function check(test: Case, pieces: Uint8Array[]): Promise<void> {
  const { name, end = "open", method = "GET", status = 200, headers = {} } = test;
  const conn = answering(pieces, end);
  const response = await fetchOver(conn, URL_A, { method });
  assertEquals(response.status, status, name);
  if (test.reason !== undefined) assertEquals(response.statusText, test.reason);
  for (const [field, value] of Object.entries(headers)) {
    assertEquals(response.headers.get(field), value, field);
  }
  assertEquals(new Uint8Array(await response.arrayBuffer()), bytesOf(test.body), name);
  assertEquals(canReuse(conn), test.reuse, `${name}: reuse`);
  assertEquals(conn.closes, 0, `${name}: closed`);
}

for (const test of CASES) {
  Deno.test(`response: ${test.name}`, async () => {
    const bytes = bytesOf(test.bytes);
    await check(test, [bytes]);
    await check(test, Array.from(bytes, (byte) => Uint8Array.of(byte)));
    for (let at = 1; at < bytes.length; at++) {
      await check(test, [bytes.subarray(0, at), bytes.subarray(at)]);
    }
  });

  Deno.test(`response, cut off anywhere: ${test.name}`, async () => {
    const bytes = bytesOf(test.bytes);
    const untilClose = test.end === "end";
    for (const end of ["end", truncated()] as const) {
      for (let at = 0; at < bytes.length; at++) {
        const conn = answering([bytes.subarray(0, at)], end);
        const error = await rejection(
          fetchOver(conn, URL_A, { method: test.method }).then(async (response) => {
            const body = await response.arrayBuffer();
            // Nothing marks its end but the end.
            if (untilClose && end === "end") throw { code: "END" };
            return body;
          }),
        ) as { code: string };
        const expected = at === 0
          ? "ERR_HTTP_CLOSED"
          : end !== "end"
          ? "ERR_TLS_TRUNCATED"
          : untilClose && at >= bytes.indexOf(104)
          ? "END"
          : "ERR_HTTP_TRUNCATED";
        assertEquals(error.code, expected, `${at} bytes: ${error}`);
        assertEquals(canReuse(conn), false);
      }
    }
  });
}

Deno.test("a body to the end that is cut off fails, after what came of it", async () => {
  const conn = answering(["HTTP/1.1 200 OK\r\n\r\n", "hel"], truncated());
  const response = await fetchOver(conn, URL_A);
  const reader = response.body!.getReader();
  assertEquals((await reader.read()).value, bytesOf("hel"));
  const error = await rejection(reader.read()) as { code: string };
  assertEquals(error.code, "ERR_TLS_TRUNCATED");
});

Deno.test("each Set-Cookie is a field of its own", async () => {
  const conn = answering(
    "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\ncontent-length: 0\r\n\r\n",
  );
  const { headers } = await fetchOver(conn, URL_A);
  assertEquals(headers.getSetCookie(), ["a=1", "b=2"]);
  assert(!headers.has("content-type"), "nothing is added");
});

Deno.test("a response without a body has none, one with an empty body has that", async () => {
  const no = await fetchOver(answering("HTTP/1.1 204 x\r\n\r\n"), URL_A);
  assertEquals(no.body, null);
  const head = answering("HTTP/1.1 200 x\r\ncontent-length: 3\r\n\r\n");
  assertEquals((await fetchOver(head, URL_A, { method: "HEAD" })).body, null);
  const empty = await fetchOver(answering("HTTP/1.1 200 x\r\ncontent-length: 0\r\n\r\n"), URL_A);
  assertEquals((await empty.body!.getReader().read()).done, true);
});

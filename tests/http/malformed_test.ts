/**
 * Responses that break RFC 9112, or leave room for two readings: each is an error, in one piece and
 * byte by byte, and the connection is closed and takes no further request.
 */

import { assert, assertEquals } from "@std/assert";
import { canReuse, fetchOver, type HttpErrorCode } from "../../src/http/mod.ts";
import { answering, bytesOf, httpError, rejection, URL_A } from "./fake_conn.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const M = "ERR_HTTP_MALFORMED";
const F = "ERR_HTTP_FRAMING";
const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

const CASES: [name: string, bytes: string, code: HttpErrorCode][] = [
  // Status line
  ["a line break before the status line", `\r\n${OK}content-length: 0\r\n\r\n`, M],
  ["a space before the status line", ` ${OK}content-length: 0\r\n\r\n`, M],
  ["HTTP/2's frames", "\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0", M],
  ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", M],
  ["HTTP/2's version", "HTTP/2 200\r\n\r\n", M],
  ["HTTP/2.0", "HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n", M],
  ["HTTP/1.2", "HTTP/1.2 200 OK\r\ncontent-length: 0\r\n\r\n", M],
  ["HTTP/1", "HTTP/1 200 OK\r\ncontent-length: 0\r\n\r\n", M],
  ["HTTP/1.10", "HTTP/1.10 200 OK\r\ncontent-length: 0\r\n\r\n", M],
  ["HTTP/0.9", "<html></html>", M],
  ["another protocol's greeting", "SSH-2.0-OpenSSH_9\r\n", M],
  ["a small http", "http/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", M],
  ["two spaces", "HTTP/1.1  200 OK\r\ncontent-length: 0\r\n\r\n", M],
  ["a tab", "HTTP/1.1\t200 OK\r\ncontent-length: 0\r\n\r\n", M],
  ["no status", "HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n", M],
  ["a status of two digits", "HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n", M],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n", M],
  ["a status of 0xx", "HTTP/1.1 099 OK\r\ncontent-length: 0\r\n\r\n", M],
  ["a status of 600", "HTTP/1.1 600 OK\r\ncontent-length: 0\r\n\r\n", M],
  ["a signed status", "HTTP/1.1 +20 OK\r\ncontent-length: 0\r\n\r\n", M],
  ["a NUL in the reason", "HTTP/1.1 200 O\0K\r\ncontent-length: 0\r\n\r\n", M],
  ["a DEL in the reason", "HTTP/1.1 200 O\x7f\r\ncontent-length: 0\r\n\r\n", M],
  ["a request", "GET / HTTP/1.1\r\nhost: a\r\n\r\n", M],
  // Lines
  ["a bare LF after the status line", "HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n", M],
  ["a bare LF after a field", `${OK}content-length: 0\n\r\n`, M],
  ["a bare LF at the end of the head", `${OK}content-length: 0\r\n\n`, M],
  ["bare LFs only", "HTTP/1.1 200 OK\ncontent-length: 0\n\n", M],
  ["a bare CR in a value", `${OK}x: a\rb\r\ncontent-length: 0\r\n\r\n`, M],
  ["a bare CR in the status line", "HTTP/1.1 200 O\rK\r\ncontent-length: 0\r\n\r\n", M],
  ["two CRs", `${OK}x: a\r\r\ncontent-length: 0\r\n\r\n`, M],
  // Fields
  ["obs-fold with a space", `${OK}x: a\r\n b\r\ncontent-length: 0\r\n\r\n`, M],
  ["obs-fold with a tab", `${OK}x: a\r\n\tb\r\ncontent-length: 0\r\n\r\n`, M],
  ["a fold before the first field", `${OK} x: a\r\ncontent-length: 0\r\n\r\n`, M],
  ["a line of one space", `${OK}content-length: 0\r\n \r\n\r\n`, M],
  ["a space before the colon", `${OK}content-length : 0\r\n\r\n`, M],
  ["a tab before the colon", `${OK}content-length\t: 0\r\n\r\n`, M],
  ["no colon", `${OK}content-length 0\r\n\r\n`, M],
  ["no name", `${OK}: 0\r\ncontent-length: 0\r\n\r\n`, M],
  ["a space in a name", `${OK}content length: 0\r\n\r\n`, M],
  ["a bracket in a name", `${OK}content(length): 0\r\n\r\n`, M],
  ["a NUL in a name", `${OK}x\0: 0\r\ncontent-length: 0\r\n\r\n`, M],
  ["a byte above 0x7f in a name", `${OK}x\xe9: 0\r\ncontent-length: 0\r\n\r\n`, M],
  ["a NUL in a value", `${OK}x: a\0b\r\ncontent-length: 0\r\n\r\n`, M],
  ["a control in a value", `${OK}x: a\x1b[31m\r\ncontent-length: 0\r\n\r\n`, M],
  ["a DEL in a value", `${OK}x: \x7f\r\ncontent-length: 0\r\n\r\n`, M],
  // Framing
  [
    "Transfer-Encoding and Content-Length",
    `${OK}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
    F,
  ],
  [
    "Content-Length and Transfer-Encoding",
    `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
    F,
  ],
  ["two lengths", `${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!`, F],
  ["two lengths in one line", `${OK}Content-Length: 2, 3\r\n\r\nhi!`, F],
  ["the same length, written otherwise", `${OK}Content-Length: 2, 02\r\n\r\nhi`, F],
  ["a list of lengths with a gap", `${OK}Content-Length: 2,,2\r\n\r\nhi`, F],
  ["an empty length", `${OK}Content-Length:\r\n\r\n`, F],
  ["a signed length", `${OK}Content-Length: +2\r\n\r\nhi`, F],
  ["a negative length", `${OK}Content-Length: -2\r\n\r\nhi`, F],
  ["a length in hexadecimal", `${OK}Content-Length: 0x2\r\n\r\nhi`, F],
  ["a length with an exponent", `${OK}Content-Length: 2e0\r\n\r\nhi`, F],
  ["a length with a fraction", `${OK}Content-Length: 2.0\r\n\r\nhi`, F],
  ["a length with a space", `${OK}Content-Length: 1 2\r\n\r\nhi`, F],
  ["a length that is none", `${OK}Content-Length: two\r\n\r\nhi`, F],
  ["a length beyond what is counted", `${OK}Content-Length: 9007199254740992\r\n\r\nhi`, F],
  ["a length beyond all bounds", `${OK}Content-Length: ${"9".repeat(40)}\r\n\r\nhi`, F],
  ["another coding", `${OK}Transfer-Encoding: gzip\r\n\r\n`, F],
  ["two codings", `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, F],
  ["chunked twice", `${OK}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`, F],
  [
    "chunked in two lines",
    `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    F,
  ],
  ["identity", `${OK}Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n`, F],
  ["a coding with parameters", `${OK}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n`, F],
  ["a coding in quotes", `${OK}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`, F],
  ["a coding that is nearly chunked", `${OK}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, F],
  ["an empty coding", `${OK}Transfer-Encoding:\r\n\r\n0\r\n\r\n`, F],
  ["chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", F],
  // Interim
  ["an interim response with a length", `HTTP/1.1 100 x\r\ncontent-length: 0\r\n\r\n${OK}\r\n`, F],
  [
    "an interim response with a coding",
    `HTTP/1.1 103 x\r\ntransfer-encoding: chunked\r\n\r\n${OK}\r\n`,
    F,
  ],
  ["an interim response of HTTP/1.0", `HTTP/1.0 100 x\r\n\r\n${OK}content-length: 0\r\n\r\n`, F],
  ["a switch of protocols", "HTTP/1.1 101 x\r\nupgrade: websocket\r\n\r\n", "ERR_HTTP_UPGRADE"],
  // Chunks
  ["a chunk without a size", `${CHUNKED}\r\nhi\r\n0\r\n\r\n`, M],
  ["a signed size", `${CHUNKED}+2\r\nhi\r\n0\r\n\r\n`, M],
  ["a negative size", `${CHUNKED}-2\r\nhi\r\n0\r\n\r\n`, M],
  ["a size with 0x", `${CHUNKED}0x2\r\nhi\r\n0\r\n\r\n`, M],
  ["a size that is none", `${CHUNKED}two\r\nhi\r\n0\r\n\r\n`, M],
  ["a size with something after it", `${CHUNKED}2x\r\nhi\r\n0\r\n\r\n`, M],
  ["a size with a space after it", `${CHUNKED}2 \r\nhi\r\n0\r\n\r\n`, M],
  ["a size with a space before it", `${CHUNKED} 2\r\nhi\r\n0\r\n\r\n`, M],
  ["a size beyond what is counted", `${CHUNKED}20000000000000\r\nhi\r\n0\r\n\r\n`, M],
  ["a size of 17 digits", `${CHUNKED}00000000000000002\r\nhi\r\n0\r\n\r\n`, M],
  ["a bare LF after a size", `${CHUNKED}2\nhi\r\n0\r\n\r\n`, M],
  ["a bare CR in an extension", `${CHUNKED}2;a\rb\r\nhi\r\n0\r\n\r\n`, M],
  ["a bare LF in an extension", `${CHUNKED}2;a\nb\r\nhi\r\n0\r\n\r\n`, M],
  ["a NUL in an extension", `${CHUNKED}2;\0\r\nhi\r\n0\r\n\r\n`, M],
  ["an empty extension", `${CHUNKED}2;\r\nhi\r\n0\r\n\r\n`, M],
  ["an extension without a name", `${CHUNKED}2;=a\r\nhi\r\n0\r\n\r\n`, M],
  ["an extension without its value", `${CHUNKED}2;a=\r\nhi\r\n0\r\n\r\n`, M],
  ["an extension with an open quote", `${CHUNKED}2;a="b\r\nhi\r\n0\r\n\r\n`, M],
  ["an extension with more after it", `${CHUNKED}2;a=b c\r\nhi\r\n0\r\n\r\n`, M],
  ["a chunk longer than its size", `${CHUNKED}2\r\nhi!\r\n0\r\n\r\n`, M],
  ["a chunk shorter than its size", `${CHUNKED}3\r\nhi\r\n0\r\n\r\n`, M],
  ["a bare LF after a chunk", `${CHUNKED}2\r\nhi\n0\r\n\r\n`, M],
  ["a bare CR after a chunk", `${CHUNKED}2\r\nhi\r0\r\n\r\n`, M],
  ["a folded trailer", `${CHUNKED}0\r\na: b\r\n c\r\n\r\n`, M],
  ["a trailer without a colon", `${CHUNKED}0\r\nab\r\n\r\n`, M],
  ["a bare LF after the last chunk", `${CHUNKED}0\r\n\n`, M],
  ["a response right after the last size", `${CHUNKED}0\r\n${OK}content-length: 0\r\n\r\n`, M],
];

for (const [name, text, code] of CASES) {
  Deno.test(`refused: ${name}`, async () => {
    const bytes = bytesOf(text);
    const pieces = [[bytes], Array.from(bytes, (byte) => Uint8Array.of(byte))];
    for (const method of ["GET", "HEAD"]) {
      // A HEAD has no chunks.
      if (method === "HEAD" && text.startsWith(CHUNKED)) continue;
      for (const reads of pieces) {
        const conn = answering(reads);
        const whole = fetchOver(conn, URL_A, { method }).then((response) => response.text());
        await httpError(whole, code);
        assertEquals([conn.closes, canReuse(conn)], [1, false]);
        await httpError(fetchOver(conn, URL_A), "ERR_HTTP_NOT_REUSABLE");
      }
    }
  });
}

Deno.test("what is no HTTP/1 is told by its first byte", async () => {
  await httpError(fetchOver(answering("\0"), URL_A), M);
  await httpError(fetchOver(answering(["H", "TTP/2"]), URL_A), M);
});

Deno.test("the message says what is wrong, and not all of what was sent", async () => {
  const cases: [bytes: string, message: string][] = [
    [`${OK}x: a\r\n b: c\r\n`, "obs-fold"],
    [`${OK}content-length : 0\r\n`, '"content-length "'],
    [`${OK}x: \0\r\n`, '"x" has a control character'],
    [`HTTP/1.1 ${"9".repeat(5_000)}\r\n`, "999…"],
    [`${OK}transfer-encoding: gzip\r\n\r\n`, '"gzip"'],
  ];
  for (const [bytes, message] of cases) {
    const error = await rejection(fetchOver(answering(bytes), URL_A)) as Error;
    assert(error.message.includes(message), error.message);
    assert(error.message.length < 200);
  }
});

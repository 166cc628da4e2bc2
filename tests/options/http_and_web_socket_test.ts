/** Guards: every option of `fetchOver()` and `webSocketStreams()`, times every kind of value. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { fetchOver, type FetchOverOptions } from "../../src/http/mod.ts";
import type { WebSocketStreamsOptions } from "../../src/transport/web_socket.ts";
import { webSocketStreams } from "../../src/transport/web_socket.ts";
import { FakeConn, URL_A } from "../http/fake_conn.ts";
import { FakeSocket } from "../transport/web_socket_ends.ts";
import { type Kind, KIND_NAMES, KINDS, TIMES } from "./kinds.ts";
import { type Rows, testTable, testWhole } from "./table.ts";

/** What was asked, and what came back. */
interface Exchange {
  sent: string;
  response: Response;
}

/** Within every limit: no field, and no body. */
const ANSWER = "HTTP/1.1 204 No Content\r\n\r\n";

async function exchange(options?: FetchOverOptions): Promise<Exchange> {
  const conn = new FakeConn();
  let answered = false;
  // The answer comes when all of the request has: its end is that of a chunk, of a head or of bytes.
  conn.onWrite = () => {
    const [, body] = conn.sent.split(/\r\n\r\n(.*)/s);
    const length = Number(/content-length: (\d+)/.exec(conn.sent)?.[1] ?? 0);
    const isWhole = conn.sent.includes("chunked")
      ? conn.sent.endsWith("0\r\n\r\n")
      : body !== undefined && body.length >= length;
    if (!isWhole || answered) return;
    answered = true;
    conn.feed([ANSWER]);
  };
  const response = await fetchOver(conn as never, URL_A, options);
  assertEquals(response.status, 204);
  return { sent: conn.sent, response };
}

/** Counts up to 16 MiB, from 0 on. */
const COUNTS: Kind[] = ["0", "-0", "1"];

const sends = (expected: (kind: Kind) => string) => ({ sent }: Exchange, kind: Kind) =>
  assert(sent.includes(expected(kind)), `${kind}: ${sent}`);

const ROWS: Rows<FetchOverOptions> = {
  method: {
    // Any token (RFC 9110 §9.1), of any length.
    accepts: ["a string", "a string of digits", "a string of 70,000 characters"],
    effect: ({ sent }: Exchange, kind, value) => {
      assertEquals(sent.split(" ")[0], kind === "undefined" ? "GET" : value);
    },
  },
  headers: {
    accepts: [
      "an empty array",
      "an object",
      "an object with another name",
      "an object without a prototype",
      "a Map",
      "Headers",
    ],
    effect: ({ sent }: Exchange, kind) => {
      const field = {
        "an object with another name": "another: name",
        "a Map": "text: text",
        "Headers": "x-text: text",
      }[kind as string];
      assertEquals(
        sent,
        `GET /x HTTP/1.1\r\nhost: a.example\r\n${field ? `${field}\r\n` : ""}\r\n`,
      );
    },
  },
  body: {
    accepts: [
      "null",
      "an empty string",
      "a string",
      "a string of digits",
      "a string with NUL",
      "a string with a lone surrogate", // as `fetch` has it: a replacement character
      "a string of 70,000 characters",
      "a Uint8Array",
      "an empty Uint8Array",
      "a Buffer",
      "a Uint8Array on shared memory",
      "a Uint16Array",
      "a DataView",
      "an ArrayBuffer",
      "a ReadableStream",
    ],
    beside: { method: "POST" },
    effect: sends((kind) => {
      const bytes = {
        "a string": "text",
        "a string of digits": "1",
        "a string with NUL": "te\0xt",
        "a Uint8Array": "text",
        "a Buffer": "text",
        "a Uint8Array on shared memory": "\0\0\0\0",
        "a Uint16Array": "et",
        "a DataView": "\0\0\0\0",
        "an ArrayBuffer": "\0\0\0\0",
      }[kind as string];
      const length = bytes?.length ?? {
        "a string with a lone surrogate": 7,
        "a string of 70,000 characters": 70_000,
      }[kind as string] ?? 0;
      return `content-length: ${length}\r\n${bytes === undefined ? "" : `\r\n${bytes}`}`;
    }),
  },
  signal: { accepts: ["null", "an AbortSignal"] },
  maxHeadBytes: { accepts: [] },
  maxHeaderCount: { accepts: COUNTS },
  maxBodyBytes: { accepts: [...COUNTS, "2^31", "Infinity"] },
  maxInterimResponses: { accepts: COUNTS },
  maxChunkExtensionBytes: { accepts: COUNTS },
  maxTrailerBytes: { accepts: COUNTS },
  maxBufferedBody: { accepts: COUNTS },
  headTimeout: { accepts: TIMES },
  idleTimeout: { accepts: TIMES },
};

testTable<FetchOverOptions>("fetchOver()", ROWS, exchange);

testWhole(
  "fetchOver()",
  ["undefined", "an object", "an object without a prototype"],
  (options) => exchange(options as FetchOverOptions),
  /fetchOver\(\) options/,
);

const SOCKET_ROWS: Rows<WebSocketStreamsOptions> = {
  maxQueued: { accepts: ["1", "2^31"] },
  maxBuffered: { accepts: ["0", "-0", "1", "2^31"] },
};

testTable<WebSocketStreamsOptions>(
  "webSocketStreams()",
  SOCKET_ROWS,
  (options) => webSocketStreams(new FakeSocket(), options),
);

testWhole(
  "webSocketStreams()",
  ["undefined", "an object", "an object without a prototype"],
  (options) => webSocketStreams(new FakeSocket(), options as WebSocketStreamsOptions),
  /webSocketStreams\(\) options/,
);

Deno.test("a socket is one, or a TypeError says that it is none", () => {
  for (const kind of KIND_NAMES) {
    assertThrows(() => webSocketStreams(KINDS[kind]() as never), TypeError, '"socket"', kind);
  }
});

/**
 * Any response, in any pieces, read in any way, is the response that was meant; any bytes at all end
 * in a response or in an error of ours, in bounded time and memory.
 */

import { assert, assertEquals } from "@std/assert";
import { canReuse, fetchOver, HttpError } from "../../src/http/mod.ts";
import { within } from "../engine/bounded.ts";
import { fc } from "../packages.ts";
import { answering, bytesOf, textOf, URL_A } from "./fake_conn.ts";

const token = fc.string({
  unit: fc.constantFrom(..."abcXYZ019-_!#"),
  minLength: 1,
  maxLength: 12,
}).filter((name) => !/^(connection|content-length|transfer-encoding)$/i.test(name));
const value = fc.string({ unit: fc.constantFrom(...'ab:;,= \t\xe9"\\'), maxLength: 20 });
const fields = fc.array(fc.tuple(token, value), { maxLength: 6 });
const body = fc.uint8Array({ maxLength: 600 });

const encoding = fc.oneof(
  fc.constant({ kind: "length" as const }),
  fc.constant({ kind: "close" as const }),
  fc.record({
    kind: fc.constant("chunked" as const),
    sizes: fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 }),
    extension: fc.constantFrom("", ";a", ' ; b="c;\\"d"', ";x=y;z"),
    zeros: fc.integer({ min: 0, max: 5 }),
    trailers: fields,
  }),
);

const response = fc.record({
  minor: fc.constantFrom(0, 1),
  status: fc.integer({ min: 200, max: 599 }).filter((status) => ![204, 205, 304].includes(status)),
  fields,
  body,
  encoding,
  interim: fc.integer({ min: 0, max: 3 }),
});

type AnyResponse = typeof response extends fc.Arbitrary<infer T> ? T : never;

function lines(all: [string, string][]): string {
  return all.map(([name, text]) => `${name}: ${text}\r\n`).join("");
}

function write({ minor, status, fields, body, encoding, interim }: AnyResponse): string {
  const start = `HTTP/1.1 103 x\r\na: b\r\n\r\n`.repeat(interim);
  const text = textOf(body);
  if (encoding.kind === "length") {
    const own = `content-length: ${body.length}\r\n`;
    return `${start}HTTP/1.${minor} ${status} x\r\n${own}${lines(fields)}\r\n${text}`;
  }
  if (encoding.kind === "close") {
    return `${start}HTTP/1.${minor} ${status} x\r\n${lines(fields)}\r\n${text}`;
  }
  const { sizes, extension, zeros, trailers } = encoding;
  let chunks = "";
  for (let at = 0, i = 0; at < text.length; i++) {
    const chunk = text.slice(at, at + sizes[i % sizes.length]);
    chunks += `${"0".repeat(zeros)}${chunk.length.toString(16)}${extension}\r\n${chunk}\r\n`;
    at += chunk.length;
  }
  const head = `HTTP/1.1 ${status} x\r\n${lines(fields)}transfer-encoding: chunked\r\n\r\n`;
  return `${start}${head}${chunks}0${extension}\r\n${lines(trailers)}\r\n`;
}

function cut(bytes: Uint8Array, sizes: number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes.length === 0 ? bytes.length : sizes[i % sizes.length];
    pieces.push(bytes.subarray(at, at += size));
  }
  return pieces;
}

async function read(got: Response, size: number): Promise<Uint8Array> {
  if (size === 0) return new Uint8Array(await got.arrayBuffer());
  const reader = got.body!.getReader({ mode: "byob" });
  const all: number[] = [];
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(size));
    if (done) return Uint8Array.from(all);
    all.push(...value);
  }
}

const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 5 });

Deno.test("any response in any pieces, read in any way, is the one that was meant", async () => {
  await fc.assert(
    fc.asyncProperty(response, sizes, fc.nat({ max: 70 }), async (meant, pieces, size) => {
      const bytes = bytesOf(write(meant));
      const conn = answering(cut(bytes, pieces), "end");
      const got = await fetchOver(conn, URL_A);
      assertEquals(got.status, meant.status);
      const expected = new Headers();
      for (const [name, text] of meant.fields) expected.append(name, text);
      for (const [name, text] of expected) assertEquals(got.headers.get(name), text);
      assertEquals(await read(got, size), new Uint8Array(meant.body));
      assertEquals(conn.closes, 0);
      // The end of the connection is seen, or the last response was the last one.
      await new Promise((resolve) => setTimeout(resolve, 0));
      assertEquals(canReuse(conn), false);
    }),
    { numRuns: 400 },
  );
});

Deno.test("any bytes end in a response or in an HttpError, and the same in other pieces", async () => {
  const grammar = fc.constantFrom(
    "HTTP/1.1 ",
    "200 OK",
    "\r\n",
    "\r",
    "\n",
    "content-length: ",
    "transfer-encoding: chunked",
    "connection: close",
    "1",
    "0",
    "a",
    ":",
    ";",
    " ",
    "\0",
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((array) => new Uint8Array(array)),
    fc.array(grammar, { maxLength: 40 }).map((parts) => bytesOf(parts.join(""))),
    fc.array(grammar, { maxLength: 20 })
      .map((parts) => bytesOf(`HTTP/1.1 200 OK\r\n${parts.join("")}`)),
    fc.array(grammar, { maxLength: 20 })
      .map((parts) =>
        bytesOf(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${parts.join("")}`)
      ),
  );
  const outcome = async (pieces: Uint8Array[]) => {
    const conn = answering(pieces, "end");
    try {
      const got = await fetchOver(conn, URL_A);
      return [got.status, [...got.headers], await got.text()];
    } catch (error) {
      assert(error instanceof HttpError, `${error}`);
      assertEquals(canReuse(conn), false);
      return error.code;
    }
  };
  await fc.assert(
    fc.asyncProperty(bytes, sizes, async (all, pieces) => {
      const whole = await within(outcome([all]), "an outcome");
      assertEquals(await within(outcome(cut(all, pieces)), "an outcome"), whole);
    }),
    { numRuns: 1_500 },
  );
});

Deno.test("any request's body, from any pieces, arrives framed as it is", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
      fc.nat({ max: 500 }),
      async (chunks, maxBufferedBody) => {
        const body = new ReadableStream<Uint8Array>({
          start(controller) {
            for (const chunk of chunks) controller.enqueue(new Uint8Array(chunk));
            controller.close();
          },
        });
        const conn = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        await fetchOver(conn, URL_A, { method: "POST", body, maxBufferedBody }).catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 0));
        const meant = chunks.map((chunk) => textOf(new Uint8Array(chunk))).join("");
        const at = conn.sent.indexOf("\r\n\r\n") + 4;
        const length = conn.sent.slice(0, at).match(/content-length: (\d+)/);
        if (length !== null) {
          assertEquals(Number(length[1]), meant.length);
          assertEquals(conn.sent.slice(at), meant);
          return;
        }
        assert(conn.sent.slice(0, at).includes("\r\ntransfer-encoding: chunked\r\n"));
        // It was answered early: what was sent is the beginning, and not made to look whole.
        const sent = unchunk(conn.sent.slice(at));
        assert(sent.whole ? sent.body === meant : meant.startsWith(sent.body));
      },
    ),
    { numRuns: 300 },
  );
});

function unchunk(text: string): { body: string; whole: boolean } {
  let body = "";
  while (text !== "") {
    const [, size] = text.match(/^([0-9a-f]+)\r\n/)!;
    const start = size.length + 2;
    const length = parseInt(size, 16);
    assertEquals(text.slice(start + length, start + length + 2), "\r\n");
    body += text.slice(start, start + length);
    text = text.slice(start + length + 2);
    if (length === 0) {
      assertEquals(text, "");
      return { body, whole: true };
    }
  }
  return { body, whole: false };
}

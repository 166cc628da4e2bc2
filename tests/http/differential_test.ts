/**
 * Beside Node's own parser, llhttp: what both take means the same to both, what Node refuses is
 * refused here, and what is refused here alone is listed, with the reason.
 */

import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { fetchOver } from "../../src/http/mod.ts";
import { fc } from "../packages.ts";
import { Child } from "../peers/child.ts";
import { answering, bytesOf, textOf, URL_A } from "./fake_conn.ts";

interface Response {
  status?: number;
  body?: string;
  fields?: string[];
  error?: string;
}

interface Given {
  text: string;
  method: string;
}

async function inNode(cases: Given[]): Promise<Response[]> {
  const main = fileURLToPath(new URL("./node_client.mjs", import.meta.url));
  await using child = new Child("node", { args: [main], stdin: "piped" });
  const input = cases.map(({ text, method }) => ({ bytes: bytesOf(text).toBase64(), method }));
  await child.write(JSON.stringify(input));
  await child.closeStdin();
  const { success } = await child.exited(60_000);
  assert(success, child.log());
  return JSON.parse(child.stdout.text());
}

async function here({ text, method }: Given): Promise<Response> {
  try {
    const conn = answering(text, "end");
    const response = await fetchOver(conn, URL_A, { method });
    const body = textOf(new Uint8Array(await response.arrayBuffer()));
    // Node makes the response itself an error of what comes after it.
    if (conn.closes > 0) return { error: "bytes after the response" };
    return { status: response.status, body, fields: [...response.headers].flat() };
  } catch (error) {
    return { error: (error as { code?: string }).code ?? String(error) };
  }
}

/** Names in lower case, in order, values of one name joined: what `Headers` makes of them. */
function fieldsOf({ fields = [] }: Response): string[] {
  const headers = new Headers();
  for (let i = 0; i < fields.length; i += 2) headers.append(fields[i], fields[i + 1]);
  return [...headers].flat();
}

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

/** Both take these, and mean the same. */
const AGREED: (string | [string, string])[] = [
  `${OK}Content-Length: 5\r\n\r\nhello`,
  `${OK}Content-Length: 0\r\n\r\n`,
  `${OK}Content-Length: 005\r\n\r\nhello`,
  `${OK}Content-Length: \t5 \r\n\r\nhello`,
  `${OK}\r\nto the end`,
  `${OK}\r\n`,
  `HTTP/1.0 200 OK\r\n\r\nold`,
  `HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi`,
  `HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n`,
  `HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n`,
  `HTTP/1.1 599 \xe9\r\nContent-Length: 0\r\n\r\n`,
  `${CHUNKED}5\r\nhello\r\n0\r\n\r\n`,
  `${CHUNKED}0A\r\n0123456789\r\n000\r\n\r\n`,
  `${CHUNKED}5;a=b\r\nhello\r\n0;c\r\n\r\n`,
  `${CHUNKED}5;a="b"\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n`,
  `${OK}transfer-encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n`,
  `${OK}a: 1\r\nA: 2\r\nempty:\r\nx: caf\xe9\tb\r\nContent-Length: 0\r\n\r\n`,
  `HTTP/1.1 204 No Content\r\n\r\n`,
  `HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n`,
  `HTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 2\r\n\r\nhi`,
  `HTTP/1.1 103 Early\r\nlink: x\r\n\r\n${OK}Content-Length: 2\r\n\r\nhi`,
  [`${OK}Content-Length: 10\r\n\r\n`, "HEAD"],
  [`${CHUNKED}`, "HEAD"],
  [`${OK}\r\n`, "HEAD"],
];

/** Node takes these, and this does not. */
const STRICTER: [why: string, text: string][] = [
  [
    "a line break before the status line is no part of a response",
    `\r\n${OK}Content-Length: 0\r\n\r\n`,
  ],
  [
    "a status above 599 is no class, and no Response",
    "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
  ],
  ["HTTP/0.9 and 2.0 are not HTTP/1", "HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["HTTP/0.9 and 2.0 are not HTTP/1", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["a control in the reason", "HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n"],
  ["another coding than chunked has no known end", `${OK}Transfer-Encoding: gzip\r\n\r\nxx`],
  [
    "a coding under chunked would have to be undone",
    `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  ],
  ["chunked once only", `${OK}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`],
  ["identity is no coding any more", `${OK}Transfer-Encoding: identity\r\n\r\nxx`],
  ["HTTP/1.0 has no codings", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["an interim response has no length", `HTTP/1.1 100 x\r\nContent-Length: 0\r\n\r\n${OK}\r\n`],
];

/** Node refuses these or takes them otherwise: a tab after a value is no part of it (RFC 9110 §5.5). */
const DIFFERENT: [text: string, body: string][] = [
  [`${OK}Content-Length:5 \t\r\n\r\nhello`, "hello"],
  [`${OK}Transfer-Encoding: chunked\t\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, "hello"],
];

/** Neither takes these. */
const REFUSED = [
  "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
  "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "\0\0\x12\x04\0\0\0\0\0",
  "SSH-2.0-x\r\n",
  `${OK}a b: 1\r\nContent-Length: 0\r\n\r\n`,
  `${OK}Content-Length : 0\r\n\r\n`,
  `${OK}: 1\r\nContent-Length: 0\r\n\r\n`,
  `${OK}x: a\r\n b\r\nContent-Length: 0\r\n\r\n`,
  `${OK}x: a\0b\r\nContent-Length: 0\r\n\r\n`,
  `${OK}x: a\rb\r\nContent-Length: 0\r\n\r\n`,
  `${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!`,
  `${OK}Content-Length: +2\r\n\r\nhi`,
  `${OK}Content-Length: -2\r\n\r\nhi`,
  `${OK}Content-Length: 2x\r\n\r\nhi`,
  `${OK}Content-Length: 2, 3\r\n\r\nhi`,
  `${OK}Content-Length:\r\n\r\n`,
  `${OK}Content-Length: ${"9".repeat(40)}\r\n\r\n`,
  `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  `${OK}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n`,
  `${CHUNKED}x\r\n`,
  `${CHUNKED}-1\r\n`,
  `${CHUNKED}2 \r\nhi\r\n0\r\n\r\n`,
  `${CHUNKED}2x\r\nhi\r\n0\r\n\r\n`,
  `${CHUNKED}2\nhi\r\n0\r\n\r\n`,
  `${CHUNKED}2\r\nhi!\r\n0\r\n\r\n`,
  `${CHUNKED}2\r\nhi\n0\r\n\r\n`,
  `${CHUNKED}2;\0\r\nhi\r\n0\r\n\r\n`,
  `${CHUNKED}0\r\na b\r\n\r\n`,
  `${CHUNKED}fffffffffffffffff\r\n`,
  `${OK}Content-Length: 5\r\n\r\nhel`,
  `${CHUNKED}5\r\nhel`,
  `${CHUNKED}5\r\nhello\r\n0\r\n`,
  `${OK}Content-Le`,
  "",
];

const given = (test: string | [string, string]): Given =>
  typeof test === "string" ? { text: test, method: "GET" } : { text: test[0], method: test[1] };

Deno.test("what Node takes and this takes is the same response", async () => {
  const cases = AGREED.map(given);
  const theirs = await inNode(cases);
  for (const [i, test] of cases.entries()) {
    const ours = await here(test);
    assertEquals(theirs[i].error, undefined, `Node: ${JSON.stringify(test)}`);
    assertEquals(
      { ...ours, fields: fieldsOf(ours) },
      { ...theirs[i], fields: fieldsOf(theirs[i]) },
      JSON.stringify(test),
    );
  }
});

Deno.test("what Node refuses is refused", async () => {
  const cases = REFUSED.map(given);
  const theirs = await inNode(cases);
  for (const [i, test] of cases.entries()) {
    assert((await here(test)).error !== undefined, `here: ${JSON.stringify(test)}`);
    assert(theirs[i].error !== undefined, `Node: ${JSON.stringify(test)}`);
  }
});

Deno.test("what is refused here and not by Node, each for a reason", async () => {
  const cases = STRICTER.map(([, text]) => given(text));
  const theirs = await inNode(cases);
  for (const [i, [why, text]] of STRICTER.entries()) {
    const { error } = await here(cases[i]);
    assert(error?.startsWith("ERR_HTTP_"), `${why}: ${error} ${JSON.stringify(text)}`);
    assertEquals(theirs[i].error, undefined, `Node takes it: ${why} ${JSON.stringify(text)}`);
  }
});

Deno.test("what Node may take otherwise is taken as the RFC has it", async () => {
  for (const [text, body] of DIFFERENT) assertEquals((await here(given(text))).body, body);
});

Deno.test("no change of a few bytes is taken here and refused by Node", async () => {
  const bytes = ["\r", "\n", "\r\n", " ", "\t", "\0", ":", ";", ",", "0", "2", "f", "\xe9", "-"];
  const seeds = AGREED.map(given).filter(({ method }) => method === "GET");
  const changed = fc.tuple(
    fc.constantFrom(...seeds),
    fc.array(
      fc.tuple(fc.nat(), fc.constantFrom("put", "cut", "swap"), fc.constantFrom(...bytes)),
      { minLength: 1, maxLength: 3 },
    ),
  ).map(([{ text, method }, changes]): Given => {
    for (const [where, how, byte] of changes) {
      const at = where % text.length;
      text = text.slice(0, at) + (how === "cut" ? "" : byte) +
        text.slice(how === "put" ? at : at + 1);
    }
    return { text, method };
  });
  const cases = fc.sample(changed, { numRuns: 1_500, seed: 20_261_124 });
  const theirs = await inNode(cases);
  const different: string[] = [];
  let both = 0;
  for (const [i, test] of cases.entries()) {
    const ours = await here(test);
    if (ours.error !== undefined) continue;
    const same = ours.status === theirs[i].status && ours.body === theirs[i].body;
    const tab = theirs[i].error === "HPE_INVALID_CONTENT_LENGTH" &&
      /\d[\t ]*\t[\t ]*\r/.test(test.text);
    if (!same && !tab) different.push(JSON.stringify([test.text, ours, theirs[i]]));
    both++;
  }
  assertEquals(different, []);
  assert(both > 200, `${both} of them were taken by both`);
});

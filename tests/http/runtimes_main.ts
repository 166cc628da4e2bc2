/**
 * `fetchOver()` in whatever runtime this is bundled for: what became of each case, by name, `null` or
 * what failed. Run with the argument `run` it prints that as a line of JSON.
 *
 * @module
 */

import { canReuse, fetchOver } from "../../src/http/mod.ts";

/** What became of a case: `null`, or what failed. */
export type Outcomes = Record<string, string | null>;

/** A server in memory, at the other end of a connection: it answers what is sent with `answer`. */
function connection(answer: (request: string) => string[] | null) {
  let waiting: Uint8Array[] = [];
  let wake = () => {};
  let closed = false;
  let sent = "";
  const decoder = new TextDecoder();
  return {
    sent: () => sent,
    async read(into: Uint8Array): Promise<number | null> {
      while (waiting.length === 0) {
        if (closed) throw new Error("closed");
        await new Promise<void>((resolve) => wake = resolve);
      }
      const piece = waiting.shift()!;
      into.set(piece);
      return piece.length;
    },
    write(bytes: Uint8Array): Promise<number> {
      sent += decoder.decode(bytes);
      const pieces = answer(sent);
      if (pieces !== null) {
        waiting = waiting.concat(pieces.map((piece) => new TextEncoder().encode(piece)));
        sent = "";
        wake();
      }
      return Promise.resolve(bytes.length);
    },
    close() {
      closed = true;
      wake();
    },
  };
}

const whole = (text: string) => {
  const [head, ...rest] = text.split("\r\n\r\n");
  const body = rest.join("\r\n\r\n");
  if (head.includes("chunked")) return body.endsWith("0\r\n\r\n") || body === "0";
  return body.length === Number(head.match(/content-length: (\d+)/)?.[1] ?? 0);
};

function echoing() {
  return connection((text) => {
    if (!whole(text)) return null;
    const body = JSON.stringify(text);
    return [
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: application/json\r\nset-cookie: a=1\r\n",
      `transfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}`,
      "\r\n0\r\n\r\n",
    ];
  });
}

function equal(actual: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`got ${a}, expected ${b}`);
}

const URL_A = "https://a.example/x?y=1";
const HEAD = "x?y=1 HTTP/1.1\r\nhost: a.example\r\n";

const CASES: Record<string, () => Promise<void>> = {
  async "requests follow one another"() {
    const conn = echoing();
    for (let i = 0; i < 3; i++) {
      const response = await fetchOver(conn, URL_A);
      equal(await response.json(), `GET /${HEAD}\r\n`);
      equal(canReuse(conn), true);
    }
  },
  async "a Request with a body"() {
    const request = new Request(URL_A, { method: "POST", body: "hello", headers: { "x-a": "1" } });
    const text = await (await fetchOver(echoing(), request)).json() as string;
    if (!/^POST \/x\?y=1 HTTP\/1\.1\r\nhost: a\.example\r\n/.test(text)) throw new Error(text);
    if (!/\r\nx-a: 1\r\n/.test(text)) throw new Error(text);
    if (!/\r\n\r\n(hello|5\r\nhello\r\n0\r\n\r\n)$/.test(text)) throw new Error(text);
  },
  async "a stream as a body"() {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("one"));
        controller.enqueue(new TextEncoder().encode("two"));
        controller.close();
      },
    });
    const options = { method: "PUT", body, maxBufferedBody: 0 };
    const text = await (await fetchOver(echoing(), URL_A, options)).json();
    const chunks = "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n";
    equal(text, `PUT /${HEAD}transfer-encoding: chunked\r\n\r\n${chunks}`);
  },
  async "other bodies"() {
    const bodies = [
      new URLSearchParams({ a: "1" }),
      new TextEncoder().encode("a=1"),
      new Blob(["a=1"]),
      new TextEncoder().encode("a=1").buffer,
    ];
    for (const body of bodies) {
      const text = await (await fetchOver(echoing(), URL_A, { method: "POST", body })).json();
      if (!(text as string).endsWith("content-length: 3\r\n\r\na=1")) throw new Error(`${text}`);
    }
    const form = new FormData();
    form.set("a", "1");
    const response = await fetchOver(echoing(), URL_A, { method: "POST", body: form });
    if (!(await response.text()).includes("form-data; name=")) throw new Error("no form");
  },
  async "reads into the caller's buffer"() {
    const conn = echoing();
    const response = await fetchOver(conn, URL_A);
    const reader = response.body!.getReader({ mode: "byob" });
    let text = "";
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(7));
      if (done) break;
      text += new TextDecoder().decode(value);
    }
    equal(JSON.parse(text), `GET /${HEAD}\r\n`);
    equal(canReuse(conn), true);
  },
  async "an abort, a cancel, a limit and a busy connection"() {
    const abort = new AbortController();
    const silent = connection(() => null);
    const pending = fetchOver(silent, URL_A, { signal: abort.signal });
    const busy = await fetchOver(silent, URL_A).catch((error) => error.code);
    equal(busy, "ERR_HTTP_BUSY");
    abort.abort("enough");
    equal(await pending.catch((reason) => reason), "enough");
    const conn = echoing();
    await (await fetchOver(conn, URL_A)).body!.cancel();
    equal(canReuse(conn), false);
    const limited = await fetchOver(echoing(), URL_A, { maxBodyBytes: 5 });
    equal(await limited.text().catch((error) => error.code), "ERR_HTTP_LIMIT");
    const late = fetchOver(connection(() => null), URL_A, { headTimeout: 20 });
    equal(await late.catch((error) => error.code), "ERR_HTTP_TIMEOUT");
  },
};

/** Runs all cases. */
export async function run(): Promise<Outcomes> {
  const outcomes: Outcomes = {};
  for (const [name, test] of Object.entries(CASES)) {
    outcomes[name] = await test().then(() => null, (error) => `${error?.stack ?? error}`);
  }
  return outcomes;
}

// deno-lint-ignore no-explicit-any -- Node and Bun have it
if ((globalThis as any).process?.argv?.[2] === "run") {
  // deno-lint-ignore no-console -- how it answers
  console.log(JSON.stringify(await run()));
}

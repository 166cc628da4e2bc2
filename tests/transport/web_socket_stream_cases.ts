/**
 * A `WebSocketStream` as two streams, as cases for any runtime that has one: Deno and Chromium. The
 * other end is `web_socket_stream_server.ts`.
 *
 * @module
 */

import type { startTls } from "../../mod.ts";
import { type WebSocketStreamLike, webSocketStreams } from "../../src/transport/web_socket.ts";

/** What a case is given by its runtime. */
export interface Context {
  /** Of the server, as `http://127.0.0.1:PORT`. */
  base: string;
  /** Answers the upgrade, and is gone; as `ws://127.0.0.1:PORT/`. */
  lose: string;
  /** Answers the upgrade, and reads nothing. */
  stuck: string;
  startTls: typeof startTls;
  ca: string;
}

/** What the server saw of a connection, once that is over. */
interface Seen {
  /** Bytes that came, and a sum of them. */
  received: number;
  sum: number;
  /** Bytes that were handed to its socket. */
  sent: number;
  /** The close code, or `null` while it is open. */
  code: number | null;
}

/** Far more than any buffer on the way. */
const LARGE = 48 * 1024 * 1024;
const PATIENCE_MS = 20_000;
/** The peer is held up if it gets rid of nothing for so long. */
const HELD_MS = 500;

type SocketClass = new (url: string) => WebSocketStreamLike;
const { WebSocketStream } = globalThis as unknown as { WebSocketStream: SocketClass };

let names = 0;
/** A name for a connection, by which the server knows it. */
function newName(): string {
  return `${performance.timeOrigin}-${names++}`;
}

function open({ base }: Context, path: string) {
  return openUrl(`${base.replace("http", "ws")}${path}`);
}

function openUrl(url: string) {
  return webSocketStreams(new WebSocketStream(url));
}

async function seen({ base }: Context, name: string): Promise<Seen> {
  return await (await fetch(`${base}/seen/${name}`)).json();
}

/** What the server saw, once the connection is over there. */
async function over(context: Context, name: string): Promise<Seen> {
  return await until(() => seen(context, name), ({ code }) => code !== null, "the close");
}

async function until<T>(
  ask: () => Promise<T>,
  holds: (answer: T) => boolean,
  what: string,
): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    if (performance.now() > end) throw new Error(`Not in its time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not in its time: ${what}`)), PATIENCE_MS);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

async function rejects(promise: Promise<unknown>, message: string): Promise<void> {
  const outcome = await within(
    promise.then(() => "nothing was thrown", (error) => String(error)),
    message,
  );
  check(outcome.includes(message), `expected "${message}", got "${outcome}"`);
}

function sumOf(bytes: Uint8Array, sum = 0): number {
  for (const byte of bytes) sum = (sum * 31 + byte) >>> 0;
  return sum;
}

async function readAll(
  readable: ReadableStream<Uint8Array>,
): Promise<{ length: number; sum: number }> {
  let length = 0;
  let sum = 0;
  for (const reader = readable.getReader();;) {
    const { done, value } = await within(reader.read(), "a read");
    if (done) return { length, sum };
    length += value.length;
    sum = sumOf(value, sum);
  }
}

/** Waits until the server gets rid of no more bytes; how many went. */
async function heldUp(context: Context, name: string): Promise<number> {
  let last = -1;
  let since = performance.now();
  const { sent } = await until(() => seen(context, name), ({ sent }) => {
    if (sent !== last) since = performance.now();
    last = sent;
    return sent > 0 && performance.now() - since > HELD_MS;
  }, "the server is held up");
  return sent;
}

/** The cases, by what they say. */
export const cases: Record<string, (context: Context) => Promise<void>> = {
  async "bytes go both ways in their order, from before it is open"(context) {
    const { readable, writable } = open(context, `/echo/${newName()}`);
    const bytes = Uint8Array.from({ length: 1_000_000 }, (_, i) => i * 31 + (i >> 8));
    const written = (async () => {
      const writer = writable.getWriter();
      for (let at = 0; at < bytes.length; at += 100_000) {
        await writer.write(bytes.subarray(at, at + 100_000));
      }
    })();
    const reader = readable.getReader();
    let sum = 0;
    for (let length = 0; length < bytes.length;) {
      const { value } = await within(reader.read(), "the echo");
      length += value!.length;
      sum = sumOf(value!, sum);
    }
    await within(written, "the writes");
    check(sum === sumOf(bytes), "the bytes come back as they were");
    await reader.cancel();
  },

  async "a peer that sends more than is read is held up, and nothing is lost"(context) {
    const name = newName();
    const { readable } = open(context, `/flood/${name}/${LARGE}`);
    const sent = await heldUp(context, name);
    check(sent < LARGE, `the server could send all ${sent} bytes to nobody`);
    const { length, sum } = await readAll(readable);
    check(length === LARGE, `${length} bytes came`);
    check(sum === (await over(context, name)).sum, "the bytes came as they were sent");
  },

  async "TLS: a download that is read slowly comes whole"(context) {
    const name = newName();
    const { readable, writable } = open(context, `/tls/${name}/${LARGE}`);
    const conn = await within(
      context.startTls({ readable, writable }, { hostname: "localhost", caCerts: [context.ca] }),
      "the handshake",
    );
    const sent = await heldUp(context, name);
    check(sent < LARGE, `the server could send all ${sent} bytes to nobody`);
    const { length, sum } = await readAll(conn.readable);
    check(length === LARGE, `${length} bytes came`);
    await conn.close();
    check(sum === (await over(context, name)).sum, "the bytes came as they were sent");
  },

  async "over a WebSocket a download that is read slowly fails, and says why"(context) {
    const socket = new WebSocket(
      `${context.base.replace("http", "ws")}/flood/${newName()}/${LARGE}`,
    );
    const { readable } = webSocketStreams(socket);
    await until(() => Promise.resolve(socket.readyState), (state) => state === 3, "the end");
    await rejects(readAll(readable), "received more than is read: over 16777216 bytes wait");
  },

  async "all that was written before a close arrives before the end"(context) {
    const name = newName();
    const { writable } = open(context, `/count/${name}`);
    const writer = writable.getWriter();
    const bytes = new Uint8Array(300_000).map((_, i) => i * 7);
    for (let i = 0; i < 10; i++) await within(writer.write(bytes), "a write");
    await within(writer.close(), "the close");
    const { received, sum, code } = await over(context, name);
    let expected = 0;
    for (let i = 0; i < 10; i++) expected = sumOf(bytes, expected);
    check(received === 3_000_000 && sum === expected, `${received} bytes arrived`);
    check(code === 1000, `closed with ${code}`);
  },

  async "a close with 1000, or without a code, is the end after what came before"(context) {
    for (const code of ["1000", "none"]) {
      const { readable } = open(context, `/close/${newName()}/${code}`);
      const { length } = await readAll(readable);
      check(length === 2, `${length} bytes came before a close with ${code}`);
    }
  },

  async "a close with another code is an error that says it, after what came before"(context) {
    const { readable, writable } = open(context, `/close/${newName()}/4321`);
    const reader = readable.getReader();
    const { value } = await within(reader.read(), "what came before");
    check(value?.length === 2, "what came before comes first");
    await rejects(reader.read(), "closed with code 4321: no such backend");
    await rejects(writable.getWriter().write(new Uint8Array(1)), "closed with code 4321");
  },

  async "a connection that is lost is an error at both streams"(context) {
    const { readable, writable } = openUrl(context.lose);
    await rejects(readAll(readable), "The WebSocket ");
    await rejects(writable.getWriter().write(new Uint8Array(1)), "The WebSocket ");
  },

  async "one that cannot connect is an error at both streams"(context) {
    const { readable, writable } = open(context, "/refuse");
    const writer = writable.getWriter();
    writer.closed.catch(() => {});
    writer.ready.catch(() => {});
    await rejects(readAll(readable), "The WebSocket failed");
    await rejects(writer.write(new Uint8Array(1)), "The WebSocket failed");
  },

  async "a message of text is refused, and says so"(context) {
    const name = newName();
    const { readable, writable } = open(context, `/text/${name}`);
    await rejects(readAll(readable), "not binary");
    await rejects(writable.getWriter().write(new Uint8Array(1)), "not binary");
    const { code } = await over(context, name);
    check(code === 4000, `closed with ${code}`);
  },

  async "an empty message is nothing to read"(context) {
    const { readable } = open(context, `/empty/${newName()}`);
    const { length } = await readAll(readable);
    check(length === 1, `${length} bytes came`);
  },

  async "aborting the writable is no end to the peer, and an error here"(context) {
    const name = newName();
    const { readable, writable } = open(context, `/count/${name}`);
    const writer = writable.getWriter();
    await within(writer.write(new Uint8Array(10)), "a write");
    const read = rejects(readAll(readable), "aborted");
    await within(writer.abort(new Error("no more")), "the abort");
    await read;
    const { code } = await over(context, name);
    check(code === 4000, `closed with ${code}`);
  },

  async "cancelling the readable is an end to the peer, and writes fail"(context) {
    const name = newName();
    const { readable, writable } = open(context, `/count/${name}`);
    const writer = writable.getWriter();
    await within(writer.write(new Uint8Array(10)), "a write");
    await within(readable.cancel(), "the cancel");
    await rejects(writer.write(new Uint8Array(1)), "closed");
    const { code } = await over(context, name);
    check(code === 1000, `closed with ${code}`);
  },

  async "a chunk that is no Uint8Array is refused, and cuts the connection off"(context) {
    const name = newName();
    const { writable } = open(context, `/count/${name}`);
    const writer = writable.getWriter();
    await rejects(writer.write("text" as unknown as Uint8Array), "no Uint8Array: string");
    const { code, received } = await over(context, name);
    check(code === 4000 && received === 0, `closed with ${code} after ${received} bytes`);
  },

  async "a peer that takes nothing holds the writer up, and an abort waits for nothing"(context) {
    const { writable } = openUrl(context.stuck);
    const writer = writable.getWriter();
    const chunk = new Uint8Array(1_000_000);
    let write: Promise<void> | undefined;
    for (let taken = 0; write === undefined; taken += chunk.length) {
      check(taken < 200_000_000, "the writer is never held up");
      const next = writer.write(chunk);
      let late: ReturnType<typeof setTimeout> | undefined;
      const pending = new Promise<true>((resolve) =>
        late = setTimeout(() => resolve(true), HELD_MS)
      );
      if (await Promise.race([next, pending]) === true) write = next;
      clearTimeout(late);
    }
    const failed = rejects(write, "aborted");
    await within(writer.abort(), "the abort");
    await failed;
  },
};

/** Runs all of them; what became of each: `null`, or what failed. */
export async function runCases(context: Context): Promise<Record<string, string | null>> {
  const outcomes: Record<string, string | null> = {};
  for (const [name, run] of Object.entries(cases)) {
    outcomes[name] = await run(context).then(() => null, (error) => `${error?.stack ?? error}`);
  }
  return outcomes;
}

/**
 * Guards: a WebSocket as two streams in workerd, whose sockets have no `bufferedAmount` and leave
 * the answer to a close to the program: bytes, ends, bounds.
 */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
// deno-lint-ignore no-import-prefix -- see tests/packages.ts
import { Miniflare } from "npm:miniflare@4.20260730.0";
import { webSocketStreams } from "../../src/transport/web_socket.ts";
import { within } from "../engine/bounded.ts";
import { Child } from "../peers/child.ts";

// The connections to workerd are those of fetch, which keeps them beyond a test.
Deno.test.sanitizer({ ops: false, resources: false });

let miniflare: Miniflare;
let url: URL;
Deno.test.beforeAll(async () => {
  const file = fileURLToPath(new URL("./web_socket_main.ts", import.meta.url));
  await using bundler = new Child(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform=browser", file],
  });
  const { success } = await bundler.exited(60_000);
  if (!success) throw new Error(`deno bundle failed\n${bundler.log()}`);
  const script = bundler.stdout.text();
  miniflare = new Miniflare({ modules: true, script, compatibilityDate: "2025-06-01" });
  url = await miniflare.ready;
});
Deno.test.afterAll(async () => await miniflare?.dispose());

async function open(path: string) {
  const socket = new WebSocket(new URL(path, url).href.replace(/^http/, "ws"));
  const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
  const streams = webSocketStreams(socket);
  const writer = streams.writable.getWriter();
  writer.closed.catch(() => {});
  await within(writer.ready, "the socket opens");
  return {
    readable: streams.readable,
    writer,
    closed: within(closed, "the socket is closed"),
    async [Symbol.asyncDispose]() {
      socket.close();
      await within(closed, "the socket is closed");
    },
  };
}

/** What the Worker's end came to. */
async function outcome(): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const said = await (await fetch(new URL("outcome", url))).text();
    if (said !== "open") return said;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return "open";
}

async function lengthOf(readable: ReadableStream<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const chunk of readable) length += chunk.length;
  return length;
}

Deno.test("bytes come back in their order, and the client's end is the Worker's", async () => {
  await using made = await open("echo");
  const bytes = Uint8Array.from({ length: 90_000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
  await made.writer.write(bytes);
  const got = new Uint8Array(bytes.length);
  const reader = made.readable.getReader();
  for (let at = 0; at < got.length;) {
    const { value } = await within(reader.read(), "the echo");
    got.set(value!, at);
    at += value!.length;
  }
  assertEquals(got, bytes);
  await made.writer.close();
  assertEquals((await made.closed).code, 1000);
  assertEquals(await outcome(), "ended");
});

Deno.test("what came before the end is read after it", async () => {
  await using made = await open("late");
  for (let i = 0; i < 9; i++) await made.writer.write(new Uint8Array(10_000));
  await made.writer.close();
  await made.closed;
  assertEquals(await outcome(), "read 90000");
});

Deno.test("more than the bound that nobody reads ends the connection, and is told", async () => {
  await using made = await open("late");
  for (let i = 0; i < 20; i++) await made.writer.write(new Uint8Array(10_000)).catch(() => {});
  assertEquals((await made.closed).code, 4000);
  assertStringIncludes(await outcome(), "over 100000 bytes wait");
});

Deno.test("the Worker closes after what it wrote, and may change it then", async () => {
  await using made = await open("close");
  const received = new Uint8Array(200_000);
  let at = 0;
  for await (const chunk of made.readable) {
    received.set(chunk, at);
    at += chunk.length;
  }
  assertEquals([at, received.every((byte) => byte === 7)], [200_000, true]);
  assertEquals((await made.closed).code, 1000);
  assertEquals(await outcome(), "closed");
});

Deno.test("an abort by the Worker is no end to the client", async () => {
  await using made = await open("abort");
  await assertRejects(() => within(lengthOf(made.readable), "the error"), Error, "4000");
  assertEquals(await outcome(), "aborted");
});

Deno.test("a cancel by the Worker is an end to the client", async () => {
  await using made = await open("cancel");
  assertEquals(await within(lengthOf(made.readable), "the end"), 0);
  assertEquals(await outcome(), "cancelled");
});

Deno.test("an abort by the client is an error at the Worker", async () => {
  await using made = await open("late");
  await made.writer.write(new Uint8Array(10));
  await made.writer.abort(new Error("no more"));
  assertStringIncludes(await outcome(), "code 4000");
});

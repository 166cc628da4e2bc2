/**
 * Guards: a `WebSocketStream` as two streams holds its peer up, and ends as a `WebSocket` does; in
 * Deno and in Chromium, and with one that does what a test says.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { fileURLToPath } from "node:url";
import { type WebSocketStreamLike, webSocketStreams } from "../../src/transport/web_socket.ts";
import { within } from "../engine/bounded.ts";
import { Child } from "../peers/child.ts";
import { runScript } from "../peers/process.ts";
import { removeProfile, startBrowser } from "../runtimes/browser_process.ts";
import { needs } from "../skips.ts";
import { cases } from "./web_socket_stream_cases.ts";
import { startStreamServer } from "./web_socket_stream_server.ts";

type Outcomes = Record<string, string | null>;

const LIMIT_MS = 120_000;
const chromium = needs("chromium");

async function inDeno(): Promise<Outcomes> {
  await using server = startStreamServer();
  const script = new URL("./web_socket_stream_script.ts", import.meta.url);
  const flags = ["-A", "--unstable-net", "--no-check"];
  return await runScript(script, { flags, input: server.places, timeout: LIMIT_MS });
}

/** The page's script, into a file: it is longer than what is kept of an output. */
async function bundle(into: string): Promise<string> {
  const file = fileURLToPath(new URL("./web_socket_stream_page.ts", import.meta.url));
  await using bundler = new Child(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform=browser", `--output=${into}`, file],
  });
  const { success } = await bundler.exited(60_000);
  if (!success) throw new Error(`deno bundle failed\n${bundler.log()}`);
  return await Deno.readTextFile(into);
}

async function inChromium(): Promise<Outcomes> {
  const wasm = await Deno.readFile(new URL("../../wasm/pkg/reprise.wasm", import.meta.url));
  const profile = await Deno.makeTempDir({ prefix: "reprise-chromium-" });
  try {
    await using server = startStreamServer({
      "/": ["text/html", `<!doctype html><script type="module" src="page.js"></script>`],
      "/page.js": ["text/javascript", await bundle(`${profile}/page.js`)],
      "/reprise.wasm": ["application/wasm", wasm],
    });
    await using _browser = startBrowser(`${server.places.base}/`, profile);
    return await within(server.outcomes, "what the page posts", LIMIT_MS);
  } finally {
    await removeProfile(profile);
  }
}

// All of a runtime's cases run in one process or page; each is told as a test of its own.
for (
  const { runtime, run, ignore } of [
    { runtime: "Deno", run: inDeno, ignore: false },
    { runtime: "Chromium", run: inChromium, ...chromium },
  ]
) {
  let outcomes: Promise<Outcomes> | undefined;
  for (const name of Object.keys(cases)) {
    Deno.test({
      name: `${runtime}: ${name}`,
      ignore,
      // The first one waits for all of them.
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        const outcome = (await (outcomes ??= run()))[name];
        assertEquals(outcome, null);
      },
    });
  }
}

/** A `WebSocketStream` that does what a test says. */
class FakeStream implements WebSocketStreamLike {
  readonly #closed = Promise.withResolvers<{ closeCode?: number; reason?: string }>();
  readonly closed = this.#closed.promise;
  readonly sent: Uint8Array[] = [];
  readonly closes: unknown[] = [];
  incoming!: ReadableStreamDefaultController<unknown>;
  write: (chunk: Uint8Array) => Promise<void> = (chunk) => {
    this.sent.push(chunk);
    return Promise.resolve();
  };
  readonly opened = Promise.resolve({
    readable: new ReadableStream({ start: (controller) => void (this.incoming = controller) }),
    writable: new WritableStream<Uint8Array>({ write: (chunk) => this.write(chunk) }),
  });

  close(info?: { closeCode?: number }): void {
    this.closes.push(info?.closeCode);
  }

  /** The connection is over. */
  end(info: { closeCode?: number; reason?: string } | Error): void {
    if (info instanceof Error) {
      this.#closed.reject(info);
      return this.incoming.error(info);
    }
    this.#closed.resolve(info);
    this.incoming.close();
  }
}

async function readAll(readable: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(
    await new Response(readable as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
  );
}

Deno.test("a close code that is missing is none, and so an end", async () => {
  const socket = new FakeStream();
  const { readable } = webSocketStreams(socket);
  socket.incoming.enqueue(new Uint8Array([1, 2]).buffer);
  socket.end({});
  assertEquals(await readAll(readable), new Uint8Array([1, 2]));
});

Deno.test("a stream that ends without saying how is no end that can be trusted", async () => {
  const socket = new FakeStream();
  const { readable } = webSocketStreams(socket);
  socket.incoming.close();
  await assertRejects(() => within(readAll(readable), "the end"), Error, "no close code");
});

Deno.test("messages as ArrayBuffers and as views are taken as the bytes they show", async () => {
  const socket = new FakeStream();
  const { readable } = webSocketStreams(socket);
  socket.incoming.enqueue(new Uint8Array([0, 1, 2, 3]).subarray(1, 3));
  socket.incoming.enqueue(new DataView(new Uint8Array([9, 4]).buffer, 1));
  socket.incoming.enqueue(new Uint8Array([5]).buffer);
  socket.end({ closeCode: 1000 });
  assertEquals(await readAll(readable), new Uint8Array([1, 2, 4, 5]));
});

Deno.test("large chunks are sent in several messages, and copied", async () => {
  const socket = new FakeStream();
  const writer = webSocketStreams(socket).writable.getWriter();
  const chunk = new Uint8Array(150_000).fill(7);
  await writer.write(chunk);
  chunk.fill(0);
  assertEquals(socket.sent.map(({ length }) => length), [65_536, 65_536, 18_928]);
  assert(socket.sent.every((message) => message.every((byte) => byte === 7)));
});

Deno.test("amid a write a cancel is no end to the peer, and the write fails", async () => {
  const socket = new FakeStream();
  socket.write = () => new Promise(() => {});
  const { readable, writable } = webSocketStreams(socket);
  const writer = writable.getWriter();
  const write = writer.write(new Uint8Array(10));
  await new Promise((resolve) => setTimeout(resolve, 10));
  await readable.cancel();
  assertEquals(socket.closes, [4000]);
  const failed = assertRejects(() => within(write, "the write"));
  await within(writer.abort(), "the abort");
  await failed;
});

Deno.test("a loss is told to who waits with the writable, before anything is written", async () => {
  const socket = new FakeStream();
  const { writable } = webSocketStreams(socket);
  const writer = writable.getWriter();
  await writer.ready;
  socket.end(new Error("reset by peer"));
  await assertRejects(() => within(writer.closed, "the failure"), Error, "failed: reset by peer");
});

for (
  const bad of [
    { opened: Promise.resolve() },
    { opened: Promise.resolve(), closed: Promise.resolve() },
    { opened: 1, closed: 1, close() {} },
    { opened: null, closed: null, close() {} },
  ]
) {
  Deno.test(`${Object.keys(bad)} alone are no WebSocketStream`, () => {
    const socket = bad as unknown as WebSocketStreamLike;
    assertThrows(() => webSocketStreams(socket), TypeError, '"socket"');
  });
}

Deno.test("its options are checked, although it needs none", () => {
  for (const options of [{ maxQueued: 0 }, { highWaterMark: 1 }, null]) {
    const make = () => webSocketStreams(new FakeStream(), options as { maxQueued: number });
    assertThrows(make, TypeError);
  }
});

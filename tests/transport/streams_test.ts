/**
 * Guards: a pair of web streams as a transport: chunks of any size, copies on both ways, the
 * sink's back-pressure, and an end that settles whatever is under way.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { streamsTransport } from "../../src/transport/streams.ts";
import { staysPending, within } from "../engine/bounded.ts";

Deno.test.sanitizer({ ops: true, resources: true });

function source(chunks: unknown[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(chunks) as ReadableStream<Uint8Array>;
}

/** A sink that keeps what it gets. */
function sink(write: (chunk: Uint8Array) => void | Promise<void> = () => {}) {
  const chunks: Uint8Array[] = [];
  let end: "closed" | "aborted" | undefined;
  const writable = new WritableStream<Uint8Array>({
    write(chunk) {
      chunks.push(chunk);
      return write(chunk);
    },
    close() {
      end = "closed";
    },
    abort() {
      end = "aborted";
    },
  });
  return { writable, chunks, end: () => end };
}

Deno.test("a chunk larger than the room is given in parts, and empty chunks are passed over", async () => {
  const chunks = [new Uint8Array(0), new Uint8Array([1, 2, 3, 4, 5]), new Uint8Array(0)];
  const transport = streamsTransport({ readable: source(chunks), writable: sink().writable });
  const into = new Uint8Array(2);
  const seen: number[][] = [];
  for (let n = await transport.read(() => into); n !== null; n = await transport.read(() => into)) {
    seen.push([...into.subarray(0, n)]);
  }
  assertEquals(seen, [[1, 2], [3, 4], [5]]);
  transport.close();
});

Deno.test("a read never writes beyond its room", async () => {
  const memory = new Uint8Array(10);
  const chunks = [new Uint8Array(8).fill(7)];
  const transport = streamsTransport({ readable: source(chunks), writable: sink().writable });
  assertEquals(await transport.read(() => memory.subarray(2, 5)), 3);
  assertEquals(memory, new Uint8Array([0, 0, 7, 7, 7, 0, 0, 0, 0, 0]));
  transport.close();
});

Deno.test("room is asked for when there are bytes, and told how many", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const transport = streamsTransport({ readable, writable: sink().writable });
  const memory = new WebAssembly.Memory({ initial: 1 });
  const asked: number[] = [];
  const read = transport.read((available) => {
    asked.push(available);
    return new Uint8Array(memory.buffer, 0, 8);
  });
  memory.grow(1);
  assertEquals(asked, []);
  await writable.getWriter().write(new Uint8Array([1, 2, 3]));
  assertEquals(await within(read, "the read"), 3);
  assertEquals(asked, [3]);
  assertEquals(new Uint8Array(memory.buffer, 0, 4), new Uint8Array([1, 2, 3, 0]));
  transport.close();
});

Deno.test("a read rejects with what keeps it from room, and loses no byte", async () => {
  const transport = streamsTransport({
    readable: source([new Uint8Array([1, 2, 3])]),
    writable: sink().writable,
  });
  const reason = new Error("no room");
  const refused = transport.read(() => {
    throw reason;
  });
  assertStrictEquals(await assertRejects(() => refused), reason);
  assertEquals(await transport.read(() => new Uint8Array(8)), 3);
  transport.close();
});

Deno.test("a stream of empty chunks without an end is an error, and no endless loop", async () => {
  let chunks = 0;
  const readable = new ReadableStream<Uint8Array>({
    pull(controller) {
      chunks++;
      controller.enqueue(new Uint8Array(0));
    },
  });
  const transport = streamsTransport({ readable, writable: sink().writable });
  const read = transport.read(() => new Uint8Array(1));
  const error = await assertRejects(() => within(read, "the error"), TypeError);
  assertStringIncludes(error.message, "1000 empty chunks");
  assert(chunks < 1_100, `${chunks} chunks were read`);
  transport.close();
});

Deno.test("what is written is a copy made at once, whatever becomes of the memory", async () => {
  const gate = Promise.withResolvers<void>();
  const { writable, chunks } = sink(() => gate.promise);
  const transport = streamsTransport({ readable: source([]), writable });
  const memory = new WebAssembly.Memory({ initial: 1 });
  const bytes = new Uint8Array(memory.buffer, 0, 3);
  bytes.set([1, 2, 3]);
  const first = transport.write(bytes);
  bytes.fill(9);
  memory.grow(1);
  gate.resolve();
  assertEquals(await within(first, "the write"), 3);
  assertEquals(chunks, [new Uint8Array([1, 2, 3])]);
  transport.close();
});

Deno.test("a write waits for the sink", async () => {
  const gate = Promise.withResolvers<void>();
  const { writable } = sink(() => gate.promise);
  const transport = streamsTransport({ readable: source([]), writable });
  const write = transport.write(new Uint8Array([1]));
  assert(await staysPending(write));
  gate.resolve();
  assertEquals(await within(write, "the write"), 1);
  transport.close();
});

Deno.test("errors of the streams are passed on", async () => {
  const broken = new Error("the tunnel fell in");
  const readable = new ReadableStream<Uint8Array>({
    pull() {
      throw broken;
    },
  });
  const { writable } = sink(() => {
    throw broken;
  });
  const transport = streamsTransport({ readable, writable });
  assertStrictEquals(await assertRejects(() => transport.read(() => new Uint8Array(1))), broken);
  assertStrictEquals(await assertRejects(() => transport.write(new Uint8Array(1))), broken);
  await assertRejects(() => transport.write(new Uint8Array(1)));
  transport.close();
});

Deno.test("a chunk that is no Uint8Array is an error that says so", async () => {
  const transport = streamsTransport({ readable: source(["text"]), writable: sink().writable });
  const error = await assertRejects(() => transport.read(() => new Uint8Array(1)), TypeError);
  assertStringIncludes(error.message, "string");
  transport.close();
});

Deno.test("close ends an idle sink in order and cancels the source", async () => {
  let cancelled = false;
  const readable = new ReadableStream<Uint8Array>({
    cancel() {
      cancelled = true;
    },
  });
  const { writable, end } = sink();
  const transport = streamsTransport({ readable, writable });
  const read = transport.read(() => new Uint8Array(1));
  transport.close();
  transport.close();
  assertEquals(await within(read, "the read settles"), null);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([cancelled, end()], [true, "closed"]);
});

Deno.test("close settles a write that the sink does not take", async () => {
  const { writable, end } = sink(() => new Promise(() => {}));
  const transport = streamsTransport({ readable: source([]), writable });
  const write = transport.write(new Uint8Array(1));
  write.catch(() => {});
  assert(await staysPending(write));
  transport.close();
  await assertRejects(() => within(write, "the write settles"), Error, "closed");
  assertEquals(end(), undefined); // the sink is told once it is done with the chunk
});

Deno.test("both streams are locked while the transport is open", () => {
  const { writable } = sink();
  const readable = source([]);
  assertFalse(readable.locked || writable.locked);
  const transport = streamsTransport({ readable, writable });
  assert(readable.locked && writable.locked);
  transport.close();
});

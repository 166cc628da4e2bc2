/**
 * Guards: a WebSocket as two streams: bytes both ways in their order, bounds on what waits, an end
 * that is told from an error, and nothing left behind. The sockets are Deno's, at both ends.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { acceptTls, ServerContext, startTls } from "../../mod.ts";
import {
  type WebSocketLike,
  webSocketStreams,
  type WebSocketStreamsOptions,
} from "../../src/transport/web_socket.ts";
import { staysPending, until, within } from "../engine/bounded.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { ends, FakeSocket, upgraded } from "./web_socket_ends.ts";

Deno.test.sanitizer({ ops: true, resources: true });

async function both(options?: WebSocketStreamsOptions) {
  let streams!: ReturnType<typeof webSocketStreams>;
  const made = await ends((socket) => streams = webSocketStreams(socket, options));
  return {
    ...made,
    near: webSocketStreams(made.client),
    far: streams,
    [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](),
  };
}

function closing(socket: WebSocket): Promise<CloseEvent> {
  return new Promise((resolve) => socket.addEventListener("close", resolve, { once: true }));
}

function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
}

async function readAll(readable: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(
    await new Response(readable as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
  );
}

Deno.test("bytes go both ways in their order, from before the socket is open", async () => {
  await using made = await both();
  const bytes = pattern(1_000_000);
  const echo = made.far.readable.pipeTo(made.far.writable);
  const writer = made.near.writable.getWriter();
  const reader = made.near.readable.getReader();
  const written = writer.write(bytes);
  const got = new Uint8Array(bytes.length);
  for (let at = 0; at < bytes.length;) {
    const { value } = await within(reader.read(), "the echo");
    got.set(value!, at);
    at += value!.length;
  }
  assertEquals(got, bytes);
  await written;
  await writer.close();
  assertEquals(await within(reader.read(), "the end"), { done: true, value: undefined });
  await within(echo, "the pipe");
});

Deno.test("a large chunk goes in messages of 64 KiB, an empty one not at all", async () => {
  const sizes: number[] = [];
  await using made = await ends((socket) => {
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => sizes.push(data.byteLength));
  });
  const closed = closing(made.server);
  const writer = webSocketStreams(made.client).writable.getWriter();
  await writer.write(new Uint8Array(0));
  await writer.write(new Uint8Array(150_000));
  await writer.write(new Uint8Array(3));
  await writer.close();
  assertEquals((await within(closed, "the close")).code, 1000);
  assertEquals(sizes, [65_536, 65_536, 18_928, 3]);
});

Deno.test("what is written may be changed as soon as it is", async () => {
  const socket = new FakeSocket();
  socket.bufferedAmount = 1e9;
  const writer = webSocketStreams(socket).writable.getWriter();
  const chunk = new Uint8Array([1, 2, 3]);
  await writer.ready;
  const written = writer.write(chunk);
  await until(() => socket.sent.length === 1, "the message");
  chunk.fill(9);
  socket.bufferedAmount = 0;
  await within(written, "the write");
  assertEquals(socket.sent, [new Uint8Array([1, 2, 3])]);
});

Deno.test("all that was written before a close arrives before the end", async () => {
  await using made = await both();
  const bytes = pattern(3_000_000);
  const received = readAll(made.far.readable);
  const writer = made.near.writable.getWriter();
  for (let at = 0; at < bytes.length; at += 100_000) {
    await within(writer.write(bytes.subarray(at, at + 100_000)), "a write");
  }
  await writer.close();
  assertEquals(await within(received, "all of it"), bytes);
});

for (const code of [1000, undefined]) {
  Deno.test(`a close with code ${code ?? "none"} is the end, after what came before`, async () => {
    await using made = await both();
    await made.opened();
    made.server.send(new Uint8Array([1, 2]));
    made.server.close(code);
    const received = await within(readAll(made.near.readable), "the end");
    assertEquals(received, new Uint8Array([1, 2]));
  });
}

Deno.test("a peer that goes away with code 1001 is the end, too", async () => {
  const socket = new FakeSocket(); // no program may send it
  const { readable } = webSocketStreams(socket);
  socket.emit("message", { data: new Uint8Array([1, 2]).buffer });
  socket.emit("close", { code: 1001, reason: "" });
  assertEquals(await readAll(readable), new Uint8Array([1, 2]));
});

Deno.test("a close with another code is an error that says it, after what came before", async () => {
  await using made = await both();
  const writer = made.near.writable.getWriter();
  await made.opened();
  made.server.send(new Uint8Array([1, 2]));
  made.server.close(4321, "no such backend");
  await within(closing(made.client), "the close");
  const reader = made.near.readable.getReader();
  assertEquals((await reader.read()).value, new Uint8Array([1, 2]));
  const error = await assertRejects(() => within(reader.read(), "the error"));
  assertStringIncludes(`${error}`, "4321: no such backend");
  assertStrictEquals(await assertRejects(() => writer.write(new Uint8Array(1))), error);
});

Deno.test("a connection that is lost is an error at both streams", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const dropped = (async () => {
    const conn = await upgraded(listener);
    conn.close();
  })();
  const { port } = listener.addr as Deno.NetAddr;
  const client = new WebSocket(`ws://127.0.0.1:${port}/`);
  client.onerror = (event) => event.preventDefault();
  const { readable, writable } = webSocketStreams(client);
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  const error = await assertRejects(() => within(readAll(readable), "the error"), Error);
  assertStringIncludes(error.message, "The WebSocket ");
  await assertRejects(() => writer.write(new Uint8Array(1)), Error, "The WebSocket ");
  await dropped;
  listener.close();
  await until(() => client.readyState === WebSocket.CLOSED, "the socket is closed");
});

Deno.test("a socket that cannot connect is an error at both streams", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const client = new WebSocket(`ws://127.0.0.1:${port}/`);
  const { readable, writable } = webSocketStreams(client);
  client.addEventListener("error", (event) => event.preventDefault());
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  writer.ready.catch(() => {});
  const write = writer.write(new Uint8Array(1));
  await assertRejects(() => within(readAll(readable), "a read"), Error, "The WebSocket failed: ");
  await assertRejects(() => within(write, "a write"), Error, "The WebSocket failed: ");
});

Deno.test("a message of text is refused, and says so", async () => {
  await using made = await both();
  await made.opened();
  const closed = closing(made.server);
  made.server.send("text");
  const error = await assertRejects(() => within(readAll(made.near.readable), "the error"));
  assertStringIncludes(`${error}`, "not binary");
  assertEquals((await within(closed, "the close")).code, 4000);
});

Deno.test("more than the bound that nobody reads fails, after what was within it", async () => {
  await using made = await both({ maxQueued: 10_000 });
  const closed = closing(made.client);
  const writer = made.near.writable.getWriter();
  writer.closed.catch(() => {});
  for (let i = 0; i < 12; i++) writer.write(new Uint8Array(1000).fill(i)).catch(() => {});
  await within(closed, "the close");
  const reader = made.far.readable.getReader();
  // Each message counts as 128 bytes more: the ninth is too much.
  for (let i = 0; i < 8; i++) {
    assertEquals((await reader.read()).value, new Uint8Array(1000).fill(i));
  }
  await assertRejects(() => reader.read(), Error, "over 10000 bytes wait");
});

Deno.test("a flood of small messages is within the same bound", async () => {
  const socket = new FakeSocket();
  const { readable } = webSocketStreams(socket, { maxQueued: 1290 });
  const reader = readable.getReader();
  for (let i = 0; i < 10; i++) socket.emit("message", { data: new Uint8Array([i]).buffer });
  assertEquals(socket.closed, undefined);
  socket.emit("message", { data: new Uint8Array([10]).buffer });
  assertEquals(socket.closed, 4000);
  for (let i = 0; i < 10; i++) assertEquals((await reader.read()).value, new Uint8Array([i]));
  await assertRejects(() => reader.read(), Error, "over 1290 bytes");
});

Deno.test("what is read makes room, for any amount", async () => {
  const socket = new FakeSocket();
  const reader = webSocketStreams(socket, { maxQueued: 2000 }).readable.getReader();
  for (let i = 0; i < 100; i++) {
    socket.emit("message", { data: new Uint8Array(1500).fill(i).buffer });
    assertEquals((await reader.read()).value, new Uint8Array(1500).fill(i));
  }
  assertEquals(socket.closed, undefined);
});

Deno.test("a write waits while the socket has more than the bound to send", async () => {
  const socket = new FakeSocket();
  socket.bufferedAmount = 101;
  const writer = webSocketStreams(socket, { maxBuffered: 100 }).writable.getWriter();
  const write = writer.write(new Uint8Array(200_000));
  assert(await staysPending(write, 50));
  assertEquals(socket.sent.length, 1);
  socket.bufferedAmount = 100;
  await within(write, "the write");
  assertEquals(socket.sent.map(({ length }) => length), [65_536, 65_536, 65_536, 3_392]);
});

Deno.test("a peer that takes nothing holds the writer up", async () => {
  // Its socket is never read: what is sent stays with the system and the client's socket.
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const accepted = upgraded(listener);
  const client = new WebSocket(`ws://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/`);
  client.onerror = (event) => event.preventDefault();
  const writer = webSocketStreams(client).writable.getWriter();
  writer.closed.catch(() => {});
  const conn = await accepted;
  let taken = 0;
  const chunk = new Uint8Array(1_000_000);
  for (;;) {
    const write = writer.write(chunk);
    if (await staysPending(write, 500)) {
      write.catch(() => {});
      break;
    }
    taken += chunk.length;
    assert(taken < 100_000_000, "the writer is never held up");
  }
  // The write under way ends with the abort.
  await within(writer.abort(), "the abort");
  conn.close();
  listener.close();
  await until(() => client.readyState === WebSocket.CLOSED, "the socket is closed");
});

Deno.test("cancelling the readable closes the socket, and ends the writable", async () => {
  await using made = await both();
  const writer = made.near.writable.getWriter();
  await made.opened();
  await made.near.readable.cancel();
  assertEquals(await within(readAll(made.far.readable), "the other end"), new Uint8Array(0));
  await assertRejects(() => writer.write(new Uint8Array(1)), Error, "closed");
});

Deno.test("cancelling a read that waits settles it", async () => {
  await using made = await both();
  const reader = made.near.readable.getReader();
  const read = reader.read();
  await reader.cancel();
  assertEquals(await within(read, "the read"), { done: true, value: undefined });
});

Deno.test("aborting the writable is no end to the peer", async () => {
  await using made = await both();
  const writer = made.near.writable.getWriter();
  await writer.write(new Uint8Array(10));
  await within(writer.abort(new Error("no more")), "the abort");
  await assertRejects(() => within(readAll(made.far.readable), "the other end"), Error, "4000");
  await assertRejects(() => within(readAll(made.near.readable), "this end"), Error, "aborted");
});

Deno.test("cancelling amid a write is no end to the peer", async () => {
  const socket = new FakeSocket();
  socket.bufferedAmount = 1e9;
  const { readable, writable } = webSocketStreams(socket);
  const write = writable.getWriter().write(new Uint8Array(100_000));
  await until(() => socket.sent.length === 1, "a part of it");
  await readable.cancel();
  await assertRejects(() => within(write, "the write"), Error, "closed");
  assertEquals([socket.closed, socket.sent.length], [4000, 1]);
});

Deno.test("a chunk that is no Uint8Array is refused, and cuts the connection off", async () => {
  const socket = new FakeSocket();
  const writer = webSocketStreams(socket).writable.getWriter();
  const text = "text" as unknown as Uint8Array;
  await assertRejects(() => writer.write(text), TypeError, "no Uint8Array: string");
  assertEquals([socket.sent.length, socket.closed], [0, 4000]);
});

Deno.test("a write to a socket that closes meanwhile fails, and is not dropped", async () => {
  const socket = new FakeSocket();
  const writer = webSocketStreams(socket).writable.getWriter();
  await writer.write(new Uint8Array(1));
  socket.readyState = 2; // its event is still to come
  await assertRejects(() => writer.write(new Uint8Array(1)), Error, "closed");
  assertEquals(socket.sent.length, 1);
});

Deno.test("a socket that was closed before is an error at once", async () => {
  for (const readyState of [2, 3]) {
    const socket = new FakeSocket();
    socket.readyState = readyState;
    const { readable, writable } = webSocketStreams(socket);
    const writer = writable.getWriter();
    writer.closed.catch(() => {});
    writer.ready.catch(() => {});
    await assertRejects(() => within(readAll(readable), "the read"), Error, "is closed");
    await assertRejects(
      () => within(writer.write(new Uint8Array(1)), "the write"),
      Error,
      "closed",
    );
  }
});

Deno.test("a socket that leaves the answer to a close to the program gets it", () => {
  const socket = new FakeSocket();
  webSocketStreams(socket);
  socket.readyState = 2;
  socket.emit("close", { code: 1000, reason: "" });
  assertEquals(socket.closed, 1000);
});

Deno.test("a failure is told to who waits with the writable, before anything is written", async () => {
  const socket = new FakeSocket();
  const writer = webSocketStreams(socket).writable.getWriter();
  await writer.ready;
  socket.emit("close", { code: 1006, reason: "" });
  await assertRejects(() => within(writer.closed, "the failure"), Error, "code 1006");
});

Deno.test("nothing is taken after what was refused", async () => {
  const socket = new FakeSocket();
  const reader = webSocketStreams(socket).readable.getReader();
  for (const data of ["text", new Uint8Array([1]).buffer]) socket.emit("message", { data });
  await assertRejects(() => reader.read(), Error, "not binary");
});

Deno.test("an empty message is nothing to read", async () => {
  const socket = new FakeSocket();
  const reader = webSocketStreams(socket).readable.getReader();
  for (const bytes of [[], [1], []]) socket.emit("message", { data: new Uint8Array(bytes).buffer });
  assertEquals((await reader.read()).value, new Uint8Array([1]));
  socket.emit("close", { code: 1000, reason: "" });
  assertEquals((await reader.read()).done, true);
});

Deno.test("messages as views are taken as the bytes they show", async () => {
  const socket = new FakeSocket();
  assertEquals(socket.binaryType, "blob");
  const reader = webSocketStreams(socket).readable.getReader();
  assertEquals(socket.binaryType, "arraybuffer");
  socket.emit("message", { data: new Uint8Array([0, 1, 2, 3]).subarray(1, 3) });
  assertEquals((await reader.read()).value, new Uint8Array([1, 2]));
});

Deno.test("TLS goes over it, both ways and to its end", async () => {
  let accepted!: ReturnType<typeof acceptTls>;
  const context = new ServerContext(serverCert("ec_p256"));
  await using made = await ends((socket) => {
    accepted = acceptTls(webSocketStreams(socket), { context });
  });
  const conn = await startTls(webSocketStreams(made.client), {
    hostname: "localhost",
    caCerts: [caCert("ec")],
  });
  const server = await within(accepted, "the server's handshake");
  const echo = server.readable.pipeTo(server.writable).then(() => server.close());
  const bytes = pattern(500_000);
  const received = readAll(conn.readable);
  await within(conn.write(bytes), "the write");
  await conn.closeWrite();
  assertEquals(await within(received, "the echo"), bytes);
  await conn.close();
  await within(echo, "the server's end");
});

for (const bad of [null, undefined, {}, "ws://x", { send() {} }]) {
  Deno.test(`${JSON.stringify(bad)} is no WebSocket`, () => {
    assertThrows(() => webSocketStreams(bad as unknown as WebSocketLike), TypeError, '"socket"');
  });
}

const BAD_OPTIONS = [
  ["maxQueued", 0],
  ["maxQueued", "1"],
  ["maxBuffered", -1],
  ["maxBuffered", NaN],
  ["highWaterMark", 1],
];

for (const [name, value] of BAD_OPTIONS) {
  Deno.test(`bad option: ${name} ${value} is named`, () => {
    const options = { [name]: value };
    const error = assertThrows(() => webSocketStreams(new FakeSocket(), options), TypeError);
    assertInstanceOf(error, TypeError);
    assertStringIncludes(error.message, `"${name}"`);
  });
}

Deno.test("messages of a byte each, read now and then, come in their order", async () => {
  const socket = new FakeSocket();
  const { readable } = webSocketStreams(socket);
  const reader = readable.getReader();
  const seen: number[] = [];
  for (let i = 0; i < 3_000; i++) {
    socket.emit("message", { data: Uint8Array.of(i & 0xff).buffer });
    if (i % 3 === 0) seen.push((await reader.read()).value![0]);
  }
  while (seen.length < 3_000) seen.push((await reader.read()).value![0]);
  assertEquals(seen, Array.from({ length: 3_000 }, (_, i) => i & 0xff));
  await reader.cancel();
});

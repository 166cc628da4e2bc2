/**
 * Guards: Deno's TCP as a transport: bytes go straight into and out of the caller's memory, an end
 * and errors arrive as such, and connecting stops when it is told to, leaving nothing open.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { denoConnect, denoTransport } from "../../src/transport/deno.ts";
import { startClosingServer, startSendingServer, startSilentServer } from "../peers/raw.ts";
import { within } from "../engine/bounded.ts";
import { fakeConn } from "./fake_conn.ts";
import { linuxOnly, startFullListener } from "./full_listener.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const hostname = "127.0.0.1";
const never = new AbortController().signal;

Deno.test("a read fills the memory it is given, in place", async () => {
  await using server = startSendingServer(new Uint8Array([1, 2, 3]));
  const transport = await denoConnect({ hostname, port: server.port }, never);
  const memory = new WebAssembly.Memory({ initial: 1 });
  const into = new Uint8Array(memory.buffer, 100, 50);
  assertEquals(await within(transport.read(() => into), "the bytes"), 3);
  assertEquals(new Uint8Array(memory.buffer, 98, 7), new Uint8Array([0, 0, 1, 2, 3, 0, 0]));
  assertEquals(await within(transport.read(() => into), "the end"), null);
  transport.close();
});

Deno.test("a read into memory that has grown arrives where the memory is now", async () => {
  await using server = startSendingServer(new Uint8Array([1, 2, 3]));
  const transport = await denoConnect({ hostname, port: server.port }, never);
  const memory = new WebAssembly.Memory({ initial: 1 });
  const read = transport.read(() => new Uint8Array(memory.buffer, 100, 50));
  memory.grow(10);
  assertEquals(await within(read, "the bytes"), 3);
  assertEquals(new Uint8Array(memory.buffer, 100, 3), new Uint8Array([1, 2, 3]));
  transport.close();
});

Deno.test("a write tells how many bytes were taken", async () => {
  const taken: number[][] = [];
  const { conn } = fakeConn({
    write: (bytes) => {
      taken.push([...bytes.subarray(0, 2)]);
      return Promise.resolve(Math.min(2, bytes.length));
    },
  });
  const transport = denoTransport(conn);
  assertEquals(await transport.write(new Uint8Array([1, 2, 3])), 2);
  assertEquals(await transport.write(new Uint8Array([3])), 1);
  assertEquals(taken, [[1, 2], [3]]);
});

Deno.test("errors of the socket are passed on", async () => {
  const broken = new Deno.errors.ConnectionReset("reset");
  const { conn } = fakeConn({
    read: () => Promise.reject(broken),
    write: () => Promise.reject(broken),
  });
  const transport = denoTransport(conn);
  assertStrictEquals(await assertRejects(() => transport.read(() => new Uint8Array(1))), broken);
  assertStrictEquals(await assertRejects(() => transport.write(new Uint8Array(1))), broken);
});

Deno.test("a second close does nothing", () => {
  const { conn, closed } = fakeConn({});
  const transport = denoTransport(conn);
  transport.close();
  transport.close();
  assertEquals(closed(), 1);
});

Deno.test("close settles the read under way", async () => {
  await using server = startSilentServer();
  const transport = await denoConnect({ hostname, port: server.port }, never);
  const read = transport.read(() => new Uint8Array(10));
  const settled = read.then(() => {}, () => {});
  transport.close();
  await within(settled, "the read settles");
});

Deno.test("a connection that is refused rejects with the system's error", async () => {
  await assertRejects(
    () => denoConnect({ hostname, port: unusedPort() }, never),
    Deno.errors.ConnectionRefused,
  );
});

Deno.test(
  "an abort while connecting rejects with its reason at once",
  // The connect itself goes on: nothing can take it back.
  { ...linuxOnly, sanitizeOps: false },
  async () => {
    await using listener = await startFullListener();
    const controller = new AbortController();
    const connecting = denoConnect({ hostname, port: listener.port }, controller.signal);
    const reason = new Error("not any more");
    controller.abort(reason);
    const thrown = await assertRejects(() => within(connecting, "the rejection"));
    assertStrictEquals(thrown, reason);
  },
);

Deno.test("a connection that is established after the abort is closed", async () => {
  const listener = Deno.listen({ hostname, port: 0 });
  const { port } = listener.addr;
  try {
    for (let i = 0; i < 200; i++) {
      const controller = new AbortController();
      const connecting = denoConnect({ hostname, port }, controller.signal);
      // At any moment: before the connect, in it, and after it.
      if (i % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
      controller.abort(new Error("not any more"));
      const opened = await connecting.then((transport) => transport, () => undefined);
      using peer = await within(listener.accept(), "the connection");
      opened?.close();
      const n = await within(peer.read(new Uint8Array(1)), "its end").catch(() => null);
      assertEquals(n, null);
    }
  } finally {
    listener.close();
  }
});

Deno.test("a read rejects with what keeps it from room", async () => {
  const transport = denoTransport(fakeConn({}).conn);
  const reason = new Error("no room");
  const refused = transport.read(() => {
    throw reason;
  });
  assertStrictEquals(await assertRejects(() => refused), reason);
});

Deno.test("an aborted signal opens nothing", async () => {
  await using server = startClosingServer();
  const reason = { any: "value" };
  const signal = AbortSignal.abort(reason);
  let thrown: unknown;
  await denoConnect({ hostname, port: server.port }, signal).catch((error) => thrown = error);
  assertStrictEquals(thrown, reason);
  assert(server.accepted() <= 0);
});

/** A port on which nobody listens. */
function unusedPort(): number {
  const listener = Deno.listen({ hostname, port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

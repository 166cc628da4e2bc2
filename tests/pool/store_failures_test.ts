/**
 * Stores that fail, hang or lie: always a full handshake in its time, with the exact reason in
 * `sessionMiss` and in the statistics, and never an error of the connection.
 */

import { assert, assertEquals } from "@std/assert";
import { TlsError } from "../../mod.ts";
import { bounded } from "../interop/visit.ts";
import { settledWithin } from "../peers/child.ts";
import { connectTo } from "../server/client.ts";
import { gate, ScriptedStore } from "../server_faults/scripted_store.ts";
import { full, keysOf, makePool, outcome, RESUMED, startServer, type TestPool } from "./pool.ts";

const never = () => new Promise<never>(() => {});
const failure = new Error("out of order");

/** What the lookups of a store do, and the reason that comes of it. */
const LOOKUPS: [what: string, lookup: () => unknown, reason: string][] = [
  ["throw", () => {
    throw failure;
  }, "store_error"],
  ["reject", () => Promise.reject(failure), "store_error"],
  ["reject with undefined", () => Promise.reject(undefined), "store_error"],
  ["reject with a TlsError of their own connection", () =>
    Promise.reject(
      new TlsError("ERR_TLS_TRANSPORT", "the store is gone", { origin: "transport" }),
    ), "store_error"],
  ["hang", never, "store_timeout"],
  ["give a string", () => Promise.resolve("text"), "store_error"],
  ["give an ArrayBuffer", () => Promise.resolve(new ArrayBuffer(100)), "store_error"],
  ["give an object", () => Promise.resolve({}), "store_error"],
  ["give a number at once", () => 7, "store_error"],
  ["give undefined", () => Promise.resolve(undefined), "none_stored"],
  ["give no bytes", () => Promise.resolve(new Uint8Array(0)), "tampered"],
  ["give zeros", () => Promise.resolve(new Uint8Array(1000)), "version"],
  ["give too little", () => Promise.resolve(Uint8Array.of(1, 2, 3)), "tampered"],
  [
    "give more than a session can be",
    () => Promise.resolve(new Uint8Array(2 ** 20).fill(1)),
    "tampered",
  ],
  [
    "give noise of the right version",
    () => Promise.resolve(new Uint8Array(1000).fill(1)),
    "wrong_key",
  ],
];

for (const [what, lookup, reason] of LOOKUPS) {
  Deno.test(`lookups that ${what} cost a full handshake: ${reason}`, async () => {
    await using server = await startServer();
    const { context, store, events } = await makePool({
      timeout: reason.endsWith("out") ? 20 : 10_000,
    });
    store.lookup(lookup);
    assertEquals(await outcome(server, context), full(reason));
    const { missReasons, connectGood } = context.stats();
    assertEquals([missReasons, connectGood], [{ [reason]: 1 }, 1]);
    const failed = events.filter(({ type }) => type === "store_failed").length;
    const tells = reason === "store_timeout" || /throw|reject/.test(what);
    assertEquals(failed, tells ? 1 : 0);
    // What was put meanwhile is there once the store is well again.
    store.lookup(undefined);
    assertEquals(await outcome(server, context), RESUMED);
  });
}

Deno.test("lookups are bounded where a store lies without end", async () => {
  await using server = await startServer();
  const { context, store } = await makePool({ ticketsPerServer: 3 });
  store.lookup(() => Promise.resolve(new Uint8Array(1000).fill(1)));
  assertEquals(await outcome(server, context), full("wrong_key"));
  assert(store.lookups <= 5, `${store.lookups} lookups`);
});

Deno.test("of values that do not open and one that does, that one is offered", async () => {
  await using server = await startServer();
  const { context, store } = await makePool();
  await outcome(server, context);
  const lies = [new Uint8Array(0), new Uint8Array(1000).fill(1)];
  store.on.take = (partition) => Promise.resolve(lies.pop() ?? store.inner.take(partition));
  assertEquals(await outcome(server, context), RESUMED);
});

for (const how of ["throw", "reject", "hang"] as const) {
  Deno.test(`puts that ${how} hold up nobody, and are counted`, async () => {
    await using server = await startServer();
    const { context, store, events } = await makePool();
    const open = gate();
    store.on.put = () => {
      if (how === "throw") throw failure;
      if (how === "reject") return Promise.reject(failure);
      return open.passed;
    };
    const conn = await connectTo(server, { context });
    await conn.write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
    assert(await bounded(conn.read(new Uint8Array(4096)), "the answer"));
    assert(await conn.getSession() !== null);
    await bounded(conn.close(), "the end of a connection whose puts do not end");
    open.open();
    await bounded(context.settled(), "the puts");
    const failed = events.filter(({ type }) => type === "store_failed");
    assertEquals(context.stats().putsFailed > 0, how !== "hang");
    assertEquals(failed.length, context.stats().putsFailed);
    for (const event of failed) {
      assertEquals(event, { type: "store_failed", operation: "put", cause: failure });
    }
    store.on.put = undefined;
    assertEquals((await outcome(server, context))[0], false, "nothing came through");
    assertEquals(await outcome(server, context), RESUMED);
  });
}

Deno.test("settled() waits for puts that are slow, and close() does not", async () => {
  await using server = await startServer();
  const { context, store } = await makePool();
  const open = gate();
  let put = 0;
  store.on.put = async (...args) => {
    await open.passed;
    await store.inner.put(...args as Parameters<typeof store.put>);
    put++;
  };
  const conn = await connectTo(server, { context });
  assert(await conn.getSession() !== null);
  const settled = context.settled();
  await bounded(conn.close(), "close()");
  assertEquals([put, await settledWithin(settled, 50)], [0, false]);
  open.open();
  await bounded(settled, "the puts");
  assertEquals(put, store.calls.put);
  assertEquals(await outcome(server, context), RESUMED);
});

Deno.test("a lookup waits for the pool's own put, and not again for one that is late", async () => {
  await using server = await startServer();
  const { context, store } = await makePool({ timeout: 4_000 });
  const slow = gate();
  store.on.put = async (partition, value, options) => {
    await slow.passed;
    await store.inner.put(partition, value, options);
  };
  const conn = await connectTo(server, { context });
  await conn.getSession();
  const second = connectTo(server, { context });
  setTimeout(slow.open, 50);
  await using closing = await bounded(second, "the second connection");
  assertEquals([closing.sessionReused, closing.sessionMiss], [true, null]);
  await conn.close();
});

Deno.test("puts that hang hold up one lookup, not each", async () => {
  await using server = await startServer();
  const { context, store } = await makePool({ timeout: 2_000 });
  const open = gate();
  store.on.put = () => open.passed;
  const connections = async () => {
    for (let i = 0; i < 40; i++) {
      const conn = await connectTo(server, { context });
      assertEquals(conn.sessionMiss, "none_stored");
      await conn.getSession();
      // Not waited for: it would wait for the store.
      conn.close();
    }
  };
  // One wait is a second.
  await bounded(connections(), "forty connections");
  open.open();
  await bounded(context.settled(), "the puts");
});

Deno.test("settled() waits for what is under way, not for what begins meanwhile", async () => {
  await using server = await startServer();
  const { context, store } = await makePool();
  const [first, later] = [gate(), gate()];
  store.on.put = () => first.passed;
  const one = await connectTo(server, { context });
  await one.getSession();
  const settled = context.settled();
  store.on.put = () => later.passed;
  store.on.take = () => Promise.resolve(null);
  const two = await connectTo(server, { context });
  await two.getSession();
  first.open();
  await bounded(settled, "what was under way");
  later.open();
  await Promise.all([one.close(), two.close()]);
  await bounded(context.settled(), "the rest");
});

Deno.test("more puts under way than are allowed are dropped and counted, not kept", async () => {
  await using server = await startServer({ tickets: 8 });
  const { context, store } = await makePool({ ticketsPerServer: 8 });
  const open = gate();
  store.on.put = () => open.passed;
  for (let i = 0; i < 40; i++) {
    const conn = await connectTo(server, { context });
    await conn.getSession();
    // Not waited for: it would wait for the store.
    conn.close();
  }
  assert(store.calls.put <= 256, `${store.calls.put} puts under way`);
  assert(context.stats().cacheFull > 0, "those beyond are counted");
  open.open();
  await bounded(context.settled(), "the puts");
});

Deno.test("what is over maxValueBytes is skipped and counted, not cut", async () => {
  await using server = await startServer();
  const store = new ScriptedStore({ maxValueBytes: 300 });
  const { context } = await makePool({ store });
  assertEquals(await outcome(server, context), full("none_stored"));
  assertEquals(await outcome(server, context), full("none_stored"));
  assertEquals(store.calls.put, 0);
  assert(context.stats().putsFailed >= 2);
});

Deno.test("minTtl of a store is kept to, also for what is put back after a refusal", async () => {
  await using server = await startServer();
  await using other = await startServer();
  const store = new ScriptedStore({ minTtl: 5 * 3_600_000 });
  const times: number[] = [];
  store.on.put = (partition, value, options) => {
    times.push(options.expiresAt - Date.now());
    return store.inner.put(partition, value, options);
  };
  const { context } = await makePool({ store });
  await outcome(server, context);
  await outcome(other, context);
  await outcome(other, context);
  assert(times.length >= 3);
  for (const time of times) assert(time > 4.9 * 3_600_000, `${time} ms to live`);
});

async function failingDrop(pool: TestPool, operation: "take" | "delete"): Promise<void> {
  let takes = 0;
  pool.store.on[operation] = (partition: string) => {
    if (operation === "delete" || takes++ > 0) return Promise.reject(failure);
    return pool.store.inner.take(partition);
  };
  await using other = await startServer({
    maxVersion: operation === "take" ? "TLSv1.3" : "TLSv1.2",
  });
  assertEquals(await outcome(other, pool.context), full("declined_by_peer"));
  const failed = pool.events.filter(({ type }) => type === "store_failed");
  assertEquals(failed, [{ type: "store_failed", operation, cause: failure }]);
}

Deno.test("a store that fails while a family is dropped fails nothing else, TLSv1.3", async () => {
  await using server = await startServer();
  const pool = await makePool();
  await outcome(server, pool.context);
  await failingDrop(pool, "take");
});

Deno.test("a store that fails while a family is dropped fails nothing else, TLSv1.2", async () => {
  await using server = await startServer({ maxVersion: "TLSv1.2" });
  const pool = await makePool();
  await outcome(server, pool.context);
  await failingDrop(pool, "delete");
});

Deno.test("a session disposed of while its family's predecessor is dropped harms nothing", async () => {
  await using server = await startServer();
  await using other = await startServer();
  const { context, store } = await makePool();
  await outcome(server, context);
  const open = gate();
  let takes = 0;
  store.on.take = async (partition) => {
    if (takes++ > 0) await open.passed;
    return await store.inner.take(partition);
  };
  const conn = await connectTo(other, { context });
  assertEquals(conn.sessionMiss, "declined_by_peer");
  (await conn.getSession())![Symbol.dispose]();
  open.open();
  await conn.close();
  await bounded(context.settled(), "the puts");
  assertEquals(await outcome(other, context), RESUMED, "it was received, and kept, before");
});

Deno.test("a failing peek is told as one", async () => {
  await using server = await startServer();
  const { context, store, events } = await makePool();
  store.on.peek = () => Promise.reject(failure);
  assertEquals(await outcome(server, context), full("store_error"));
  const failed = events.filter(({ type }) => type === "store_failed");
  assertEquals(failed, [{ type: "store_failed", operation: "peek", cause: failure }]);
});

Deno.test("a wrong key is told where the names still match, none_stored where they do not", async () => {
  await using server = await startServer();
  const { context, store } = await makePool({ keys: await keysOf(1) });
  await outcome(server, context);
  const renamed = await makePool({ store, keys: await keysOf(2) });
  assertEquals(await outcome(server, renamed.context), full("none_stored"));
  const same = await makePool({ store, keys: await keysOf(2, 1) });
  assertEquals(await outcome(server, same.context), full("wrong_key"));
});

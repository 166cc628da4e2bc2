/**
 * The memory in front of a store: it serves TLS 1.2 only, is bounded, and is counted as OpenSSL
 * counts its own.
 */

import { assertEquals, assertGreater } from "@std/assert";
import { startTcpProxy } from "../peers/raw.ts";
import { firstVisit, newest, startEchoServer, statefulContext, visit } from "./echo_server.ts";
import { ScriptedStore } from "./scripted_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

Deno.test("TLSv1.2: a session of this process comes from memory", async () => {
  const store = new ScriptedStore();
  await using server = await startEchoServer(statefulContext(store, { memory: 10 }));
  const session = await firstVisit(server, "TLSv1.2");
  for (let i = 0; i < 3; i++) {
    assertEquals((await visit(server.port, "TLSv1.2", session)).reused, true);
  }
  const { number, hits, cbHits, misses, accept, acceptGood } = server.context.stats();
  assertEquals(store.calls, { put: 1, take: 0, peek: 0, delete: 0 });
  assertEquals({ number, hits, cbHits, misses, accept, acceptGood }, {
    number: 1,
    hits: 3,
    cbHits: 0,
    misses: 0,
    accept: 4,
    acceptGood: 4,
  });
});

Deno.test("TLSv1.2: a session of memory resumes while the store is down", async () => {
  const store = new ScriptedStore();
  await using server = await startEchoServer(statefulContext(store, { memory: 10 }));
  store.lookup(() => Promise.reject(new Error("down")));
  store.on.put = () => Promise.reject(new Error("down"));
  const session = await firstVisit(server, "TLSv1.2");
  assertEquals((await visit(server.port, "TLSv1.2", session)).reused, true);
  assertEquals(server.context.stats().putsFailed, 1);
});

Deno.test("TLSv1.3: a take always reaches the store", async () => {
  const store = new ScriptedStore();
  await using server = await startEchoServer(statefulContext(store, { memory: 10 }));
  const session = await firstVisit(server, "TLSv1.3");
  assertEquals((await visit(server.port, "TLSv1.3", session)).reused, true);
  assertEquals((await visit(server.port, "TLSv1.3", session)).reused, false);
  assertEquals(newest(server), [false, "none_stored"]);
  const { number, hits, cbHits, misses } = server.context.stats();
  assertEquals([store.calls.take, store.calls.peek], [2, 0]);
  assertEquals({ number, hits, cbHits, misses }, { number: 0, hits: 1, cbHits: 1, misses: 1 });
});

Deno.test("TLSv1.2: what another process put is remembered after its first lookup", async () => {
  const store = new ScriptedStore();
  await using first = await startEchoServer(statefulContext(store, { memory: 10 }));
  const context = statefulContext(store, { memory: 10 });
  await using second = await startEchoServer(context);
  // Both at one address, as far as the client knows.
  await using proxy = startTcpProxy({ targetPort: first.port });
  const { port } = proxy;
  const session = await firstVisit({ ...first, port }, "TLSv1.2");
  proxy.targetPort = second.port;
  assertEquals((await visit(port, "TLSv1.2", session)).reused, true);
  assertEquals([store.calls.peek, context.stats().cbHits, context.stats().number], [1, 1, 1]);
  assertEquals((await visit(port, "TLSv1.2", session)).reused, true);
  assertEquals([store.calls.peek, context.stats().cbHits, context.stats().hits], [1, 1, 2]);
});

Deno.test("TLSv1.2: memory is bounded, the session not used for longest goes", async () => {
  const store = new ScriptedStore();
  await using server = await startEchoServer(statefulContext(store, { memory: 3 }));
  const sessions = [];
  for (let i = 0; i < 3; i++) sessions.push(await firstVisit(server, "TLSv1.2"));
  assertEquals((await visit(server.port, "TLSv1.2", sessions[0])).reused, true);
  assertEquals(server.context.stats().cacheFull, 0);
  sessions.push(await firstVisit(server, "TLSv1.2"));
  assertEquals([server.context.stats().number, server.context.stats().cacheFull], [3, 1]);

  // 0 was used, so 1 went; it is in the store still.
  for (const [i, peeks] of [[0, 0], [3, 0], [1, 1]]) {
    assertEquals((await visit(server.port, "TLSv1.2", sessions[i])).reused, true);
    assertEquals(store.calls.peek, peeks);
  }
});

Deno.test("TLSv1.2: without memory each lookup reaches the store", async () => {
  const store = new ScriptedStore();
  await using server = await startEchoServer(statefulContext(store, { memory: 0 }));
  const session = await firstVisit(server, "TLSv1.2");
  for (let i = 0; i < 3; i++) await visit(server.port, "TLSv1.2", session);
  const { number, hits, cbHits, cacheFull } = server.context.stats();
  assertEquals([store.calls.peek, number, hits, cbHits, cacheFull], [3, 0, 3, 3, 0]);
});

Deno.test("what a store took is in the counters", async () => {
  const store = new ScriptedStore();
  await using server = await startEchoServer(statefulContext(store));
  const session = await firstVisit(server, "TLSv1.3");
  const { operations } = server.context.stats().store;
  assertEquals(operations, store.calls.put);
  store.on.take = async (partition: string) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return await store.inner.take(partition);
  };
  await visit(server.port, "TLSv1.3", session);
  await server.context.settled();
  const { store: counted } = server.context.stats();
  assertEquals(counted.operations, store.calls.put + store.calls.take);
  assertGreater(counted.maxMs, 0);
  assertGreater(counted.totalMs, 0);
});

/**
 * A store that hangs holds up a handshake until its deadline, and nothing else: not the next
 * connection, not a close, not without end what waits for it. What comes late is of no effect.
 */

import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { connectTls } from "../../mod.ts";
import { staysPending, until, within } from "../engine/bounded.ts";
import {
  clientContext,
  firstVisit,
  newest,
  startEchoServer,
  statefulContext,
  VERSIONS,
  visit,
} from "./echo_server.ts";
import { gate, ScriptedStore } from "./scripted_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

/** Shorter than the default, as each of these tests waits for it. */
const TIMEOUT_MS = 60;
/** Longer than any of these tests. */
const LONG_MS = 60_000;

function never(): Promise<never> {
  return new Promise(() => {});
}

for (const { version, lookup } of VERSIONS) {
  Deno.test(`${version}: a ${lookup} that never answers is a store_timeout`, async () => {
    const store = new ScriptedStore();
    const context = statefulContext(store, { timeout: TIMEOUT_MS });
    await using server = await startEchoServer(context);
    const session = await firstVisit(server, version);
    store.on[lookup] = never;
    const seen = await visit(server.port, version, session);
    assertEquals([seen.reused, ...newest(server)], [false, false, "store_timeout"]);
    assertEquals(context.stats().missReasons, { store_timeout: 1 });
    assertEquals([context.stats().timeouts, context.stats().cbHits], [0, 0]);

    store.on = {};
    const next = await firstVisit(server, version);
    assertEquals((await visit(server.port, version, next)).reused, true);
    assertEquals(server.errors, []);
  });

  for (const outcome of ["answers", "rejects", "answers nonsense"] as const) {
    Deno.test(`${version}: a ${lookup} that ${outcome} after the deadline does nothing`, async () => {
      const store = new ScriptedStore();
      const context = statefulContext(store, { timeout: TIMEOUT_MS });
      await using server = await startEchoServer(context);
      const session = await firstVisit(server, version);
      const { passed, open } = gate();
      let answered = 0;
      store.on[lookup] = async (partition: string) => {
        await passed;
        answered++;
        if (outcome === "rejects") throw new Error("late");
        return outcome === "answers" ? store.values.get(partition) : "nonsense";
      };
      await visit(server.port, version, session);
      assertEquals(newest(server), [false, "store_timeout"]);
      const before = context.stats();
      open();
      await until(() => answered === 1, "the late answer");
      // What an unhandled rejection would end is this process.
      await new Promise((resolve) => setTimeout(resolve, 10));
      assertEquals(context.stats(), before);
      store.on = {};
      await visit(server.port, version);
      assertEquals(server.errors, []);
    });
  }

  Deno.test(`${version}: a ${lookup} without a deadline ends with the handshake's`, async () => {
    const store = new ScriptedStore();
    const context = statefulContext(store, { timeout: Infinity });
    await using server = await startEchoServer(context, { handshakeTimeout: 1_000 });
    const session = await firstVisit(server, version);
    const { passed, open } = gate();
    let answered = 0;
    store.on[lookup] = async (partition: string) => {
      await passed;
      answered++;
      return store.values.get(partition);
    };
    await visit(server.port, version, session).then(() => assert(false), () => {});
    await until(() => server.errors.length === 1, "the server's error");
    assertEquals(server.errors[0].code, "ERR_TLS_HANDSHAKE_TIMEOUT");
    open();
    await until(() => answered === 1, "the late answer");
    store.on = {};
    await visit(server.port, version);
    assertEquals(server.errors.length, 1);
  });

  Deno.test(`${version}: the connections beside one whose ${lookup} hangs go on`, async () => {
    const store = new ScriptedStore();
    await using server = await startEchoServer(statefulContext(store, { timeout: LONG_MS }));
    const [held, free] = [await firstVisit(server, version), await firstVisit(server, version)];
    const { passed, open } = gate();
    store.on[lookup] = async (partition: string) => {
      store.on = {};
      await passed;
      return await store.inner[lookup](partition);
    };
    const waiting = visit(server.port, version, held);
    await until(() => store.calls[lookup] === 1, "the lookup");
    assertEquals((await visit(server.port, version, free)).reused, true);
    await visit(server.port, version);
    assert(await staysPending(waiting, 20));
    open();
    assertEquals((await within(waiting, "the held one")).reused, true);
  });

  Deno.test(`${version}: a put that hangs holds up neither the peer nor a close for long`, async () => {
    const store = new ScriptedStore();
    await using server = await startEchoServer(statefulContext(store));
    const { passed, open } = gate();
    store.on.put = () => passed;
    const { session } = await visit(server.port, version);
    assert(session !== undefined, "the client has its session");
    assertGreater(store.calls.put, 0);
    await within(server.conns[0].close(), "the server's close");
    const settled = server.context.settled();
    assert(await staysPending(settled, 20), "settled() waits for the put");
    open();
    await within(settled, "settled()");
    assertEquals(server.context.stats().putsFailed, 0);
  });

  Deno.test(`${version}: a put that rejects after its connection's end is counted`, async () => {
    const store = new ScriptedStore();
    await using server = await startEchoServer(statefulContext(store));
    const { passed, open } = gate();
    store.on.put = () => passed.then(() => Promise.reject(new Error("late")));
    await visit(server.port, version);
    await within(server.conns[0].close(), "the server's close");
    open();
    await within(server.context.settled(), "settled()");
    assertEquals(server.context.stats().putsFailed, store.calls.put);
  });

  Deno.test(`${version}: a lookup waits for this process's own put of the session`, async () => {
    const store = new ScriptedStore();
    await using server = await startEchoServer(statefulContext(store, { timeout: LONG_MS }));
    const { passed, open } = gate();
    store.on.put = async (...args: Parameters<typeof store.put>) => {
      await passed;
      await store.inner.put(...args);
    };
    const { session } = await visit(server.port, version);
    store.on.put = undefined;
    const waiting = visit(server.port, version, session);
    assert(await staysPending(waiting, 100));
    assertEquals(store.lookups, 0);
    open();
    assertEquals((await within(waiting, "the lookup")).reused, true);
    assertEquals(newest(server), [true, null]);
  });

  Deno.test(`${version}: a put that hangs beyond the lookup's deadline is a store_timeout`, async () => {
    const store = new ScriptedStore();
    await using server = await startEchoServer(statefulContext(store, { timeout: TIMEOUT_MS }));
    const other = await firstVisit(server, version);
    const { passed, open } = gate();
    store.on.put = () => passed;
    const { session } = await visit(server.port, version);
    assertEquals((await visit(server.port, version, session)).reused, false);
    assertEquals(newest(server), [false, "store_timeout"]);
    assertEquals((await visit(server.port, version, other)).reused, true);
    open();
    await within(server.context.settled(), "settled()");
  });
}

Deno.test("puts that hang are bounded, what is more is dropped and counted", async () => {
  const store = new ScriptedStore();
  const context = statefulContext(store, { tickets: 8 });
  await using server = await startEchoServer(context);
  const { passed, open } = gate();
  store.on.put = () => passed;
  const client = clientContext("TLSv1.3");
  while (context.stats().cacheFull === 0) {
    assertLessOrEqual(server.conns.length, 2000, "some puts are dropped by now");
    await connectTls({ hostname: "localhost", port: server.port, context: client })
      .then((conn) => conn.close());
  }
  assertLessOrEqual(store.calls.put, 1024);
  const before = store.calls.put;
  await visit(server.port, "TLSv1.3");
  assertEquals(store.calls.put, before);
  open();
  await within(context.settled(), "settled()");
  store.on = {};
  const session = await firstVisit(server, "TLSv1.3");
  assertEquals((await visit(server.port, "TLSv1.3", session)).reused, true);
  assertEquals(server.errors, []);
});

Deno.test("a put that never ends is given up and counted, so that settled() ends", async () => {
  const store = new ScriptedStore();
  const context = statefulContext(store);
  await using server = await startEchoServer(context, { handshakeTimeout: 9_999 });
  store.on.put = never;
  const original = globalThis.setTimeout;
  // A quarter of the put's ten seconds: nothing else here waits for as long.
  const hurried = (callback: () => void, ms?: number) => original(callback, ms === 2_500 ? 20 : ms);
  globalThis.setTimeout = hurried as typeof setTimeout;
  try {
    await visit(server.port, "TLSv1.3");
    await within(context.settled(), "settled()");
  } finally {
    globalThis.setTimeout = original;
  }
  assertGreater(store.calls.put, 0);
  assertEquals(context.stats().putsFailed, store.calls.put);
});

Deno.test("settled() of a context without puts resolves", async () => {
  await statefulContext(new ScriptedStore()).settled();
});

Deno.test("close() of a listener waits for a handshake that waits for the store", async () => {
  const store = new ScriptedStore();
  const context = statefulContext(store, { timeout: LONG_MS });
  await using server = await startEchoServer(context);
  const session = await firstVisit(server, "TLSv1.3");
  const { passed, open } = gate();
  store.on.take = (partition: string) => passed.then(() => store.inner.take(partition));
  const waiting = visit(server.port, "TLSv1.3", session);
  await until(() => store.calls.take === 1, "the lookup");
  const closing = Promise.resolve(server[Symbol.asyncDispose]());
  assert(await staysPending(closing, 20));
  open();
  assertEquals((await within(waiting, "the visit")).reused, true);
  await within(closing, "the server's end");
});

for (const { version, lookup } of VERSIONS) {
  Deno.test(`${version}: what this process is busy with does not make its store late`, async () => {
    const store = new ScriptedStore();
    await using server = await startEchoServer(statefulContext(store, { timeout: 120 }));
    const session = await firstVisit(server, version);
    // Three steps, as of a database, between which other connections have their turn.
    store.on[lookup] = async (partition: string) => {
      for (let step = 0; step < 3; step++) {
        setTimeout(() => {
          const end = performance.now() + 100;
          while (performance.now() < end);
        }, 0);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      return await store.inner[lookup](partition);
    };
    assertEquals((await visit(server.port, version, session)).reused, true);
    assertEquals(newest(server), [true, null]);
  });
}

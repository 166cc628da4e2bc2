/**
 * A store that fails or lies costs a full handshake, never the connection, and is counted; when it
 * is well again, sessions resume.
 */

import { assert, assertEquals } from "@std/assert";
import type { SessionMiss } from "../../mod.ts";
import { movedClock } from "../interop/clock.ts";
import { startTcpProxy } from "../peers/raw.ts";
import {
  type EchoServer,
  firstVisit,
  newest,
  startEchoServer,
  statefulContext,
  VERSIONS,
  visit,
} from "./echo_server.ts";
import { type Script, ScriptedStore } from "./scripted_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const MIB = 1024 * 1024;

function later<T>(value: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value), 1));
}

/** What a lookup answers, and what comes of it. */
const FAILURES: { what: string; script: Script; miss: SessionMiss }[] = [
  {
    what: "throws",
    script() {
      throw new Error("down");
    },
    miss: "store_error",
  },
  { what: "rejects", script: () => Promise.reject(new Error("down")), miss: "store_error" },
  { what: "rejects with nothing", script: () => Promise.reject(undefined), miss: "store_error" },
  { what: "rejects with text", script: () => Promise.reject("down"), miss: "store_error" },
  {
    what: "rejects later",
    script: () => later(0).then(() => Promise.reject(new Error("down"))),
    miss: "store_error",
  },
  { what: "answers null", script: () => Promise.resolve(null), miss: "none_stored" },
  { what: "answers undefined", script: () => {}, miss: "none_stored" },
  { what: "answers text", script: () => Promise.resolve("session"), miss: "store_error" },
  { what: "answers a number", script: () => 1, miss: "store_error" },
  { what: "answers an array", script: () => [1, 2, 3], miss: "store_error" },
  {
    what: "answers a DataView",
    script: () => new DataView(new ArrayBuffer(8)),
    miss: "store_error",
  },
  { what: "answers an ArrayBuffer", script: () => later(new ArrayBuffer(8)), miss: "store_error" },
  { what: "answers no bytes", script: () => new Uint8Array(0), miss: "tampered" },
  { what: "answers zeros", script: () => new Uint8Array(800), miss: "version" },
  {
    what: "answers noise",
    script: () => crypto.getRandomValues(new Uint8Array(800)).with(0, 1),
    miss: "wrong_key",
  },
  {
    what: "answers what is beyond all measure",
    script: () => new Uint8Array(256 * MIB).fill(1),
    miss: "tampered",
  },
];

/** Changes of what was stored. */
const CHANGES: { what: string; change(value: Uint8Array): Uint8Array; miss: SessionMiss }[] = [
  { what: "the first half", change: (v) => v.subarray(0, v.length / 2), miss: "tampered" },
  { what: "all but the last byte", change: (v) => v.subarray(0, -1), miss: "tampered" },
  { what: "a byte more", change: (v) => new Uint8Array([...v, 0]), miss: "tampered" },
  { what: "another version", change: (v) => v.with(0, 2), miss: "version" },
  { what: "another key id", change: (v) => v.with(1, v[1] ^ 1), miss: "wrong_key" },
  { what: "another salt", change: (v) => v.with(20, v[20] ^ 1), miss: "tampered" },
  {
    what: "a bit of the ciphertext flipped",
    change: (v) => v.with(100, v[100] ^ 1),
    miss: "tampered",
  },
  { what: "the last bit flipped", change: (v) => v.with(-1, v.at(-1)! ^ 1), miss: "tampered" },
];

async function resumes(server: EchoServer, version: typeof VERSIONS[number]["version"]) {
  const session = await firstVisit(server, version);
  assertEquals((await visit(server.port, version, session)).reused, true);
  assertEquals(newest(server), [true, null]);
}

for (const { version, lookup } of VERSIONS) {
  for (const { what, script, miss } of FAILURES) {
    Deno.test(`${version}: a ${lookup} that ${what} costs a full handshake: ${miss}`, async () => {
      const store = new ScriptedStore();
      await using server = await startEchoServer(statefulContext(store));
      const session = await firstVisit(server, version);
      store.on[lookup] = script;
      const { reused, session: next } = await visit(server.port, version, session);
      assertEquals([reused, ...newest(server)], [false, false, miss]);
      assert(next !== undefined, "the full handshake brings a session");
      const { missReasons, hits, misses, cbHits, acceptGood } = server.context.stats();
      assertEquals(missReasons, { [miss]: 1 });
      assertEquals([hits, misses, acceptGood], [0, miss === "none_stored" ? 1 : 0, 2]);
      assert(cbHits <= 1);
      assertEquals(server.errors, []);
      store.on = {};
      await resumes(server, version);
    });
  }

  for (const { what, change, miss } of CHANGES) {
    Deno.test(`${version}: ${what} of a stored session is refused: ${miss}`, async () => {
      const store = new ScriptedStore();
      await using server = await startEchoServer(statefulContext(store));
      const session = await firstVisit(server, version);
      store.lookup((partition: string) => change(store.values.get(partition)!));
      assertEquals((await visit(server.port, version, session)).reused, false);
      assertEquals(newest(server), [false, miss]);
      assertEquals(server.errors, []);
    });
  }

  Deno.test(`${version}: a session of another lookup id is refused`, async () => {
    const store = new ScriptedStore();
    await using server = await startEchoServer(statefulContext(store));
    await firstVisit(server, version);
    const foreign = [...store.values.values()][0];
    const own = await firstVisit(server, version);
    store.lookup(() => foreign);
    assertEquals((await visit(server.port, version, own)).reused, false);
    assertEquals(newest(server), [false, "tampered"]);
  });

  Deno.test(`${version}: a session of another context on the same store is refused`, async () => {
    const store = new ScriptedStore();
    await using one = await startEchoServer(statefulContext(store));
    const revoked = statefulContext(store, {}, { revocationEpoch: 1 });
    await using other = await startEchoServer(revoked);
    // Both at one address, or the client would not offer it.
    await using proxy = startTcpProxy({ targetPort: one.port });
    const session = await firstVisit({ ...one, port: proxy.port }, version);
    proxy.targetPort = other.port;
    assertEquals((await visit(proxy.port, version, session)).reused, false);
    assertEquals(newest(other), [false, "tampered"]);
  });

  for (
    const { what, days, miss } of [
      { what: "whose time is over", days: 2, miss: "expired" },
      { what: "of the future", days: -2, miss: "not_yet_valid" },
    ] as const
  ) {
    Deno.test(`${version}: a session ${what} that the store gives is refused`, async () => {
      const store = new ScriptedStore();
      await using server = await startEchoServer(statefulContext(store));
      const session = await firstVisit(server, version);
      using clock = movedClock();
      // The client, whose clock it is too, has looked at the time by then.
      store.lookup((partition: string) => {
        clock.move(days * 86_400);
        return store.values.get(partition);
      });
      assertEquals((await visit(server.port, version, session)).reused, false);
      assertEquals(newest(server), [false, miss]);
      const { timeouts, missReasons } = server.context.stats();
      assertEquals([timeouts, missReasons], [days > 0 ? 1 : 0, { [miss]: 1 }]);
    });
  }

  for (
    const { what, script } of [
      {
        what: "throws",
        script() {
          throw new Error("down");
        },
      },
      { what: "rejects", script: () => Promise.reject(new Error("down")) },
      { what: "rejects with nothing", script: () => Promise.reject() },
    ]
  ) {
    Deno.test(`${version}: a put that ${what} is counted, and costs the next visit`, async () => {
      const store = new ScriptedStore();
      await using server = await startEchoServer(statefulContext(store));
      store.on.put = script;
      const session = await firstVisit(server, version);
      const { putsFailed } = server.context.stats();
      assertEquals(putsFailed, store.calls.put);
      assert(putsFailed > 0);
      assertEquals((await visit(server.port, version, session)).reused, false);
      assertEquals(newest(server), [false, "none_stored"]);
      assertEquals(server.context.stats().misses, 1);
      store.on = {};
      await resumes(server, version);
    });
  }

  Deno.test(`${version}: a put that is no promise is as good`, async () => {
    const store = new ScriptedStore();
    store.on.put = (...args) => {
      store.inner.put(...args as Parameters<typeof store.put>);
    };
    await using server = await startEchoServer(statefulContext(store));
    await resumes(server, version);
    assertEquals(server.context.stats().putsFailed, 0);
  });

  Deno.test(`${version}: what the store cannot hold is not put, and counted`, async () => {
    const store = new ScriptedStore({ maxValueBytes: 100 });
    await using server = await startEchoServer(statefulContext(store));
    const session = await firstVisit(server, version);
    assertEquals(store.calls.put, 0);
    assert(server.context.stats().putsFailed > 0);
    assertEquals((await visit(server.port, version, session)).reused, false);
  });
}

Deno.test("TLSv1.3: a session that the store gives a second time is used already", async () => {
  const store = new ScriptedStore();
  await using server = await startEchoServer(statefulContext(store));
  const session = await firstVisit(server, "TLSv1.3");
  store.on.take = (partition: string) => store.values.get(partition) ?? null;
  assertEquals((await visit(server.port, "TLSv1.3", session)).reused, true);
  assertEquals((await visit(server.port, "TLSv1.3", session)).reused, false);
  assertEquals(newest(server), [false, "used_already"]);
});

Deno.test("TLSv1.2: a session may be used again", async () => {
  const store = new ScriptedStore();
  await using server = await startEchoServer(statefulContext(store));
  const session = await firstVisit(server, "TLSv1.2");
  for (let i = 0; i < 3; i++) {
    assertEquals((await visit(server.port, "TLSv1.2", session)).reused, true);
  }
});

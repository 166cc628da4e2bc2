/**
 * Workers KV and Durable Objects in workerd: the contract, and what they are given and refuse.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type DurableNamespace,
  durableObjectStore,
  type DurableStorage,
  SessionStoreObject,
} from "../../src/stores/durable_object.ts";
import { type WorkersKv, workersKvStore } from "../../src/stores/workers_kv.ts";
import { movedClock } from "../interop/clock.ts";
import { living, name, value } from "./contract_values.ts";
import { testContract } from "./register.ts";
import { startWorkerd, type Workerd, type WorkerStore } from "./workerd.ts";

// The connections to workerd are those of fetch, which keeps them beyond a test.
Deno.test.sanitizer({ ops: false, resources: false });

let workerd: Workerd;
Deno.test.beforeAll(async () => {
  workerd = await startWorkerd();
});
Deno.test.afterAll(async () => await workerd?.[Symbol.asyncDispose]());

const inWorker = (kind: WorkerStore) => async () => ({
  store: await workerd.store(kind),
  close() {},
});

testContract("Workers KV", inWorker("kv"), { without: ["races"] });
testContract("Durable Objects", inWorker("objects"));
testContract("Durable Objects on SQLite", inWorker("sqlite"));

Deno.test("Workers KV: it promises no winner and no fresh reads, so early data is off", async () => {
  const { capabilities } = await workerd.store("kv");
  assertEquals([capabilities.atomicTake, capabilities.consistency], [false, "eventual"]);
});

Deno.test("Workers KV: a key that is listed still and gone already is passed over", async () => {
  const gone = new Map([["reprise/a/1", null], ["reprise/a/0", value("a")]]);
  const removed: string[] = [];
  const kv: WorkersKv = {
    list: () => Promise.resolve({ keys: [{ name: "reprise/a/0" }, { name: "reprise/a/1" }] }),
    getWithMetadata: (key) =>
      Promise.resolve({
        value: gone.get(key)?.slice().buffer as ArrayBuffer ?? null,
        metadata: { expiresAt: Date.now() + 1000 },
      }),
    put: () => Promise.resolve(),
    delete: (key) => Promise.resolve(void removed.push(key)),
  };
  const store = workersKvStore(kv);
  assertEquals([name(await store.peek("a")), name(await store.take("a"))], ["a", "a"]);
  assert(removed.includes("reprise/a/0"));
});

Deno.test("Workers KV: nothing is put for less than a minute", async () => {
  const given: number[] = [];
  const kv = {
    list: () => Promise.resolve({ keys: [] }),
    put: (_key: string, _value: Uint8Array, { expiration }: { expiration: number }) => {
      given.push(expiration * 1000 - Date.now());
      return Promise.resolve();
    },
    getWithMetadata() {},
  } as unknown as WorkersKv;
  for (const expiresAt of [0, Date.now() + 1000, Date.now() + 600_000]) {
    await workersKvStore(kv).put("a", value("a"), { expiresAt, limit: 1 });
  }
  assert(given.every((ttl) => ttl > 60_000), `${given}`);
  assert(given[2] > 599_000);
});

/** An object's storage, as far as an alarm is concerned. */
function storage() {
  const entries = new Map<string, unknown>();
  const kept = { entries, alarm: null as number | null };
  const object: DurableStorage = {
    list: <T>() => Promise.resolve(new Map([...entries].sort()) as Map<string, T>),
    put: (key, value) => Promise.resolve(void entries.set(key, value)),
    delete: (keys) => Promise.resolve(keys.forEach((key) => entries.delete(key))),
    deleteAll: () => Promise.resolve(entries.clear()),
    setAlarm: (time) => Promise.resolve(void (kept.alarm = time)),
  };
  return { kept, object: new SessionStoreObject({ storage: object }) };
}

Deno.test("Durable Objects: an alarm empties the object when its last value has expired", async () => {
  using clock = movedClock();
  const { kept, object } = storage();
  const put = (seconds: number) =>
    object.fetch(
      new Request(`https://x/?expires=${Date.now() + seconds * 1000}&limit=9`, {
        method: "POST",
        body: "value",
      }),
    );
  await put(60);
  const first = kept.alarm!;
  await put(30);
  assertEquals(kept.alarm, first);
  await put(90);
  assertEquals(Math.round((kept.alarm! - first) / 1000), 30);

  // It comes too early, as one was put since: nothing is lost.
  clock.move(70);
  kept.alarm = null;
  await object.alarm();
  assertEquals([kept.entries.size, kept.alarm !== null], [3, true]);
  clock.move(30);
  await object.alarm();
  assertEquals(kept.entries.size, 0);
});

Deno.test("Durable Objects: what an object does not know it refuses", async () => {
  const { object } = storage();
  const { status } = await object.fetch(new Request("https://x/", { method: "PUT", body: "x" }));
  assertEquals(status, 405);
});

Deno.test("Durable Objects: an answer that is an error rejects", async () => {
  const namespace: DurableNamespace = {
    idFromName: (name) => name,
    get: () => ({ fetch: () => Promise.resolve(new Response("overloaded", { status: 503 })) }),
  };
  const store = durableObjectStore(namespace);
  await assertRejects(() => store.take("a"), Error, "503");
  await assertRejects(() => store.put("a", value("a"), living()), Error, "503");
});

for (const bad of [null, undefined, {}, "SESSIONS"]) {
  Deno.test(`Workers: ${JSON.stringify(bad)} is no binding`, () => {
    assertThrows(() => workersKvStore(bad as unknown as WorkersKv), TypeError, "kv");
    const namespace = bad as unknown as DurableNamespace;
    assertThrows(() => durableObjectStore(namespace), TypeError, "namespace");
  });
}

/**
 * Workers KV and Durable Objects in workerd: the contract, and what they are given and refuse.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type DurableNamespace, durableObjectStore } from "../../src/stores/durable_object.ts";
import { MAX_VALUE_BYTES } from "../../src/stores/bounds.ts";
import { type WorkersKv, workersKvStore } from "../../src/stores/workers_kv.ts";
import { movedClock } from "../interop/clock.ts";
import { living, name, value } from "./contract_values.ts";
import { ObjectInMemory } from "./durable_storage.ts";
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

/** A namespace that answers with these names and values, and notes what it is asked. */
function scripted(
  keys: readonly string[],
  read: (key: string) => { value: unknown; metadata: unknown } = () => ({
    value: null,
    metadata: null,
  }),
) {
  const asked = { list: 0, get: 0, put: 0, delete: [] as string[] };
  const kv: WorkersKv = {
    list({ prefix, limit = 1000 }) {
      asked.list++;
      const names = keys.filter((key) => key.startsWith(prefix)).slice(0, limit);
      return Promise.resolve({ keys: names.map((name) => ({ name })) });
    },
    getWithMetadata(key) {
      asked.get++;
      return Promise.resolve(read(key) as { value: ArrayBuffer | null; metadata: unknown });
    },
    put: () => Promise.resolve(void asked.put++),
    delete: (key) => Promise.resolve(void asked.delete.push(key)),
  };
  return { asked, store: workersKvStore(kv) };
}

Deno.test("Workers KV: few names are looked at or removed in one call", async () => {
  const names = Array.from({ length: 5000 }, (_, i) => `reprise/a/${String(i).padStart(4, "0")}`);
  const put = scripted(names);
  await put.store.put("a", value("a"), living(4));
  // The oldest go: the newest are what the limit is for.
  assertEquals(put.asked.delete.toSorted(), names.slice(0, 16));
  assertEquals([put.asked.put, put.asked.list], [1, 1]);
  const peek = scripted(names);
  assertEquals(await peek.store.peek("a"), null);
  assertEquals([peek.asked.list, peek.asked.get, peek.asked.delete.length], [1, 16, 0]);
  const take = scripted(names);
  assertEquals(await take.store.take("a"), null);
  assertEquals([take.asked.list, take.asked.get, take.asked.delete.length], [1, 16, 16]);
});

Deno.test("Workers KV: a value without a time that can be, or too large, is passed over", async () => {
  const soon = Date.now() + 60_000;
  const bytes = value("foreign").buffer;
  const foreign: { value: unknown; metadata: unknown }[] = [
    { value: bytes, metadata: null },
    { value: bytes, metadata: "text" },
    { value: bytes, metadata: {} },
    { value: bytes, metadata: { expiresAt: "never" } },
    { value: bytes, metadata: { expiresAt: Infinity } },
    { value: bytes, metadata: { expiresAt: 8.64e15 } },
    { value: new ArrayBuffer(MAX_VALUE_BYTES + 1), metadata: { expiresAt: soon } },
  ];
  for (const [i, each] of foreign.entries()) {
    const ours = { value: value("ours").buffer, metadata: { expiresAt: soon } };
    const { store, asked } = scripted(
      ["reprise/a/0", "reprise/a/1"],
      (key) => key.endsWith("1") ? each : ours,
    );
    assertEquals(name(await store.peek("a")), "ours", `${i}`);
    assertEquals(name(await store.take("a")), "ours", `${i}`);
    assertEquals(asked.delete, ["reprise/a/1", "reprise/a/0"], `${i}`);
  }
});

Deno.test("Durable Objects: an alarm empties the object when its last value has expired", async () => {
  using clock = movedClock();
  const kept = new ObjectInMemory();
  const { object } = kept;
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
  kept.alarm = undefined;
  await object.alarm();
  assertEquals([kept.entries.size, kept.alarm !== undefined], [3, true]);
  clock.move(30);
  await object.alarm();
  assertEquals(kept.entries.size, 0);
});

Deno.test("Durable Objects: what an object does not know it refuses", async () => {
  const kept = new ObjectInMemory();
  for (const method of ["PUT", "PATCH"]) assertEquals(await kept.ask(`${method} /`, "x"), 405);
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

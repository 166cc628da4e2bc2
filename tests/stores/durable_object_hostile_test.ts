/**
 * A Durable Object that is asked for what cannot be, and one in whose storage others wrote: what is
 * refused has stored nothing, and what is foreign is neither handed out nor in the way.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { MAX_LIFETIME_MS, MAX_VALUES } from "../../src/stores/bounds.ts";
import { durableObjectKeyRing, durableObjectStore } from "../../src/stores/durable_object.ts";
import { drain, living, name, value } from "./contract_values.ts";
import { namespaceOf, ObjectInMemory } from "./durable_storage.ts";
import { bundleRingWorker, KINDS, type RingWorkerd, startRingWorkerd } from "./ring_workerd.ts";

// The connections to workerd are those of fetch, which keeps them beyond a test.
Deno.test.sanitizer({ ops: false, resources: false });

let folder: string;
let workerd: RingWorkerd;
Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir({ prefix: "reprise-object-" });
  workerd = await startRingWorkerd(await bundleRingWorker(), folder);
});
Deno.test.afterAll(async () => {
  await workerd?.[Symbol.asyncDispose]();
  await Deno.remove(folder, { recursive: true });
});

const soon = () => Math.floor(Date.now()) + 600_000;

/** Queries of a put that cannot be. */
function badQueries(): string[] {
  const times = ["Infinity", "-Infinity", "NaN", "-1", "1e13", "0x1", "", " 1", "1.5", "x"]
    .concat(["9".repeat(15), "9".repeat(400), String(soon() + 2 * MAX_LIFETIME_MS)]);
  const limits = ["0", "-1", "-0", "Infinity", "NaN", "1.5", "1e3", "0x4", "", "x"]
    .concat([String(MAX_VALUES + 1), "9".repeat(20)]);
  return [
    "",
    `expires=${soon()}`,
    "limit=1",
    ...times.map((expires) => `expires=${encodeURIComponent(expires)}&limit=1`),
    ...limits.map((limit) => `expires=${soon()}&limit=${limit}`),
  ];
}

Deno.test("a put that cannot be is answered with 400, and stores, removes and schedules nothing", async () => {
  const kept = new ObjectInMemory();
  assertEquals(await kept.ask(`POST /?expires=${soon()}&limit=4`, "there"), 204);
  const before = [...kept.entries];
  kept.alarm = undefined;
  for (const query of badQueries()) {
    assertEquals(await kept.ask(`POST /?${query}`, "new"), 400, query);
    assertEquals([[...kept.entries], kept.alarm], [before, undefined], query);
  }
});

for (const kind of KINDS) {
  Deno.test(`${kind}: a put that cannot be is answered with 400 and stores nothing, in workerd`, async () => {
    for (const query of badQueries()) {
      assertEquals(await workerd.object(kind, "bad", `POST /?${query}`, "new"), 400, query);
    }
    assertEquals(await workerd.object(kind, "bad", "GET /"), 204);
  });

  Deno.test(`${kind}: a value of more than 127.5 KiB is answered with 413 and stored nowhere`, async () => {
    const put = `POST /?expires=${soon()}&limit=4`;
    const largest = 128 * 1024 - 512;
    for (const length of [largest + 1, 130 * 1024, 2 * 1024 * 1024]) {
      const status = await workerd.object(kind, "large", put, "x".repeat(length));
      assertEquals(status, 413, `${length} bytes`);
    }
    assertEquals(await workerd.object(kind, "large", "GET /"), 204);
    assertEquals(await workerd.object(kind, "large", put, "x".repeat(largest)), 204);
    assertEquals(await workerd.object(kind, "large", "GET /"), 200);
  });
}

/** What another class, or another version, may have left in an object. */
const FOREIGN: unknown[] = [
  null,
  undefined,
  0,
  "text",
  [],
  {},
  { value: "text", expiresAt: soon() },
  { value: 4_000_000_000, expiresAt: soon() },
  { value: value("a"), expiresAt: Infinity },
  { value: value("a"), expiresAt: NaN },
  { value: value("a"), expiresAt: "never" },
  { value: value("a"), expiresAt: 8.64e15 },
  { value: new Uint8Array(128 * 1024), expiresAt: soon() },
];

Deno.test("what others left in an object is not handed out, and goes", async () => {
  for (const [i, foreign] of FOREIGN.entries()) {
    const kept = new ObjectInMemory();
    const store = durableObjectStore(namespaceOf(kept));
    await store.put("a", value("ours"), living());
    // After our names and within them: the newest, the oldest, and what looks like another's.
    for (const key of ["zzz", "ffff", "0", "Ring", "ring2"]) kept.entries.set(key, foreign);
    assertEquals(name(await store.peek("a")), "ours", `${i}`);
    await kept.object.alarm();
    assertEquals(await drain(store, "a"), ["ours"], `${i}`);
    assertEquals(kept.entries.size, 0, `${i}`);
  }
});

Deno.test("what others left sets no alarm, and keeps no object alive", async () => {
  const kept = new ObjectInMemory();
  const store = durableObjectStore(namespaceOf(kept));
  for (const [i, foreign] of FOREIGN.entries()) kept.entries.set(`0${i}`, foreign);
  const expiresAt = Math.floor(Date.now()) + 60_000;
  await store.put("a", value("ours"), { expiresAt, limit: 4 });
  assertEquals([kept.alarm, kept.entries.size], [expiresAt, 1]);
  await store.delete("a");
  for (const [i, foreign] of FOREIGN.entries()) kept.entries.set(`0${i}`, foreign);
  await kept.object.alarm();
  assertEquals(kept.entries.size, 0);
});

Deno.test("an object that others filled is read in pages, and no further than it should be full", async () => {
  const kept = new ObjectInMemory();
  const store = durableObjectStore(namespaceOf(kept));
  const fill = () => {
    for (let i = 0; i < 3000; i++) kept.entries.set(`z${String(i).padStart(4, "0")}`, null);
    kept.lists.length = 0;
  };
  const calls: [string, () => Promise<unknown>][] = [
    ["peek", () => store.peek("a")],
    ["take", () => store.take("a")],
    ["put", () => store.put("a", value("a"), living(1))],
    ["alarm", () => kept.object.alarm()],
  ];
  for (const [what, call] of calls) {
    fill();
    await call();
    assert(Math.max(...kept.lists) <= 64, `${what} read ${Math.max(...kept.lists)} at once`);
    const read = kept.lists.reduce((sum, each) => sum + each, 0);
    assert(read <= 1400, `${what} read ${read} entries`);
  }
});

Deno.test("a lower limit removes any number of values, 128 at most at once", async () => {
  const kept = new ObjectInMemory();
  const store = durableObjectStore(namespaceOf(kept));
  for (let i = 0; i < 300; i++) await store.put("a", value(i), living(1000));
  await store.put("a", value("newest"), living(1));
  assertEquals(await drain(store, "a"), ["newest"]);
  assertEquals(kept.entries.size, 0);
});

Deno.test("a limit beyond what an object holds is that, and none is told otherwise", async () => {
  const kept = new ObjectInMemory();
  const store = durableObjectStore(namespaceOf(kept));
  for (const limit of [Infinity, 1e9]) await store.put("a", value("a"), living(limit));
  assertEquals(kept.entries.size, 2);
});

Deno.test("a ring is seen whatever else is in its object", async () => {
  const kept = new ObjectInMemory();
  const namespace = namespaceOf(kept);
  const ring = durableObjectKeyRing(namespace);
  await ring.compareAndSet(null, value("ring"));
  for (const key of ["zzz", "ring ", "ring2", "0"]) kept.entries.set(key, "not ours");
  assertEquals(name((await ring.load())!.value), "ring");
  const store = durableObjectStore(namespace);
  for (
    const call of [
      () => store.put("a", value("a"), living()),
      () => store.take("a"),
      () => store.peek("a"),
      () => store.delete("a"),
    ]
  ) await assertRejects<Error>(call, Error, "409");
  await kept.object.alarm();
  const { version } = (await ring.load())!;
  assertEquals(await ring.compareAndSet(version, value("next")), true);
  assertEquals(name((await ring.load())!.value), "next");
});

Deno.test("what is in the place of a ring and is none is told, and is not replaced", async () => {
  const bytes = value("ring");
  const damaged = [
    null,
    "text",
    bytes,
    { value: "text", version: 1 },
    { value: bytes },
    { value: bytes, version: 0 },
    { value: bytes, version: 1.5 },
    { value: bytes, version: "1" },
    { value: bytes, version: Infinity },
    { value: new Uint8Array(128 * 1024), version: 1 },
  ];
  for (const [i, each] of damaged.entries()) {
    const kept = new ObjectInMemory();
    kept.entries.set("ring", each);
    const ring = durableObjectKeyRing(namespaceOf(kept));
    await assertRejects(() => ring.load(), Error, "in the place of the ring is none", `${i}`);
    for (const version of [null, "1", "undefined", "Infinity"]) {
      const set = () => ring.compareAndSet(version, bytes);
      await assertRejects(set, Error, "in the place of the ring is none", `${i}`);
    }
    assertEquals(kept.entries.get("ring"), each, `${i}`);
  }
});

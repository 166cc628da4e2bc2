/**
 * Deno KV, on a file and in memory: the contract, and what is in the database.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MAX_PASSED_OVER } from "../../src/stores/bounds.ts";
import { type DenoKv, denoKvStore } from "../../src/stores/deno_kv.ts";
import { drain, living, name, putAll, value } from "./contract_values.ts";
import { temporaryFolder, testContract } from "./register.ts";

Deno.test.sanitizer({ ops: true, resources: true });

async function inFile() {
  const folder = await temporaryFolder();
  const kv = await Deno.openKv(`${folder.path}/sessions.db`);
  return {
    kv,
    store: denoKvStore(kv),
    async close() {
      kv.close();
      await folder.remove();
    },
  };
}

async function inMemory() {
  const kv = await Deno.openKv(":memory:");
  return { kv, store: denoKvStore(kv), close: () => kv.close() };
}

testContract("Deno KV file", inFile);
testContract("Deno KV in memory", inMemory);

async function entries(kv: Deno.Kv): Promise<Deno.KvKey[]> {
  const keys = [];
  for await (const { key } of kv.list({ prefix: [] })) keys.push(key);
  return keys;
}

Deno.test("Deno KV: a file opened again has what was put", async () => {
  const folder = await temporaryFolder();
  const path = `${folder.path}/sessions.db`;
  {
    using kv = await Deno.openKv(path);
    await putAll(denoKvStore(kv), "a", [1, 2]);
  }
  {
    using kv = await Deno.openKv(path);
    assertEquals(await drain(denoKvStore(kv), "a"), ["2", "1"]);
  }
  await folder.remove();
});

Deno.test("Deno KV: two prefixes are two stores in one database", async () => {
  using kv = await Deno.openKv(":memory:");
  const [one, two] = [["one"], ["two", "sessions"]].map((prefix) => denoKvStore(kv, { prefix }));
  await one.put("a", value(1), living());
  await two.put("a", value(2), living());
  assertEquals([name(await one.take("a")), name(await two.take("a"))], ["1", "2"]);
});

Deno.test("Deno KV: nothing is left of what was taken or deleted", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = denoKvStore(kv);
  await putAll(store, "a", [1, 2]);
  await putAll(store, "b", [3]);
  await drain(store, "a");
  await store.delete("b");
  assertEquals(await entries(kv), []);
});

Deno.test("Deno KV: purge removes what expired and the database has still", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = denoKvStore(kv);
  // As `expireIn` comes late: the entry is there, its time is over.
  const expired = { value: value("old"), expiresAt: Date.now() - 1 };
  await kv.set(["reprise", "a", "0"], expired);
  await kv.set(["other", "a"], "not ours");
  await store.put("b", value("b"), living());
  assertEquals(await store.peek("a"), null);
  await store.purge!();
  assertEquals((await entries(kv)).map(([first, second]) => [first, second]), [
    ["other", "a"],
    ["reprise", "b"],
  ]);
});

Deno.test("Deno KV: a take passes over any number of expired values", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = denoKvStore(kv);
  await store.put("a", value("lives"), living(Infinity));
  const expired = { value: value("old"), expiresAt: Date.now() - 1 };
  for (let i = 0; i < 100; i++) await kv.set(["reprise", "a", `f${i}`], expired);
  assertEquals(name(await store.take("a")), "lives");
  assertEquals(await entries(kv), []);
});

Deno.test("Deno KV: whoever else writes there does no harm", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = denoKvStore(kv);
  const soon = Date.now() + 60_000;
  const bytes = new Uint8Array([1]);
  const foreign = [
    null,
    1,
    "x",
    {},
    { value: 1, expiresAt: "x" },
    { value: "text", expiresAt: soon },
    { value: 4_000_000_000, expiresAt: soon },
    { value: bytes, expiresAt: Infinity },
    { value: bytes, expiresAt: 8.64e15 },
    { value: bytes, expiresAt: "9" },
    { value: bytes, expiresAt: new Date(soon) },
  ];
  for (const [i, each] of foreign.entries()) {
    await kv.set(["reprise", "a", `f${String.fromCharCode(97 + i)}`], each);
  }
  await store.put("a", value("a"), living(Infinity));
  assertEquals(name(await store.peek("a")), "a");
  assertEquals(name(await store.take("a")), "a");
  await store.purge!();
  assertEquals(await entries(kv), []);
});

/** Values that have expired, and are newer than any of ours. */
async function flood(kv: Deno.Kv, count: number): Promise<void> {
  const expired = { value: value("old"), expiresAt: Date.now() - 1 };
  for (let from = 0; from < count; from += 500) {
    const transaction = kv.atomic();
    for (let i = from; i < Math.min(count, from + 500); i++) {
      transaction.set(["reprise", "a", `f${i}`], expired);
    }
    await transaction.commit();
  }
}

Deno.test("Deno KV: a lookup passes over 256 entries at most, and leaves fewer to the next", async () => {
  for (const operation of ["peek", "take"] as const) {
    using kv = await Deno.openKv(":memory:");
    const store = denoKvStore(kv);
    await store.put("a", value("below"), living());
    await flood(kv, 700);
    const seen = [];
    for (let i = 0; i < 3; i++) seen.push(name(await store[operation]("a")));
    assertEquals(seen, [null, null, "below"]);
  }
});

Deno.test("Deno KV: a put makes room, and reads no partition whole", async () => {
  using kv = await Deno.openKv(":memory:");
  const limits: (number | undefined)[] = [];
  const watched: DenoKv = {
    atomic: () => kv.atomic(),
    delete: (key) => kv.delete(key as Deno.KvKey),
    list<T>(selector: { prefix: readonly unknown[] }, options?: { limit?: number }) {
      limits.push(options?.limit);
      return kv.list<T>(selector as Deno.KvListSelector, options);
    },
  };
  const store = denoKvStore(watched);
  await flood(kv, 700);
  await store.put("a", value("a"), living(1));
  assertEquals((await entries(kv)).length, 701 - MAX_PASSED_OVER);
  await store.peek("a");
  assert(limits.every((limit) => limit! <= 16), `${limits}`);
});

Deno.test("Deno KV: a partition that others filled is deleted bit by bit, and says so", async () => {
  using kv = await Deno.openKv(":memory:");
  const store = denoKvStore(kv);
  await flood(kv, 2000);
  await assertRejects(() => store.delete("a"), Error, "delete it again");
  await store.delete("a");
  assertEquals(await entries(kv), []);
});

Deno.test("Deno KV: the largest value is within what the database takes", async () => {
  await using closing = { store: await inFile(), [Symbol.asyncDispose]: () => fileStore.close() };
  const fileStore = closing.store;
  const { maxValueBytes } = fileStore.store.capabilities;
  assert(maxValueBytes! <= 65_536);
  await fileStore.store.put("a", new Uint8Array(maxValueBytes!).fill(255), living());
  assertEquals((await fileStore.store.take("a"))?.length, maxValueBytes);
});

for (const kv of [null, undefined, {}, "x"]) {
  Deno.test(`Deno KV: ${JSON.stringify(kv)} is refused`, () => {
    assertThrows(() => denoKvStore(kv as unknown as DenoKv), TypeError, "kv");
  });
}

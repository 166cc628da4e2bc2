/**
 * What stores are made from and asked: an option that is unknown, misspelt or of the wrong kind is
 * refused when the store is made, and a partition or a put that cannot be when it is asked.
 */

import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { memoryStore, type SessionStore } from "../../mod.ts";
import { MAX_ENVELOPE } from "../../src/envelope.ts";
import { MAX_LIFETIME_MS, MAX_VALUE_BYTES, MAX_VALUES } from "../../src/stores/bounds.ts";
import { callbackStore } from "../../src/stores/callback.ts";
import { type DenoKv, denoKvStore } from "../../src/stores/deno_kv.ts";
import { fileStore } from "../../src/stores/file.ts";
import { type NodeRedisClient, redisStore } from "../../src/stores/redis.ts";
import { type SqliteDatabase, sqliteStore } from "../../src/stores/sqlite.ts";
import { type WorkersKv, workersKvStore } from "../../src/stores/workers_kv.ts";
import { drain, living, putAll, value } from "./contract_values.ts";
import { temporaryFolder } from "./register.ts";

Deno.test.sanitizer({ ops: true, resources: true });

/** What a store would be made over, if it came to that. */
const anything = {
  atomic() {},
  eval() {},
  prepare: () => ({ run() {}, all: () => [] }),
  getWithMetadata() {},
  list() {},
};

// deno-lint-ignore no-explicit-any -- what a program without types may do
const STORES: Record<string, { make(options: any): SessionStore; known: string; bad: unknown[] }> =
  {
    memoryStore: {
      make: (options) => memoryStore(options),
      known: "maxPartitions",
      bad: [0, -1, 1.5, NaN, Infinity, 1e9, "100", null, {}, [], true, () => 1],
    },
    denoKvStore: {
      make: (options) => denoKvStore(anything as unknown as DenoKv, options),
      known: "prefix",
      bad: [
        null,
        "reprise",
        [],
        [""],
        [1],
        [null],
        Array(9).fill("a"),
        ["a".repeat(513)],
        {},
        1,
        true,
      ],
    },
    sqliteStore: {
      make: (options) => sqliteStore(anything as unknown as SqliteDatabase, options),
      known: "table",
      bad: ["", "a b", "a;b", '"a"', "1a", "a".repeat(65), null, 1, {}, [], ["a"], true],
    },
    redisStore: {
      make: (options) => redisStore(anything as unknown as NodeRedisClient, options),
      known: "prefix",
      bad: [null, 1, {}, [], ["a"], true, "a".repeat(257)],
    },
    workersKvStore: {
      make: (options) => workersKvStore(anything as unknown as WorkersKv, options),
      known: "prefix",
      bad: [null, 1, {}, [], ["a"], true, "é".repeat(129)],
    },
  };

for (const [store, { make, known, bad }] of Object.entries(STORES)) {
  Deno.test(`${store}: options that are no object are refused`, () => {
    for (const options of [null, 1, "x", true, [], () => ({})]) {
      const { message } = assertThrows(() => make(options), TypeError);
      assertStringIncludes(message, `${store}() options must be an object`);
    }
    make(undefined);
    make({});
  });

  Deno.test(`${store}: an option that is unknown or misspelt is refused`, () => {
    for (const name of [known.toUpperCase(), `${known}s`, known.slice(1), "ttl", "__proto"]) {
      const { message } = assertThrows(() => make({ [name]: 1 }), TypeError);
      assertStringIncludes(message, `"${name}"`);
    }
  });

  Deno.test(`${store}: a bad "${known}" is refused by name`, () => {
    for (const each of bad) {
      const { message } = assertThrows(() => make({ [known]: each }), TypeError, undefined);
      assertStringIncludes(message, `"${known}"`, `${each}`);
    }
    make({ [known]: undefined });
  });
}

Deno.test("the longest names that are allowed are", () => {
  denoKvStore(anything as unknown as DenoKv, { prefix: Array(8).fill("a".repeat(64)) });
  sqliteStore(anything as unknown as SqliteDatabase, { table: "a".repeat(64) });
  redisStore(anything as unknown as NodeRedisClient, { prefix: "" });
  redisStore(anything as unknown as NodeRedisClient, { prefix: "a".repeat(256) });
  workersKvStore(anything as unknown as WorkersKv, { prefix: "é".repeat(128) });
});

Deno.test("something like a Map that cannot delete is no source of a store", () => {
  const source = { get() {}, set() {} } as unknown as Map<string, Uint8Array>;
  assertThrows(() => callbackStore(source), TypeError, '"delete"');
});

/** Runs with one store of each kind that needs no server. */
async function withEach(fn: (store: SessionStore, kind: string) => Promise<void>): Promise<void> {
  const { path, remove } = await temporaryFolder();
  const database = new DatabaseSync(":memory:");
  using kv = await Deno.openKv(":memory:");
  const stores = {
    memory: memoryStore(),
    Map: callbackStore(new Map()),
    file: fileStore(path),
    SQLite: sqliteStore(database),
    "Deno KV": denoKvStore(kv),
  };
  try {
    for (const [kind, store] of Object.entries(stores)) await fn(store, kind);
  } finally {
    database.close();
    await remove();
  }
}

const NO_PARTITIONS: unknown[] = [
  "",
  "x".repeat(97),
  "é",
  "a\u{1f600}",
  "\x80",
  1,
  null,
  undefined,
  {},
];

Deno.test("a partition that is not 1 to 96 ASCII characters is refused by every method", () =>
  withEach(async (store, kind) => {
    for (const partition of NO_PARTITIONS as string[]) {
      const calls = [
        () => store.put(partition, value("a"), living()),
        () => store.take(partition),
        () => store.peek(partition),
        () => store.delete(partition),
      ];
      for (const call of calls) {
        const { message } = await assertRejects(call, TypeError);
        assertStringIncludes(message, '"partition"', kind);
      }
    }
  }));

Deno.test("times are taken up to 400 days from now, and not beyond", () =>
  withEach(async (store, kind) => {
    const latest = Date.now() + MAX_LIFETIME_MS;
    await store.put("a", value("a"), { expiresAt: latest, limit: 1 });
    assertEquals(await drain(store, "a"), ["a"], kind);
    for (const expiresAt of [latest + 60_000, 8.64e15, Number.MAX_SAFE_INTEGER, -1]) {
      const put = () => store.put("a", value("a"), { expiresAt, limit: 1 });
      const { message } = await assertRejects(put, TypeError);
      assertStringIncludes(message, '"expiresAt"', kind);
    }
    assertEquals(await store.take("a"), null, kind);
  }));

Deno.test("a limit without end, or beyond 1,024, is 1,024", () =>
  withEach(async (store, kind) => {
    if (kind === "Map") return;
    // So many that the file store does not list a thousand files a thousand times.
    const names = Array.from({ length: kind === "memory" ? MAX_VALUES + 6 : 12 }, (_, i) => `${i}`);
    for (const limit of [Infinity, 1e15]) {
      await putAll(store, "a", names, limit);
      assertEquals(await drain(store, "a"), names.slice(-MAX_VALUES).reverse(), kind);
    }
  }));

Deno.test("what a Map has is checked: no value goes out that is none, and none is in the way", async () => {
  const detached = value("detached");
  structuredClone(detached.buffer, { transfer: [detached.buffer as ArrayBuffer] });
  const lies = ["text", 1, {}, [1, 2], detached, new Uint8Array(MAX_VALUE_BYTES + 1)];
  for (const [i, lie] of lies.entries()) {
    const map = new Map<string, unknown>([["a", lie]]);
    const store = callbackStore(map as Map<string, Uint8Array>);
    await assertRejects(() => store.peek("a"), Error, undefined, `${i}`);
    await assertRejects(() => store.take("a"), Error, undefined, `${i}`);
    assertEquals(map.size, 0, `${i}`);
    await store.put("a", value("a"), living());
    assertEquals(await drain(store, "a"), ["a"]);
  }
});

Deno.test("every store takes whatever is sealed", () => {
  assertEquals(MAX_ENVELOPE <= MAX_VALUE_BYTES, true);
});

/** Guards: every option of stores, and what they are made over, times every kind of value. */

import { assertEquals, assertThrows } from "@std/assert";
import { callbackStore, memoryStore, type MemoryStoreOptions } from "../../mod.ts";
import { type DenoKv, denoKvStore, type DenoKvStoreOptions } from "../../src/stores/deno_kv.ts";
import { durableObjectKeyRing, durableObjectStore } from "../../src/stores/durable_object.ts";
import { fileStore } from "../../src/stores/file.ts";
import {
  type NodeRedisClient,
  redisStore,
  type RedisStoreOptions,
} from "../../src/stores/redis.ts";
import {
  type SqliteDatabase,
  sqliteStore,
  type SqliteStoreOptions,
} from "../../src/stores/sqlite.ts";
import {
  type WorkersKv,
  workersKvStore,
  type WorkersKvStoreOptions,
} from "../../src/stores/workers_kv.ts";
import { type Kind, KIND_NAMES, KINDS, STRINGS } from "./kinds.ts";
import { type Row, type Rows, testTable, testWhole } from "./table.ts";

/** What a store is made over, if it comes to that. */
const anything = {
  atomic() {},
  eval() {},
  prepare: () => ({ run() {}, all: () => [] }),
  getWithMetadata() {},
  list() {},
} as unknown as DenoKv & NodeRedisClient & SqliteDatabase & WorkersKv;

const NOTHING: Kind[] = ["undefined", "an object", "an object without a prototype"];
const prefix: Row<object> = { accepts: ["an empty string", ...STRINGS] };

const memory = (options?: MemoryStoreOptions) => memoryStore(options);
testTable<MemoryStoreOptions>(
  "memoryStore()",
  { maxPartitions: { accepts: ["1"] } } satisfies Rows<MemoryStoreOptions>,
  memory,
);
testWhole(
  "memoryStore()",
  NOTHING,
  (options) => memory(options as object),
  /memoryStore\(\) options/,
);

const denoKv = (options?: DenoKvStoreOptions) => denoKvStore(anything, options);
testTable<DenoKvStoreOptions>(
  "denoKvStore()",
  { prefix: { accepts: ["an array of a string"] } } satisfies Rows<DenoKvStoreOptions>,
  denoKv,
);
testTable<DenoKvStoreOptions>(
  "denoKvStore()",
  {
    "prefix[0]": {
      accepts: STRINGS,
      needed: true,
      put: (value) => ({ prefix: [value] }),
      called: "prefix",
    },
  },
  denoKv,
);
testWhole(
  "denoKvStore()",
  NOTHING,
  (options) => denoKv(options as object),
  /denoKvStore\(\) options/,
);

const redis = (options?: RedisStoreOptions) => redisStore(anything, options);
testTable<RedisStoreOptions>("redisStore()", { prefix } satisfies Rows<RedisStoreOptions>, redis);
testWhole("redisStore()", NOTHING, (options) => redis(options as object), /redisStore\(\) options/);

const workersKv = (options?: WorkersKvStoreOptions) => workersKvStore(anything, options);
testTable<WorkersKvStoreOptions>(
  "workersKvStore()",
  { prefix } satisfies Rows<WorkersKvStoreOptions>,
  workersKv,
);
testWhole(
  "workersKvStore()",
  NOTHING,
  (options) => workersKv(options as object),
  /workersKvStore\(\) options/,
);

const sqlite = (options?: SqliteStoreOptions) => sqliteStore(anything, options);
testTable<SqliteStoreOptions>(
  "sqliteStore()",
  { table: { accepts: ["a string"] } } satisfies Rows<SqliteStoreOptions>,
  sqlite,
);
testWhole(
  "sqliteStore()",
  NOTHING,
  (options) => sqlite(options as object),
  /sqliteStore\(\) options/,
);

/** What each store is made over, and which kinds of the table are that. */
const OVER: [store: string, argument: string, accepts: Kind[], make: (over: never) => unknown][] = [
  ["denoKvStore()", "kv", [], (over) => denoKvStore(over)],
  ["redisStore()", "client", [], (over) => redisStore(over)],
  ["sqliteStore()", "database", [], (over) => sqliteStore(over)],
  ["workersKvStore()", "kv", [], (over) => workersKvStore(over)],
  ["durableObjectStore()", "namespace", [], (over) => durableObjectStore(over)],
  ["durableObjectKeyRing()", "namespace", [], (over) => durableObjectKeyRing(over)],
  ["callbackStore()", "source", ["a Map", "Headers"], (over) => callbackStore(over)],
  ["fileStore()", "folder", [
    "a string",
    "a string of digits",
    "a string of 70,000 characters",
    "a string with a lone surrogate",
  ], (over) => fileStore(over)],
];

for (const [store, argument, accepts, make] of OVER) {
  Deno.test(`${store} is made over what it is for, and names the argument that is not`, () => {
    for (const kind of KIND_NAMES) {
      if (accepts.includes(kind)) {
        make(KINDS[kind]() as never);
        continue;
      }
      const error = assertThrows(
        () => make(KINDS[kind]() as never),
        TypeError,
        `"${argument}"`,
        kind,
      );
      assertEquals(error.constructor, TypeError, kind);
    }
  });
}

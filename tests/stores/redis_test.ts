/**
 * Redis, by the clients `redis` and `ioredis`, against redis-server: the contract, and what is in
 * the database.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createClient, Redis, RESP_TYPES } from "./redis_clients.ts";
import { MAX_LIFETIME_MS, MAX_PASSED_OVER, MAX_VALUE_BYTES } from "../../src/stores/bounds.ts";
import { type NodeRedisClient, redisStore } from "../../src/stores/redis.ts";
import { needs } from "../skips.ts";
import { drain, living, name, partition, putAll, value } from "./contract_values.ts";
import { type RedisServer, startRedis } from "./redis_server.ts";
import { testContract } from "./register.ts";

const redis = needs("redis");
let server: RedisServer;
Deno.test.beforeAll(async () => {
  if (!redis.ignore) server = await startRedis();
});
Deno.test.afterAll(async () => await server?.[Symbol.asyncDispose]());

async function nodeRedis() {
  const client = createClient({ url: `redis://127.0.0.1:${server.port}` });
  await client.connect();
  return client;
}

function ioRedis(): Redis {
  return new Redis(server.port, "127.0.0.1");
}

testContract("redis", async () => {
  const client = await nodeRedis();
  return { store: redisStore(client), close: () => client.close() };
}, redis);

testContract("redis with Buffers", async () => {
  const client = await nodeRedis();
  const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  return { store: redisStore(binary), close: () => client.close() };
}, redis);

testContract("ioredis", () => {
  const client = ioRedis();
  const close = async () => {
    await client.quit();
  };
  return Promise.resolve({ store: redisStore(client), close });
}, redis);

Deno.test("redis: both clients see the same sessions", redis, async () => {
  const [one, two] = [await nodeRedis(), ioRedis()];
  const own = partition();
  await putAll(redisStore(one), own, [1, 2]);
  assertEquals(await drain(redisStore(two), own), ["2", "1"]);
  await one.close();
  await two.quit();
});

Deno.test("redis: a key has the prefix, and goes with its last value", redis, async () => {
  const client = ioRedis();
  const store = redisStore(client, { prefix: "mine:" });
  const own = partition();
  const soon = { expiresAt: Date.now() + 60_000, limit: 4 };
  await store.put(own, value("a"), soon);
  const key = `mine:${own}`;
  assert(await client.pttl(key) <= 60_000 && await client.pttl(key) > 0);
  await store.put(own, value("b"), living());
  assert(await client.pttl(key) > 60_000, "as long as the one that lives longest");
  await store.put(own, value("c"), soon);
  assert(await client.pttl(key) > 60_000, "a shorter one takes nothing away");
  await drain(store, own);
  assertEquals(await client.exists(key), 0);
  await client.quit();
});

Deno.test("redis: what was put after its end leaves nothing behind", redis, async () => {
  const client = ioRedis();
  const own = partition();
  await redisStore(client).put(own, value("a"), { expiresAt: Date.now() - 1, limit: 4 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(await client.exists(`reprise:${own}`), 0);
  await client.quit();
});

Deno.test("redis: foreign entries are passed over", redis, async () => {
  const client = ioRedis();
  const own = partition();
  const store = redisStore(client);
  await store.put(own, value("a"), living());
  await client.lpush(`reprise:${own}`, "foreign", "x:y", ":", "");
  assertEquals(name(await store.peek(own)), "a");
  assertEquals(await drain(store, own), ["a"]);
  await client.set(`reprise:${own}`, "a string");
  await assertRejects(() => store.take(own), Error, "WRONGTYPE");
  await store.delete(own);
  assertEquals(await store.take(own), null);
  await client.quit();
});

/** Entries whose time is still to come, or seems so, and that are no values of ours. */
function foreignEntries(): string[] {
  const soon = Date.now() + 600_000;
  const tooLarge = "A".repeat(4 * Math.ceil((MAX_VALUE_BYTES + 3) / 3));
  return [
    `${soon}:not base64!`,
    `${soon}:YWJ`,
    `${soon}:=`,
    `${soon}:YQ==YQ==`,
    `${soon}: YQ==`,
    `${soon}:YQ==\n`,
    `${soon}:${tooLarge}`,
    `${soon}`,
    `-${soon}:YQ==`,
    `${soon}.5:YQ==`,
    ` ${soon}:YQ==`,
    "inf:YQ==",
    "nan:YQ==",
    "1e300:YQ==",
    "0x7fffffffffff:YQ==",
    "9".repeat(400) + ":YQ==",
    `${soon + MAX_LIFETIME_MS}:YQ==`,
  ];
}

Deno.test(
  "redis: an entry that is no value of ours never leaves Redis, and goes",
  redis,
  async () => {
    const client = ioRedis();
    const store = redisStore(client);
    for (const foreign of foreignEntries()) {
      const own = partition();
      const key = `reprise:${own}`;
      const told = foreign.slice(0, 40);
      await store.put(own, value("a"), living());
      await client.lpush(key, foreign, foreign);
      assertEquals(name(await store.peek(own)), "a", told);
      assertEquals(await client.llen(key), 1, told);
      await client.lpush(key, foreign);
      assertEquals(await drain(store, own), ["a"], told);
      assertEquals(await client.exists(key), 0, told);
    }
    await client.quit();
  },
);

Deno.test(
  "redis: a call looks at 256 entries at most, and leaves fewer to the next one",
  redis,
  async () => {
    const client = ioRedis();
    const store = redisStore(client);
    for (const operation of ["peek", "take"] as const) {
      const own = partition();
      const key = `reprise:${own}`;
      await store.put(own, value("below"), living());
      for (let i = 0; i < 100; i++) await client.lpush(key, ...Array(1000).fill("1:YQ=="));
      assertEquals(await store[operation](own), null);
      assertEquals(await client.llen(key), 100_001 - MAX_PASSED_OVER);
      // What is put is the newest, and makes the list as short as it is to be.
      await store.put(own, value("ours"), living(4));
      assertEquals(await client.llen(key), 4);
      assertEquals(await drain(store, own), ["ours"]);
    }
    await client.quit();
  },
);

Deno.test("redis: what others left below is reached in the end", redis, async () => {
  const client = ioRedis();
  const store = redisStore(client);
  const own = partition();
  await store.put(own, value("below"), living());
  await client.lpush(`reprise:${own}`, ...Array(3 * MAX_PASSED_OVER).fill("1:YQ=="));
  const seen = [];
  for (let i = 0; i < 4; i++) seen.push(name(await store.peek(own)));
  assertEquals(seen, [null, null, null, "below"]);
  await client.quit();
});

Deno.test("redis: no key of the store stays for ever", redis, async () => {
  const client = ioRedis();
  const store = redisStore(client);
  const own = partition();
  const key = `reprise:${own}`;
  await store.put(own, value("a"), { expiresAt: Date.now() + MAX_LIFETIME_MS, limit: 4 });
  const longest = await client.pttl(key);
  assert(longest > MAX_LIFETIME_MS - 60_000 && longest <= MAX_LIFETIME_MS, `${longest}`);
  for (const spoil of [["PERSIST", key], ["PEXPIRE", key, `${1e15}`]]) {
    await client.call(spoil[0], ...spoil.slice(1));
    await store.put(own, value("b"), living());
    const left = await client.pttl(key);
    assert(left > 0 && left <= MAX_LIFETIME_MS, `${left}`);
  }
  // Refused before anything is sent: the script would push before it finds out.
  for (const expiresAt of [Infinity, NaN, 1e300]) {
    const other = partition();
    await assertRejects(() => store.put(other, value("a"), { expiresAt, limit: 4 }), TypeError);
    assertEquals(await client.exists(`reprise:${other}`), 0);
  }
  await client.quit();
});

Deno.test("redis: a reply that is neither text nor bytes rejects", async () => {
  for (const reply of [1, true, {}, ["YQ=="], [1, 2]]) {
    const store = redisStore({ eval: () => Promise.resolve(reply) });
    await assertRejects(() => store.take("a"), Error, "must reply with a string or bytes");
  }
});

Deno.test("redis: a connection that is gone rejects", redis, async () => {
  const client = ioRedis();
  const store = redisStore(client);
  await store.put("a", value("a"), living());
  client.disconnect();
  await assertRejects(() => store.take("a"));
  await assertRejects(() => store.put("a", value("a"), living()));
});

for (const client of [null, undefined, {}, "redis://localhost"]) {
  Deno.test(`redis: ${JSON.stringify(client)} is refused`, () => {
    assertThrows(() => redisStore(client as unknown as NodeRedisClient), TypeError, "client");
  });
}

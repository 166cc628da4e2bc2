/**
 * Redis, by the clients `redis` and `ioredis`, against redis-server: the contract, and what is in
 * the database.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createClient, Redis, RESP_TYPES } from "./redis_clients.ts";
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

/**
 * Who owns the store: values changed, cut, spliced, swapped between servers, contexts and
 * partitions, or put back after their use. Always a full handshake, with the reason.
 */

import { assert, assertEquals } from "@std/assert";
import { ClientEngine } from "../../src/client_engine.ts";
import { ENVELOPE_OVERHEAD } from "../../src/envelope.ts";
import { movedClock } from "../interop/clock.ts";
import { VERSIONS } from "../server/client.ts";
import { full, makePool, outcome, RESUMED, startServer, type TestPool } from "./pool.ts";

/** Before it: the version and the key's id. */
const SALT = 17;

/** A pool with sessions of one server, and the place and value of the newest. */
async function stored(
  version: typeof VERSIONS[number],
): Promise<TestPool & { partition: string; value: Uint8Array }> {
  await using server = await startServer({ maxVersion: version });
  const pool = await makePool();
  await outcome(server, pool.context);
  const [[partition, value]] = pool.store.values;
  return { ...pool, partition, value };
}

/** What the pool makes of a value in that place; without a server. */
async function missOf(pool: TestPool & { partition: string }, value: Uint8Array): Promise<string> {
  pool.store.lookup((partition) => Promise.resolve(partition === pool.partition ? value : null));
  const target = { context: pool.context, serverName: "localhost", port: 443 };
  const client = await ClientEngine.begin(target);
  client.connection.free();
  return client.sessionMiss!;
}

/** The reason that a change of one byte has to have. */
function expected(index: number): string {
  if (index === 0) return "version";
  return index < SALT ? "wrong_key" : "tampered";
}

for (const version of VERSIONS) {
  Deno.test(`every bit of a stored value counts, ${version}`, async () => {
    const pool = await stored(version);
    const step = Math.max(1, Math.floor(pool.value.length / 300));
    for (let index = 0; index < pool.value.length; index += index < 80 ? 1 : step) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = pool.value.with(index, pool.value[index] ^ 1 << bit);
        assertEquals(await missOf(pool, changed), expected(index), `bit ${bit} of byte ${index}`);
      }
    }
  });

  Deno.test(`a stored value that was cut, at either end, or made longer is tampered, ${version}`, async () => {
    const pool = await stored(version);
    const { value } = pool;
    for (let length = 0; length < value.length; length += length < 100 ? 1 : 7) {
      assertEquals(await missOf(pool, value.subarray(0, length)), "tampered", `${length} bytes`);
    }
    assertEquals(await missOf(pool, new Uint8Array([...value, 0])), "tampered");
    for (const start of [1, 2, 17, 49, value.length - 1]) {
      const miss = await missOf(pool, value.subarray(start));
      assert(["tampered", "version", "wrong_key"].includes(miss), miss);
    }
  });

  Deno.test(`two stored values spliced anywhere are tampered, ${version}`, async () => {
    const one = await stored(version);
    const other = await stored(version);
    const length = Math.min(one.value.length, other.value.length);
    for (let at = SALT + 1; at < length; at += 13) {
      const spliced = new Uint8Array([...one.value.subarray(0, at), ...other.value.subarray(at)]);
      assertEquals(await missOf(one, spliced), "tampered", `at ${at}`);
    }
    // The salt of one with the ciphertext of the other.
    const mixed = one.value.slice();
    mixed.set(other.value.subarray(17, 49), 17);
    assertEquals(await missOf(one, mixed), "tampered");
    assert(one.value.length > ENVELOPE_OVERHEAD);
  });

  Deno.test(`a value in the place of another server, context or partition is tampered, ${version}`, async () => {
    await using server = await startServer({ maxVersion: version });
    const pool = await makePool();
    await outcome(server, pool.context);
    const [value] = pool.store.values.values();
    const { store } = pool;
    store.lookup(() => Promise.resolve(value));
    assertEquals(await outcome(server, pool.context, { hostname: "127.0.0.1" }), full("tampered"));
    assertEquals(
      await outcome(server, pool.context, { networkPartition: "other" }),
      full("tampered"),
    );
    assertEquals(
      await outcome(server, pool.context, { port: 444 }),
      full("tampered"),
    );
    for (const options of [{ alpnProtocols: ["h2"] }, { revocationEpoch: 1 }]) {
      const other = await makePool({ store }, options);
      assertEquals(await outcome(server, other.context), full("tampered"));
    }
    assertEquals(pool.context.stats().missReasons, { none_stored: 1, tampered: 3 });
  });

  Deno.test(`a value of one TLS version in the place of the other is tampered, ${version}`, async () => {
    const pool = await stored(version);
    pool.store.lookup((partition) =>
      Promise.resolve(partition === pool.partition ? null : pool.value)
    );
    await using server = await startServer();
    assertEquals(await outcome(server, pool.context), full("tampered"));
  });

  Deno.test(`a clock set back or far ahead costs a full handshake, ${version}`, async () => {
    for (
      const [seconds, reason] of [
        [-3600, "not_yet_valid"],
        [-10 * 365 * 86_400, "not_yet_valid"],
        [8 * 86_400, "expired"],
        [10 * 365 * 86_400, "expired"],
      ] as const
    ) {
      const pool = await stored(version);
      using clock = movedClock();
      clock.move(seconds);
      assertEquals(await missOf(pool, pool.value), reason, `${seconds} s`);
    }
  });
}

Deno.test("a used TLS 1.3 value that is put back is used_already, once and for good", async () => {
  await using server = await startServer({ tickets: 1 });
  const { context, store } = await makePool({ ticketsPerServer: 1 });
  await outcome(server, context);
  const [[partition, used]] = store.values;
  assertEquals(await outcome(server, context), RESUMED);
  const fresh = (await store.inner.take(partition))!;
  for (let i = 0; i < 3; i++) {
    store.on.take = () => Promise.resolve(used);
    assertEquals(await outcome(server, context), full("used_already"));
  }
  // Beside an unused one it is passed over.
  const values = [used, fresh];
  store.on.take = () => Promise.resolve(values.shift() ?? null);
  assertEquals(await outcome(server, context), RESUMED);
});

Deno.test("a used value that is put back is not offered where it was refused either", async () => {
  await using server = await startServer({ tickets: 1 });
  await using other = await startServer({ tickets: 1 });
  const { context, store } = await makePool({ ticketsPerServer: 1 });
  await outcome(server, context);
  const [used] = store.values.values();
  assertEquals(await outcome(other, context), full("declined_by_peer"));
  store.on.take = () => Promise.resolve(used);
  assertEquals(await outcome(server, context), full("used_already"));
});

/**
 * The contract of stores, one caller at a time: what is put is what comes back, in its order, no
 * longer than it may.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Case } from "./contract.ts";
import {
  assertBytes,
  drain,
  living,
  name,
  partition,
  putAll,
  value,
  waitUntil,
} from "./contract_values.ts";

/** How long what expires in a case lives. */
const SHORT_MS = 300;

/** Names that a careless store takes for one another, or for something else. */
function awkwardNames(): string[] {
  const own = partition().slice(0, 16);
  const printable = String.fromCharCode(...Array.from({ length: 95 }, (_, i) => 32 + i));
  const control = String.fromCharCode(...Array.from({ length: 32 }, (_, i) => i), 127);
  const long = own.padEnd(95, "x");
  return [
    own,
    `${own}a`,
    `${own}A`,
    `${own}/a`,
    `${own}/../a`,
    `../${own}`,
    `${own}:a`,
    `${own}%61`,
    `${own} `,
    `${own}.`,
    `${own}\0`,
    `${own}*`,
    `${own}?`,
    `${own}_`,
    `{${own}}a`,
    printable,
    control,
    `${long}x`,
    `${long}y`,
    ".",
    "..",
    "__proto__",
  ];
}

/** One caller at a time. */
export const dataCases: readonly Case[] = [
  {
    name: "a partition that was never used holds nothing",
    async fn(store) {
      const unknown = partition();
      assert.equal(await store.take(unknown), null);
      assert.equal(await store.peek(unknown), null);
      await store.delete(unknown);
      assert.equal(await store.take(unknown), null);
    },
  },
  {
    name: "take returns what was put, once",
    async fn(store) {
      const own = partition();
      await store.put(own, value("a"), living());
      assert.equal(name(await store.take(own)), "a");
      assert.equal(await store.take(own), null);
      assert.equal(await store.peek(own), null);
    },
  },
  {
    name: "peek returns what was put, and leaves it",
    async fn(store) {
      const own = partition();
      await store.put(own, value("a"), living());
      assert.equal(name(await store.peek(own)), "a");
      assert.equal(name(await store.peek(own)), "a");
      assert.equal(name(await store.take(own)), "a");
    },
  },
  {
    name: "what was taken may be put again",
    async fn(store) {
      const own = partition();
      for (let i = 0; i < 3; i++) {
        await store.put(own, value("a"), living());
        assert.equal(name(await store.take(own)), "a");
        assert.equal(await store.take(own), null);
      }
    },
  },
  {
    name: "the newest of a partition comes first",
    needs: ["several"],
    async fn(store) {
      const own = partition();
      await putAll(store, own, [1, 2, 3, 4, 5, 6, 7, 8]);
      assert.equal(name(await store.peek(own)), "8");
      assert.deepEqual(await drain(store, own), ["8", "7", "6", "5", "4", "3", "2", "1"]);
    },
  },
  {
    name: "a put after a take is the newest",
    needs: ["several"],
    async fn(store) {
      const own = partition();
      await putAll(store, own, [1, 2, 3], 8);
      assert.equal(name(await store.take(own)), "3");
      await putAll(store, own, [4], 8);
      assert.deepEqual(await drain(store, own), ["4", "2", "1"]);
    },
  },
  {
    name: "a partition holds as many values as its limit, the newest",
    needs: ["several"],
    async fn(store) {
      const own = partition();
      await putAll(store, own, [1, 2, 3, 4, 5, 6, 7], 4);
      assert.deepEqual(await drain(store, own), ["7", "6", "5", "4"]);
    },
  },
  {
    name: "a lower limit holds from the next put on",
    needs: ["several"],
    async fn(store) {
      const own = partition();
      await putAll(store, own, [1, 2, 3, 4], 4);
      await putAll(store, own, [5], 2);
      assert.deepEqual(await drain(store, own), ["5", "4"]);
    },
  },
  {
    name: "with a limit of one a put replaces",
    async fn(store) {
      const own = partition();
      await putAll(store, own, [1, 2, 3], 1);
      assert.equal(name(await store.peek(own)), "3");
      assert.deepEqual(await drain(store, own), ["3"]);
    },
  },
  {
    name: "delete removes a partition's values and no others",
    async fn(store) {
      const [own, other] = [partition(), partition()];
      await putAll(store, own, [1, 2], 2);
      await putAll(store, other, [3], 2);
      await store.delete(own);
      assert.equal(await store.peek(own), null);
      assert.equal(await store.take(own), null);
      assert.equal(name(await store.take(other)), "3");
    },
  },
  {
    name: "partitions are apart, whatever ASCII is in their names",
    async fn(store) {
      const names = awkwardNames();
      for (const each of names) await store.delete(each);
      for (const [i, each] of names.entries()) await store.put(each, value(i), living());
      for (const [i, each] of names.entries()) {
        assert.equal(name(await store.peek(each)), String(i), JSON.stringify(each));
      }
      for (const [i, each] of names.entries()) {
        assert.deepEqual(await drain(store, each), [String(i)], JSON.stringify(each));
      }
    },
  },
  {
    name: "values may be any bytes",
    async fn(store) {
      const own = partition();
      const all = Uint8Array.from({ length: 1024 }, (_, i) => i < 512 ? i : 255 - i);
      const texts = ["null", "0", '{"a":1}', "\0", "\r\n", "\ufeffx"];
      const values = [all, new Uint8Array(500), ...texts.map((t) => new TextEncoder().encode(t))];
      for (const each of values) {
        await store.put(own, each, living());
        assertBytes(await store.peek(own), each);
        assertBytes(await store.take(own), each);
      }
    },
  },
  {
    name: "a value may be empty",
    async fn(store) {
      const own = partition();
      await store.put(own, new Uint8Array(0), living());
      assertBytes(await store.peek(own), new Uint8Array(0));
      assertBytes(await store.take(own), new Uint8Array(0));
      assert.equal(await store.take(own), null);
    },
  },
  {
    name: "a value may be as large as the store says",
    async fn(store, largest) {
      const own = partition();
      const large = Uint8Array.from({ length: largest }, (_, i) => (i * 31 + (i >> 8)) & 255);
      await store.put(own, large, living());
      assertBytes(await store.peek(own), large);
      assertBytes(await store.take(own), large);
    },
  },
  {
    name: "a value may be a part of a larger buffer",
    async fn(store) {
      const own = partition();
      const whole = value("before middle after");
      const middle = whole.subarray(13, 19);
      await store.put(own, middle, living());
      assert.equal(new TextDecoder().decode(await store.take(own) ?? undefined), "middle");
    },
  },
  {
    name: "a value is copied: who changes its own later changes nothing",
    async fn(store) {
      const own = partition();
      const given = value("a");
      await store.put(own, given, living());
      given.fill(0);
      const peeked = await store.peek(own);
      assert.equal(name(peeked), "a");
      peeked!.fill(0);
      assert.equal(name(await store.peek(own)), "a");
      assert.equal(name(await store.take(own)), "a");
    },
  },
  {
    name: "a value may be a Buffer, whose slice is no copy",
    async fn(store) {
      const own = partition();
      const given = Buffer.from("value a");
      await store.put(own, given, living());
      given.fill(0);
      (await store.peek(own))!.fill(0);
      assert.equal(name(await store.take(own)), "a");
    },
  },
  {
    name: "what has expired is never returned",
    needs: ["expiry"],
    async fn(store) {
      const own = partition();
      const ttl = Math.max(SHORT_MS, store.capabilities.minTtl ?? 0);
      const expiresAt = Date.now() + ttl;
      await store.put(own, value("a"), { expiresAt, limit: 4 });
      await waitUntil(expiresAt);
      assert.equal(await store.peek(own), null);
      assert.equal(await store.take(own), null);
    },
  },
  {
    name: "what expires does not take with it what lives on",
    needs: ["expiry", "several"],
    async fn(store) {
      const own = partition();
      const ttl = Math.max(SHORT_MS, store.capabilities.minTtl ?? 0);
      const expiresAt = Date.now() + ttl;
      await store.put(own, value("older"), living());
      await store.put(own, value("newer"), { expiresAt, limit: 4 });
      await waitUntil(expiresAt);
      assert.equal(name(await store.peek(own)), "older");
      assert.deepEqual(await drain(store, own), ["older"]);
    },
  },
  {
    name: "what had expired before it was put is never returned",
    needs: ["expiry"],
    async fn(store) {
      if (store.capabilities.minTtl !== undefined) return;
      const own = partition();
      for (const expiresAt of [Date.now() - 1, Date.now() - 86_400_000, 0]) {
        await store.put(own, value("a"), { expiresAt, limit: 4 });
        assert.equal(await store.peek(own), null);
        assert.equal(await store.take(own), null);
      }
    },
  },
  {
    name: "a time may be a fraction of a millisecond",
    async fn(store) {
      const own = partition();
      await store.put(own, value("a"), { expiresAt: Date.now() + 600_000.25, limit: 1 });
      assert.equal(name(await store.take(own)), "a");
    },
  },
  {
    name: "purge leaves what has not expired",
    async fn(store) {
      const [own, other] = [partition(), partition()];
      const ttl = Math.max(SHORT_MS, store.capabilities.minTtl ?? 0);
      const expiresAt = Date.now() + ttl;
      await store.put(own, value("a"), { expiresAt, limit: 4 });
      await store.put(other, value("b"), living());
      await waitUntil(expiresAt);
      await store.purge?.();
      assert.equal(name(await store.peek(other)), "b");
      assert.deepEqual(await drain(store, other), ["b"]);
    },
  },
];

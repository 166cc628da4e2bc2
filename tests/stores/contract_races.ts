/**
 * The contract of stores under many callers: each value goes to one of them.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { SessionStore } from "../../src/session_store.ts";
import type { Case } from "./contract.ts";
import { drain, living, name, partition, putAll, value } from "./contract_values.ts";

const TAKERS = 50;

function times<T>(count: number, action: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => action(i)));
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i)).sort();
}

/** What `count` callers who take at once get together, sorted. */
export async function takeAtOnce(
  store: SessionStore,
  partition: string,
  count: number,
): Promise<string[]> {
  const taken = await times(count, async () => name(await store.take(partition)));
  return taken.filter((each) => each !== null).sort();
}

/** What befalls the calls of a store. */
export interface Faults {
  /** Milliseconds by which each call is held up at random, before and after; at most. */
  latency?: number;
  /** Which part of the calls is lost, before or after it was carried out; from 0 to 1. */
  loss?: number;
}

/** The store over a bad connection. */
export function faulty(store: SessionStore, { latency = 0, loss = 0 }: Faults): SessionStore {
  const pass = async () => {
    if (latency > 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * latency));
    if (Math.random() < loss / 2) throw new Error("The call was lost");
  };
  const around = async <T>(call: () => Promise<T>): Promise<T> => {
    await pass();
    const result = await call();
    await pass();
    return result;
  };
  return {
    capabilities: store.capabilities,
    put: (partition, value, options) => around(() => store.put(partition, value, options)),
    take: (partition) => around(() => store.take(partition)),
    peek: (partition) => around(() => store.peek(partition)),
    delete: (partition) => around(() => store.delete(partition)),
  };
}

/** Puts and takes in one partition at once; then each value was taken exactly once. */
async function putAndTake(store: SessionStore, count: number): Promise<void> {
  const own = partition();
  const taken: string[] = [];
  const take = async () => {
    const got = name(await store.take(own));
    if (got !== null) taken.push(got);
  };
  await times(count, async (i) => {
    await Promise.all([store.put(own, value(i), living(count)), take()]);
    await take();
  });
  taken.push(...await drain(store, own));
  assert.deepEqual(taken.sort(), numbers(count));
}

/** Many callers at once. */
export const raceCases: readonly Case[] = [
  {
    name: `of ${TAKERS} who take one value at once, one gets it`,
    needs: ["races"],
    async fn(store) {
      for (let round = 0; round < 5; round++) {
        const own = partition();
        await store.put(own, value(round), living());
        assert.deepEqual(await takeAtOnce(store, own, TAKERS), [String(round)]);
        assert.equal(await store.peek(own), null);
      }
    },
  },
  {
    name: `${TAKERS} who take ten values at once get each one once`,
    needs: ["races", "several"],
    async fn(store) {
      const own = partition();
      await putAll(store, own, numbers(10));
      assert.deepEqual(await takeAtOnce(store, own, TAKERS), numbers(10));
      assert.equal(await store.peek(own), null);
    },
  },
  {
    name: "as many as there are values get one each",
    needs: ["races", "several"],
    async fn(store) {
      const own = partition();
      await putAll(store, own, numbers(20));
      assert.deepEqual(await takeAtOnce(store, own, 20), numbers(20));
    },
  },
  {
    name: "puts and takes at once lose nothing and double nothing",
    needs: ["races", "several"],
    fn: (store) => putAndTake(store, 40),
  },
  {
    name: "puts and takes at once, held up at random, lose nothing and double nothing",
    needs: ["races", "several"],
    fn: (store) => putAndTake(faulty(store, { latency: 10 }), 40),
  },
  {
    name: "calls that are lost cost values, and double none",
    needs: ["races", "several"],
    async fn(store) {
      const own = partition();
      const lossy = faulty(store, { latency: 5, loss: 0.3 });
      const taken: string[] = [];
      await times(40, async (i) => {
        await lossy.put(own, value(i), living(40)).catch(() => {});
        const got = name(await lossy.take(own).catch(() => null));
        if (got !== null) taken.push(got);
      });
      taken.push(...await drain(store, own));
      assert.equal(new Set(taken).size, taken.length, `took ${taken}`);
      assert.ok(taken.every((each) => numbers(40).includes(each)), `took ${taken}`);
    },
  },
  {
    name: "puts at once keep the limit",
    needs: ["races", "several"],
    async fn(store) {
      const own = partition();
      await times(20, (i) => store.put(own, value(i), living(4)));
      const kept = await drain(store, own);
      assert.equal(kept.length, 4, `kept ${kept}`);
      assert.equal(new Set(kept).size, 4, `kept ${kept}`);
    },
  },
  {
    name: "a peek among takes sees a whole value or none",
    needs: ["races"],
    async fn(store) {
      const own = partition();
      for (let i = 0; i < 5; i++) {
        await store.put(own, value(i), living());
        const [seen] = await Promise.all([
          times(10, async () => name(await store.peek(own))),
          times(10, () => store.take(own)),
        ]);
        for (const each of seen) assert.ok(each === null || each === String(i), `saw ${each}`);
        assert.equal(await store.peek(own), null);
      }
    },
  },
  {
    name: "a delete among takes leaves nothing, and doubles nothing",
    needs: ["races", "several"],
    async fn(store) {
      const own = partition();
      await putAll(store, own, numbers(10));
      const [taken] = await Promise.all([takeAtOnce(store, own, 5), store.delete(own)]);
      assert.equal(new Set(taken).size, taken.length, `took ${taken}`);
      assert.equal(await store.take(own), null);
    },
  },
  {
    name: "many partitions at once do not get in each other's way",
    async fn(store) {
      const names = Array.from({ length: 40 }, partition);
      await times(40, (i) => store.put(names[i], value(i), living(1)));
      const got = await times(40, async (i) => name(await store.take(names[i])));
      assert.deepEqual(got.sort(), numbers(40));
    },
  },
];

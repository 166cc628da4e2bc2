/**
 * What every `SessionStore` has to do, as tests for any runner.
 *
 * Rules:
 * - It imports no test framework: `storeContract()` returns named cases, which a runner registers.
 * - Each case makes its own store and closes it, and works in partitions with random names: a store
 *   may hold whatever else it likes.
 * - What a kind of store cannot do is left out by name, and what it leaves out it must not promise.
 * - Nothing is timed; cases on expiry wait until the time has come.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { SessionStore } from "../../src/session_store.ts";
import { dataCases } from "./contract_data.ts";
import { raceCases } from "./contract_races.ts";
import { refusalCases } from "./contract_refusals.ts";

export { type Faults, faulty } from "./contract_races.ts";

/** A store to be tested, and what lets go of it. */
export interface StoreUnderTest {
  /** The store. */
  store: SessionStore;
  /** Ends what the store was made over. */
  close(): void | Promise<void>;
}

/**
 * What a store may do without: `races`, if `take` is not atomic; `several`, if it keeps one value
 * in a partition; `expiry`, if it leaves it to others to look at the time.
 */
export type Omission = "races" | "several" | "expiry";

/** Options of {@linkcode storeContract}. */
export interface StoreContractOptions {
  /** What this kind of store cannot do. */
  without?: readonly Omission[];
  /** The largest value to try, in bytes, where the store names no limit: 1 MiB by default. */
  largest?: number;
}

/** A test: it fails by rejecting. */
export interface StoreContractCase {
  /** What the store is expected to do. */
  name: string;
  /** Tries it. */
  fn(): Promise<void>;
}

/** A case before it has a store; `needs` is what leaves it out. */
export interface Case {
  /** What the store is expected to do. */
  name: string;
  /** What a store must not do without. */
  needs?: readonly Omission[];
  /** Tries it. */
  fn(store: SessionStore, largest: number): Promise<void>;
}

/**
 * The cases for one kind of store.
 *
 * @example
 * ```ts ignore
 * for (const { name, fn } of storeContract(openMyStore)) Deno.test(`my store: ${name}`, fn);
 * ```
 */
export function storeContract(
  makeStore: () => Promise<StoreUnderTest>,
  options: StoreContractOptions = {},
): StoreContractCase[] {
  const { without = [], largest = 1024 * 1024 } = options;
  const capabilities: Case = {
    name: "promises what it can do, and no more",
    fn(store) {
      const { capabilities } = store;
      assert.deepEqual({ ...store.capabilities }, { ...capabilities }, "says the same each time");
      const { atomicTake, consistency, minTtl = 0, maxValueBytes = Infinity } = capabilities;
      assert.equal(atomicTake, !without.includes("races"), "atomicTake and the cases left out");
      assert.ok(["strong", "eventual"].includes(consistency), `consistency is ${consistency}`);
      // No session lives longer (RFC 8446 §4.6.1).
      assert.ok(minTtl >= 0 && minTtl <= 7 * 86_400_000, `minTtl is ${minTtl}`);
      // The session of a server with a long chain of the client's, sealed.
      assert.ok(maxValueBytes >= 16 * 1024, `maxValueBytes is ${maxValueBytes}`);
      return Promise.resolve();
    },
  };
  return [capabilities, ...dataCases, ...refusalCases, ...raceCases]
    .filter(({ needs = [] }) => !needs.some((omission) => without.includes(omission)))
    .map(({ name, fn }) => ({
      name,
      async fn() {
        const { store, close } = await makeStore();
        try {
          const limit = store.capabilities.maxValueBytes ?? Infinity;
          await fn(store, Math.min(limit, largest));
        } finally {
          await close();
        }
      },
    }));
}

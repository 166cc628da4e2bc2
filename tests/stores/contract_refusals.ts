/**
 * The contract of stores, given what is wrong: it is refused, and nothing is stored, removed or
 * kept for ever.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { SessionStore } from "../../src/session_store.ts";
import type { Case } from "./contract.ts";
import { living, name, partition, value } from "./contract_values.ts";

/** A store that says that it takes more is not tried: the case would need the memory. */
const LARGEST_TRIED = 32 * 1024 * 1024;

/** What is no time. A store that took one would keep the value for ever, or fail half-way. */
const NO_TIMES = [NaN, Infinity, -Infinity, "tomorrow", {}, null, undefined];
/** What is no number of values. Taken as one, -1 is "all but the last" to Redis, and 0 "all". */
const NO_LIMITS = [0, -1, -Infinity, 1.5, NaN, "four", {}, null, undefined];

/** What is no value, or none any more. */
function noValues(): [what: string, given: unknown][] {
  const transferred = value("transferred");
  structuredClone(transferred.buffer, { transfer: [transferred.buffer as ArrayBuffer] });
  return [
    ["text", "text"],
    ["a number", 4],
    ["an array", [1, 2]],
    ["what looks like an array", { length: 3 }],
    ["an ArrayBuffer", new ArrayBuffer(4)],
    ["null", null],
    ["undefined", undefined],
    ["an array whose buffer was transferred", transferred],
  ];
}

/** Puts what is wrong beside a value that is there: it is refused, and that one stays alone. */
async function isRefused(
  store: SessionStore,
  what: string,
  given: unknown,
  options: object | null | undefined,
): Promise<void> {
  const own = partition();
  await store.put(own, value("there"), living());
  let put: Promise<void>;
  try {
    put = store.put(own, given as Uint8Array, options as ReturnType<typeof living>);
  } catch (error) {
    return assert.fail(`a put of ${what} throws, instead of rejecting: ${error}`);
  }
  await assert.rejects(put, `a put of ${what} is refused`);
  assert.equal(name(await store.peek(own)), "there", `after a put of ${what}`);
  assert.equal(name(await store.take(own)), "there", `after a put of ${what}`);
  assert.equal(await store.take(own), null, `after a put of ${what}`);
}

/** What is wrong is refused. */
export const refusalCases: readonly Case[] = [
  {
    name: "a time that is none is refused, and nothing is stored",
    async fn(store) {
      for (const expiresAt of NO_TIMES) {
        await isRefused(store, `expiresAt ${expiresAt}`, value("a"), { ...living(), expiresAt });
      }
    },
  },
  {
    name: "a limit that is none is refused, and nothing is stored or removed",
    async fn(store) {
      for (const limit of NO_LIMITS) {
        await isRefused(store, `limit ${limit}`, value("a"), { ...living(), limit });
      }
    },
  },
  {
    name: "a put without its options is refused, and nothing is stored",
    async fn(store) {
      for (const options of [undefined, null, {}]) {
        await isRefused(store, `a value with ${options}`, value("a"), options);
      }
    },
  },
  {
    name: "what is no Uint8Array, or has lost its buffer, is refused, and nothing is stored",
    async fn(store) {
      for (const [what, given] of noValues()) await isRefused(store, what, given, living());
    },
  },
  {
    name: "a value larger than the store says is refused, and nothing is stored",
    async fn(store) {
      const { maxValueBytes = Infinity } = store.capabilities;
      if (maxValueBytes > LARGEST_TRIED) return;
      for (const length of [maxValueBytes + 1, 2 * maxValueBytes]) {
        await isRefused(store, `${length} bytes`, new Uint8Array(length), living());
      }
    },
  },
];

/**
 * A store in Workers KV. It is eventually consistent: a value may be seen for a minute after it
 * was removed, so `take` has not always one winner, and early data is off.
 *
 * ```text
 * PREFIX PARTITION "/" SEQUENCE     the value, with its expiry as metadata
 * ```
 * KV keeps nothing for less than a minute, so the expiry is checked.
 *
 * Rule: each call to KV counts against what a request of a Worker may do (50 or 1,000), so a
 * partition has one page of names, and few of them are looked at or removed in one go. What is not
 * removed expires by itself.
 *
 * @module
 */

import { badOption } from "../option_errors.ts";
import { checkText, hasMethods } from "../options.ts";
import { type KnownOptions, readOptions } from "../read_options.ts";
import type { PutOptions, SessionStore } from "../session_store.ts";
import { isValue, lives, MAX_VALUE_BYTES } from "./bounds.ts";
import { plainName } from "./plain_name.ts";
import { checkPartition, checkPut } from "./put_options.ts";
import { sequence } from "./sequence.ts";

/** What is used of a KV namespace. */
export interface WorkersKv {
  /** The value of a key. */
  getWithMetadata(
    key: string,
    type: "arrayBuffer",
  ): Promise<{ value: ArrayBuffer | null; metadata: unknown }>;
  /** Keeps a value. */
  put(
    key: string,
    value: Uint8Array,
    options: { expiration: number; metadata: { expiresAt: number } },
  ): Promise<void>;
  /** Removes a key. */
  delete(key: string): Promise<void>;
  /** Keys in their order, 1,000 at most. */
  list(options: { prefix: string; limit?: number }): Promise<{ keys: { name: string }[] }>;
}

/** KV refuses less than 60 seconds, by its own clock. */
const MIN_TTL_MS = 61_000;
/** One page of names. */
const MAX_NAMES = 1000;
/** Names whose value one call looks at, or removes. */
const MOST_AT_ONCE = 16;
/** Keys have 512 bytes at most, of which the rest of ours takes up to 227. */
const MAX_PREFIX_BYTES = 256;

/** Options of {@linkcode workersKvStore}. */
export interface WorkersKvStoreOptions {
  /** What keys start with, `"reprise/"` by default; 256 bytes of UTF-8 at most. */
  prefix?: string;
}

const OPTIONS = { prefix: "anywhere" } as const satisfies KnownOptions<WorkersKvStoreOptions>;

/**
 * Keeps sessions in a KV namespace.
 *
 * @throws {TypeError} on what is no namespace, and on a bad or unknown option.
 *
 * @example
 * ```ts ignore
 * const context = new ClientContext({ resumption: { store: workersKvStore(env.SESSIONS), keys } });
 * ```
 */
export function workersKvStore(kv: WorkersKv, options: WorkersKvStoreOptions = {}): SessionStore {
  if (!hasMethods('Argument "kv"', kv, "getWithMetadata", "list")) {
    badOption("kv", "a KV namespace", kv, "Argument");
  }
  const { prefix: given = "reprise/" } = readOptions(options, OPTIONS, "workersKvStore() options");
  const prefix = checkText("prefix", given, MAX_PREFIX_BYTES);

  const folder = (partition: string) => `${prefix}${plainName(partition)}/`;

  async function newestFirst(partition: string): Promise<string[]> {
    const { keys } = await kv.list({ prefix: folder(partition), limit: MAX_NAMES });
    return keys.slice(0, MAX_NAMES).map(({ name }) => name).reverse();
  }

  async function read(name: string): Promise<Uint8Array | null> {
    const { value, metadata } = await kv.getWithMetadata(name, "arrayBuffer");
    const { expiresAt } = (metadata ?? {}) as { expiresAt?: unknown };
    if (value === null || !lives(expiresAt)) return null;
    const bytes = new Uint8Array(value);
    return isValue(bytes) ? bytes : null;
  }

  return {
    capabilities: { atomicTake: false, consistency: "eventual", maxValueBytes: MAX_VALUE_BYTES },
    async put(partition: string, given: Uint8Array, options: PutOptions) {
      const { value, expiresAt, limit } = checkPut(partition, given, options);
      const name = folder(partition) + sequence();
      const expiration = Math.ceil(Math.max(expiresAt, Date.now() + MIN_TTL_MS) / 1000);
      await kv.put(name, value, { expiration, metadata: { expiresAt } });
      const over = (await newestFirst(partition)).slice(limit);
      for (const old of over.slice(-MOST_AT_ONCE)) await kv.delete(old);
    },
    async take(partition: string) {
      for (const name of (await newestFirst(checkPartition(partition))).slice(0, MOST_AT_ONCE)) {
        const value = await read(name);
        await kv.delete(name);
        if (value !== null) return value;
      }
      return null;
    },
    async peek(partition: string) {
      for (const name of (await newestFirst(checkPartition(partition))).slice(0, MOST_AT_ONCE)) {
        const value = await read(name);
        if (value !== null) return value;
      }
      return null;
    },
    async delete(partition: string) {
      for (const name of await newestFirst(checkPartition(partition))) await kv.delete(name);
    },
  };
}

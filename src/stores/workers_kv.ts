/**
 * A store in Workers KV. It is eventually consistent: a value may be seen for a minute after it
 * was removed, so `take` has not always one winner, and early data is off.
 *
 * ```text
 * PREFIX PARTITION "/" SEQUENCE     the value, with its expiry as metadata
 * ```
 * KV keeps nothing for less than a minute, so the expiry is checked.
 *
 * @module
 */

import type { PutOptions, SessionStore } from "../session_store.ts";
import { plainName } from "./plain_name.ts";
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
  /** Keys in their order. */
  list(options: { prefix: string }): Promise<{ keys: { name: string }[] }>;
}

/** KV refuses less than 60 seconds, by its own clock. */
const MIN_TTL_MS = 61_000;

/** Options of {@linkcode workersKvStore}. */
export interface WorkersKvStoreOptions {
  /** What keys start with; `"reprise/"` by default. */
  prefix?: string;
}

/**
 * Keeps sessions in a KV namespace.
 *
 * @example
 * ```ts ignore
 * const context = new ClientContext({ resumption: { store: workersKvStore(env.SESSIONS), keys } });
 * ```
 */
export function workersKvStore(kv: WorkersKv, options: WorkersKvStoreOptions = {}): SessionStore {
  if (typeof kv?.getWithMetadata !== "function" || typeof kv.list !== "function") {
    throw new TypeError('Argument "kv" must be a KV namespace');
  }
  const { prefix = "reprise/" } = options;

  const folder = (partition: string) => `${prefix}${plainName(partition)}/`;

  /** At most 1,000 names: more than any partition's limit. */
  async function newestFirst(partition: string): Promise<string[]> {
    const { keys } = await kv.list({ prefix: folder(partition) });
    return keys.map(({ name }) => name).reverse();
  }

  async function read(name: string): Promise<Uint8Array | null> {
    const { value, metadata } = await kv.getWithMetadata(name, "arrayBuffer");
    const expiresAt = (metadata as { expiresAt?: number } | null)?.expiresAt ?? 0;
    return value === null || expiresAt <= Date.now() ? null : new Uint8Array(value);
  }

  return {
    capabilities: {
      atomicTake: false,
      consistency: "eventual",
      maxValueBytes: 25 * 1024 * 1024,
    },
    async put(partition: string, value: Uint8Array, { expiresAt, limit }: PutOptions) {
      const name = folder(partition) + sequence();
      const expiration = Math.ceil(Math.max(expiresAt, Date.now() + MIN_TTL_MS) / 1000);
      await kv.put(name, value, { expiration, metadata: { expiresAt } });
      const names = await newestFirst(partition);
      for (const old of names.slice(Math.min(limit, names.length))) await kv.delete(old);
    },
    async take(partition: string) {
      for (const name of await newestFirst(partition)) {
        const value = await read(name);
        await kv.delete(name);
        if (value !== null) return value;
      }
      return null;
    },
    async peek(partition: string) {
      for (const name of await newestFirst(partition)) {
        const value = await read(name);
        if (value !== null) return value;
      }
      return null;
    },
    async delete(partition: string) {
      for (const name of await newestFirst(partition)) await kv.delete(name);
    },
  };
}

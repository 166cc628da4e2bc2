/**
 * A store in this process's memory: least recently used first out.
 *
 * @module
 */

import { checkInteger } from "../options.ts";
import { type KnownOptions, readOptions } from "../read_options.ts";
import type { PutOptions, SessionStore } from "../session_store.ts";
import { MAX_VALUE_BYTES } from "./bounds.ts";
import { checkPartition, checkPut } from "./put_options.ts";

/** Options of {@linkcode memoryStore}. */
export interface MemoryStoreOptions {
  /**
   * How many partitions are kept, 1,024 by default and 10,000,000 at most; the one not used for
   * longest goes first.
   */
  maxPartitions?: number;
}

const OPTIONS = {
  maxPartitions: "anywhere",
} as const satisfies KnownOptions<MemoryStoreOptions>;

const MOST_PARTITIONS = 10_000_000;

interface Entry {
  value: Uint8Array;
  expiresAt: number;
}

/**
 * Keeps sessions in this process. They are gone when it ends; early data is refused for a while
 * after it starts (RFC 8446 §8.2).
 *
 * @throws {TypeError} on a bad or unknown option.
 *
 * @example
 * ```ts
 * import { memoryStore } from "@reprise/tls";
 *
 * const store = memoryStore({ maxPartitions: 100 });
 * await store.put("a", new Uint8Array([1]), { expiresAt: Date.now() + 60_000, limit: 4 });
 * console.assert((await store.take("a"))?.[0] === 1);
 * console.assert((await store.take("a")) === null);
 * ```
 */
export function memoryStore(options: MemoryStoreOptions = {}): SessionStore {
  const { maxPartitions: most = 1024 } = readOptions(options, OPTIONS, "memoryStore() options");
  const maxPartitions = checkInteger("maxPartitions", most, 1, MOST_PARTITIONS);
  // A Map iterates in the order of insertion: the front is what was not used for longest.
  const partitions = new Map<string, Entry[]>();

  function live(partition: string): Entry[] {
    const entries = partitions.get(partition) ?? [];
    const now = Date.now();
    return entries.filter((entry) => entry.expiresAt > now);
  }

  function keep(partition: string, entries: Entry[]): void {
    partitions.delete(partition);
    if (entries.length === 0) return;
    partitions.set(partition, entries);
    if (partitions.size > maxPartitions) {
      const [oldest] = partitions.keys();
      partitions.delete(oldest);
    }
  }

  // Asynchronous, so that a bad argument rejects, as it does in other stores.
  // deno-lint-ignore require-await
  async function put(partition: string, given: Uint8Array, options: PutOptions): Promise<void> {
    const { value, expiresAt, limit } = checkPut(partition, given, options);
    const entries = [...live(partition), { value, expiresAt }];
    keep(partition, entries.slice(-limit));
  }

  // deno-lint-ignore require-await
  async function take(partition: string): Promise<Uint8Array | null> {
    const entries = live(checkPartition(partition));
    const newest = entries.pop();
    keep(partition, entries);
    return newest?.value ?? null;
  }

  // deno-lint-ignore require-await
  async function peek(partition: string): Promise<Uint8Array | null> {
    const entries = live(checkPartition(partition));
    keep(partition, entries);
    return entries.at(-1)?.value.slice() ?? null;
  }

  return {
    capabilities: {
      atomicTake: true,
      consistency: "strong",
      volatile: true,
      maxValueBytes: MAX_VALUE_BYTES,
    },
    put,
    take,
    peek,
    // deno-lint-ignore require-await
    async delete(partition: string) {
      partitions.delete(checkPartition(partition));
    },
    purge() {
      for (const partition of partitions.keys()) {
        if (live(partition).length === 0) partitions.delete(partition);
      }
      return Promise.resolve();
    },
  };
}

/**
 * A store in this process's memory: least recently used first out.
 *
 * @module
 */

import type { PutOptions, SessionStore } from "../session_store.ts";

/** Options of {@linkcode memoryStore}. */
export interface MemoryStoreOptions {
  /** How many partitions are kept, 1,024 by default; the one not used for longest goes first. */
  maxPartitions?: number;
}

interface Entry {
  value: Uint8Array;
  expiresAt: number;
}

/**
 * Keeps sessions in this process. They are gone when it ends; early data is refused for a while
 * after it starts (RFC 8446 §8.2).
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
  const maxPartitions = options.maxPartitions ?? 1024;
  if (!Number.isInteger(maxPartitions) || maxPartitions < 1) {
    throw new TypeError(`Option "maxPartitions" must be an integer above 0, got ${maxPartitions}`);
  }
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

  return {
    capabilities: { atomicTake: true, consistency: "strong", volatile: true },
    put(partition: string, value: Uint8Array, { expiresAt, limit }: PutOptions) {
      const entries = [...live(partition), { value: new Uint8Array(value), expiresAt }];
      keep(partition, entries.slice(-limit));
      return Promise.resolve();
    },
    take(partition: string) {
      const entries = live(partition);
      const newest = entries.pop();
      keep(partition, entries);
      return Promise.resolve(newest?.value ?? null);
    },
    peek(partition: string) {
      const entries = live(partition);
      keep(partition, entries);
      return Promise.resolve(entries.at(-1)?.value.slice() ?? null);
    },
    delete(partition: string) {
      partitions.delete(partition);
      return Promise.resolve();
    },
    purge() {
      for (const partition of partitions.keys()) {
        if (live(partition).length === 0) partitions.delete(partition);
      }
      return Promise.resolve();
    },
  };
}

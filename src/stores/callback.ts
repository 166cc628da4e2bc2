/**
 * Stores made of what a program has already: three callbacks, or something like a `Map`.
 *
 * Neither says that a value goes to one caller only, so neither is trusted with that. What a lookup
 * gives is checked: a `take` removes what is no value, and both say what is wrong with it.
 *
 * @module
 */

import { hasMethods } from "../options.ts";
import type { PutOptions, SessionStore } from "../session_store.ts";
import { isValue, MAX_VALUE_BYTES } from "./bounds.ts";
import { checkPartition, checkPut } from "./put_options.ts";

/** The callbacks of {@linkcode callbackStore}; each may be asynchronous. */
export interface SessionCallbacks {
  /** The bytes kept under an id, or nothing. */
  lookup(id: string): Uint8Array | null | undefined | Promise<Uint8Array | null | undefined>;
  /** Keeps bytes under an id; `expiresAt` is in milliseconds since 1970. */
  store(id: string, bytes: Uint8Array, expiresAt: number): unknown;
  /** Forgets an id. */
  remove(id: string): unknown;
}

/** What {@linkcode callbackStore} needs of a `Map`. */
export interface MapLike {
  /** The value under a key. */
  get(key: string): Uint8Array | null | undefined | Promise<Uint8Array | null | undefined>;
  /** Keeps a value. */
  set(key: string, value: Uint8Array): unknown;
  /** Forgets a key. */
  delete(key: string): unknown;
}

/** A copy, as a `Map` keeps and returns the very object; and `slice()` of a Buffer is none. */
function copyOf(given: unknown): Uint8Array | null {
  if (given === null || given === undefined) return null;
  if (!isValue(given)) {
    throw new Error(`A lookup must give a Uint8Array of ${MAX_VALUE_BYTES} bytes at most, or null`);
  }
  return new Uint8Array(given);
}

/**
 * Makes a store of callbacks or of an object like a `Map`. One value is kept under each id; what
 * is handed out is sealed, as for every store.
 *
 * `take` is a lookup and a removal: two processes may get the same value between them, so early
 * data is off, and clients may offer a ticket twice.
 *
 * @throws {TypeError} on what has neither the callbacks nor the methods of a `Map`.
 *
 * @example
 * ```ts
 * import { callbackStore } from "@reprise/tls";
 *
 * const store = callbackStore(new Map());
 * await store.put("id", new Uint8Array([1]), { expiresAt: Date.now() + 60_000, limit: 1 });
 * console.assert((await store.peek("id"))?.[0] === 1);
 * ```
 */
export function callbackStore(source: SessionCallbacks | MapLike): SessionStore {
  const argument = 'Argument "source"';
  const isMap = hasMethods(argument, source, "get", "set");
  for (const name of isMap ? ["delete"] : ["lookup", "store", "remove"]) {
    if (hasMethods(argument, source, name)) continue;
    throw new TypeError(`${argument} must be a Map or have a function "${name}"`);
  }
  const map = source as MapLike;
  const callbacks: SessionCallbacks = isMap
    ? {
      lookup: (id) => map.get(id),
      store: (id, bytes) => map.set(id, bytes),
      remove: (id) => map.delete(id),
    }
    : source as SessionCallbacks;
  return {
    capabilities: { atomicTake: false, consistency: "eventual", maxValueBytes: MAX_VALUE_BYTES },
    async put(partition: string, given: Uint8Array, options: PutOptions) {
      const { value, expiresAt } = checkPut(partition, given, options);
      await callbacks.store(partition, value, expiresAt);
    },
    async take(partition) {
      const given = await callbacks.lookup(checkPartition(partition)) ?? null;
      try {
        return copyOf(given);
      } finally {
        // What is no value goes, too: else it would be in the way for ever.
        if (given !== null) await callbacks.remove(partition);
      }
    },
    async peek(partition) {
      return copyOf(await callbacks.lookup(checkPartition(partition)));
    },
    async delete(partition) {
      await callbacks.remove(checkPartition(partition));
    },
  };
}

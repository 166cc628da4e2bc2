/**
 * Stores made of what a program has already: three callbacks, or something like a `Map`.
 *
 * Neither says that a value goes to one caller only, so neither is trusted with that.
 *
 * @module
 */

import type { SessionStore } from "../session_store.ts";

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

function isMapLike(source: SessionCallbacks | MapLike): source is MapLike {
  return typeof (source as MapLike).get === "function" &&
    typeof (source as MapLike).set === "function";
}

/** A `Map` keeps and returns the very object; and `slice()` of a Buffer is no copy. */
function copy(value: Uint8Array): Uint8Array {
  return new Uint8Array(value);
}

/**
 * Makes a store of callbacks or of an object like a `Map`. One value is kept under each id; what
 * is handed out is sealed, as for every store.
 *
 * `take` is a lookup and a removal: two processes may get the same value between them, so early
 * data is off, and clients may offer a ticket twice.
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
  const callbacks: SessionCallbacks = isMapLike(source)
    ? {
      lookup: (id) => source.get(id),
      store: (id, bytes) => source.set(id, bytes),
      remove: (id) => source.delete(id),
    }
    : source;
  for (const name of ["lookup", "store", "remove"] as const) {
    if (typeof callbacks?.[name] !== "function") {
      throw new TypeError(`Argument "source" must be a Map or have a function "${name}"`);
    }
  }
  async function lookup(id: string): Promise<Uint8Array | null> {
    const value = await callbacks.lookup(id) ?? null;
    return value instanceof Uint8Array ? copy(value) : value;
  }
  return {
    capabilities: { atomicTake: false, consistency: "eventual" },
    async put(partition, value, { expiresAt }) {
      await callbacks.store(partition, copy(value), expiresAt);
    },
    async take(partition) {
      const value = await lookup(partition);
      if (value !== null) await callbacks.remove(partition);
      return value;
    },
    peek: lookup,
    async delete(partition) {
      await callbacks.remove(partition);
    },
  };
}

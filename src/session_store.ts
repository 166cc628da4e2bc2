/**
 * The contract of stores: where sealed sessions wait, in whatever the user has.
 *
 * A store sees names that are hashes and values that are ciphertext; it is trusted with neither
 * secrecy nor integrity. It is trusted with one thing: that `take` gives a value to one caller.
 *
 * @module
 */

import { reading } from "./option_errors.ts";

/**
 * What a store can promise; what it cannot is switched off. A context reads it once, when it is
 * made.
 */
export interface SessionStoreCapabilities {
  /** Whether `take` never gives the same value to two callers. Without it: no early data. */
  readonly atomicTake: boolean;
  /** Whether a read sees every write before it. `"eventual"`: no early data. */
  readonly consistency: "strong" | "eventual";
  /** Whether the values are gone with the process. */
  readonly volatile?: boolean;
  /** The shortest time to live that the store takes, in milliseconds; 7 days at most. */
  readonly minTtl?: number;
  /** The largest value; a larger one is skipped and counted. */
  readonly maxValueBytes?: number;
}

/** How a value is to be kept. */
export interface PutOptions {
  /**
   * When it may go, in milliseconds since 1970. A store refuses what is no time: a value without an
   * end would stay for ever.
   */
  expiresAt: number;
  /**
   * How many values the partition may hold, 1 or more; the oldest goes first. The stores of this
   * library hold 1,024 at most.
   */
  limit: number;
}

/**
 * A store of sealed sessions. Every method may be asynchronous and may fail: a failure costs a
 * full handshake, and is counted.
 *
 * Partitions are names of 1 to 96 ASCII characters; values are opaque, and may be empty.
 */
export interface SessionStore {
  /** What this store can promise. */
  readonly capabilities: SessionStoreCapabilities;
  /** Adds a value to a partition, as its newest. */
  put(partition: string, value: Uint8Array, options: PutOptions): Promise<void>;
  /**
   * Removes the newest value of a partition and returns it; `null` if there is none. It must
   * never return the same value to two callers, in whatever process they are.
   */
  take(partition: string): Promise<Uint8Array | null>;
  /** The newest value of a partition, which stays; `null` if there is none. */
  peek(partition: string): Promise<Uint8Array | null>;
  /** Removes all values of a partition. */
  delete(partition: string): Promise<void>;
  /** Removes what has expired, where the store does not do that by itself. */
  purge?(): Promise<void>;
}

/** What the methods of {@linkcode SessionStore} are called. */
const METHODS = ["put", "take", "peek", "delete"] as const;
/** A store that keeps nothing for less time than this is of no use: no session lives longer. */
const LARGEST_MIN_TTL_MS = 7 * 24 * 60 * 60 * 1000;

/**
 * Checks that a value has the shape of a store, and reads its capabilities, once.
 *
 * What is returned asks the store, but has a copy of its capabilities: a getter that throws later,
 * or that says something else, cannot end a connection or allow what was refused. Its methods never
 * throw, they reject.
 *
 * @throws {TypeError} with the option's name, on anything else.
 */
export function checkStore(name: string, value: unknown): SessionStore {
  const store = value as Partial<SessionStore> | null | undefined;
  const missing = reading(
    `Option "${name}"`,
    () => METHODS.find((method) => typeof store?.[method] !== "function"),
  );
  if (missing !== undefined) {
    throw new TypeError(`Option "${name}" must be a SessionStore, but has no method "${missing}"`);
  }
  return asking(store as SessionStore, checkCapabilities(name, () => store!.capabilities));
}

function asking(store: SessionStore, capabilities: SessionStoreCapabilities): SessionStore {
  return {
    capabilities,
    put: async (partition, value, options) => await store.put(partition, value, options),
    take: async (partition) => await store.take(partition),
    peek: async (partition) => await store.peek(partition),
    delete: async (partition) => await store.delete(partition),
    purge: async () => await store.purge?.(),
  };
}

function checkCapabilities(name: string, given: () => unknown): SessionStoreCapabilities {
  const bad = (what: string, cause?: unknown): never => {
    const message = `Option "${name}" must be a SessionStore, but its "capabilities" ${what}`;
    throw new TypeError(message, cause === undefined ? undefined : { cause });
  };
  let read: Partial<SessionStoreCapabilities> = {};
  try {
    // Once: a getter may say something else when it is asked again.
    const { atomicTake, consistency, volatile, minTtl, maxValueBytes } =
      (given() ?? {}) as typeof read;
    read = { atomicTake, consistency, volatile, minTtl, maxValueBytes };
  } catch (cause) {
    bad("cannot be read", cause);
  }
  const { atomicTake, consistency, volatile, minTtl, maxValueBytes } = read;
  if (typeof atomicTake !== "boolean" || !["strong", "eventual"].includes(consistency as string)) {
    bad('lack "atomicTake" or "consistency"');
  }
  if (volatile !== undefined && typeof volatile !== "boolean") {
    bad(`have a "volatile" that is no boolean, but a ${typeof volatile}`);
  }
  if (minTtl !== undefined && !isWithin(minTtl, LARGEST_MIN_TTL_MS)) {
    bad(`have a "minTtl" that is no number of milliseconds from 0 to ${LARGEST_MIN_TTL_MS}`);
  }
  if (maxValueBytes !== undefined && !isWithin(maxValueBytes, Infinity)) {
    bad('have a "maxValueBytes" that is no number of bytes from 0 on');
  }
  return Object.freeze({
    atomicTake: atomicTake!,
    consistency: consistency!,
    ...(volatile !== undefined && { volatile }),
    ...(minTtl !== undefined && { minTtl }),
    ...(maxValueBytes !== undefined && { maxValueBytes }),
  });
}

function isWithin(value: unknown, most: number): value is number {
  return typeof value === "number" && value >= 0 && value <= most;
}

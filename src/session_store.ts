/**
 * The contract of stores: where sealed sessions wait, in whatever the user has.
 *
 * A store sees names that are hashes and values that are ciphertext; it is trusted with neither
 * secrecy nor integrity. It is trusted with one thing: that `take` gives a value to one caller.
 *
 * @module
 */

/** What a store can promise; what it cannot is switched off. */
export interface SessionStoreCapabilities {
  /** Whether `take` never gives the same value to two callers. Without it: no early data. */
  readonly atomicTake: boolean;
  /** Whether a read sees every write before it. `"eventual"`: no early data. */
  readonly consistency: "strong" | "eventual";
  /** Whether the values are gone with the process. */
  readonly volatile?: boolean;
  /** The shortest time to live that the store takes, in milliseconds. */
  readonly minTtl?: number;
  /** The largest value; a larger one is skipped and counted. */
  readonly maxValueBytes?: number;
}

/** How a value is to be kept. */
export interface PutOptions {
  /** When it may go, in milliseconds since 1970. */
  expiresAt: number;
  /** How many values the partition may hold; the oldest goes first. */
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

/** Throws a `TypeError` unless the value has a store's shape. */
export function checkStore(name: string, value: unknown): asserts value is SessionStore {
  const store = value as Partial<SessionStore> | null | undefined;
  const missing = METHODS.find((method) => typeof store?.[method] !== "function");
  if (missing !== undefined) {
    throw new TypeError(`Option "${name}" must be a SessionStore, but has no method "${missing}"`);
  }
  const { atomicTake, consistency } = store?.capabilities ?? {};
  if (typeof atomicTake !== "boolean" || !["strong", "eventual"].includes(consistency as string)) {
    throw new TypeError(
      `Option "${name}" must be a SessionStore, but its "capabilities" lack "atomicTake" or ` +
        `"consistency"`,
    );
  }
}

/**
 * A ring of ticket keys in a store that many servers share.
 *
 * Rules: the value is sealed; it is changed by compare-and-set only; a store that is down or lies
 * changes nothing for keys that were seen.
 *
 * @module
 */

import { currentEngine } from "./engine_pool.ts";
import { type SealingKeys, sealingKeysInternals } from "./sealing_keys.ts";
import {
  decodeTicketKeys,
  encodeTicketKeys,
  rotated,
  type TicketKey,
  type TicketKeyOptions,
} from "./ticket_keys.ts";

/** One value with compare-and-set, strongly consistent. */
export interface KeyRingStore {
  /** The value and its version, or `null` where there is none yet. */
  load(): Promise<{ version: string; value: Uint8Array } | null>;
  /**
   * Replaces the value if its version is still `version` (`null`: if there is none).
   *
   * @returns Whether it did.
   */
  compareAndSet(version: string | null, value: Uint8Array): Promise<boolean>;
}

const REFRESH_MS = 60_000;
const MAX_TRIES = 16;
const PURPOSE = "ticket key ring";
const NOTHING = new Uint8Array(0);

/** The ring of one process, kept up with the store. */
export class SharedRing {
  readonly #store: KeyRingStore;
  readonly #sealing: SealingKeys;
  readonly #times: TicketKeyOptions;
  readonly #refreshEvery: number;
  #keys: readonly TicketKey[] = [];
  #loadedAt = -Infinity;
  #loading: Promise<void> | undefined;

  constructor(
    store: KeyRingStore,
    sealing: SealingKeys,
    times: TicketKeyOptions,
    refreshEvery = REFRESH_MS,
  ) {
    if (typeof store?.load !== "function" || typeof store.compareAndSet !== "function") {
      throw new TypeError('Argument "store" must be a KeyRingStore: "load" and "compareAndSet"');
    }
    this.#store = store;
    this.#sealing = sealing;
    this.#times = times;
    this.#refreshEvery = refreshEvery;
  }

  /** The keys of now. Rejects only where none was ever seen. */
  async keys(): Promise<readonly TicketKey[]> {
    if (Date.now() - this.#loadedAt >= this.#refreshEvery) {
      const loading = this.#loading ??= this.#load((keys) => rotated(keys, this.#times))
        .finally(() => this.#loading = undefined);
      // With keys at hand nobody waits for the store.
      if (this.#usable()) loading.catch(() => {});
      else await loading;
    }
    return this.#keys;
  }

  #usable(): boolean {
    const now = Date.now();
    return this.#keys.some((key) => key.notBefore <= now && now < key.sealUntil);
  }

  /** Ends the key that seals now, for everyone who shares the ring. */
  async rotate(): Promise<void> {
    await this.#load((keys) => {
      const now = Date.now();
      const ended = keys.filter((key) => key.notBefore <= now)
        .map((key) => ({ ...key, sealUntil: Math.min(key.sealUntil, now) }));
      return rotated(ended, this.#times);
    });
  }

  async #load(change: (keys: readonly TicketKey[]) => TicketKey[]): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const stored = await this.#store.load();
      const before = stored === null ? [] : this.#open(stored.value);
      const after = change(before);
      const changed = after.length !== before.length ||
        after.some((key, i) => key.sealUntil !== before[i].sealUntil || key.key !== before[i].key);
      if (
        !changed || await this.#store.compareAndSet(stored?.version ?? null, this.#seal(after))
      ) {
        this.#keys = after;
        this.#loadedAt = Date.now();
        return;
      }
    }
    throw new Error(`The ring changed under every one of ${MAX_TRIES} tries to rotate it`);
  }

  #seal(keys: readonly TicketKey[]): Uint8Array {
    const ring = sealingKeysInternals.ring(this.#sealing);
    const plain = encodeTicketKeys(keys);
    return currentEngine().call((exports) => exports.seal(ring, PURPOSE, NOTHING, NOTHING, plain));
  }

  #open(value: Uint8Array): TicketKey[] {
    const ring = sealingKeysInternals.ring(this.#sealing);
    return decodeTicketKeys(
      currentEngine().call((exports) => exports.open(ring, PURPOSE, NOTHING, NOTHING, value)),
    );
  }
}

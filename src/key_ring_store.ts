/**
 * A ring of ticket keys in a store that many servers share.
 *
 * Rules: the value is sealed; it is changed by compare-and-set only; a store that is down, hangs or
 * lies changes nothing for keys that were seen, and holds up nobody for long.
 *
 * @module
 */

import { deadline } from "./deadline.ts";
import { currentEngine } from "./engine_pool.ts";
import { open, seal } from "./envelope.ts";
import { TlsError } from "./errors.ts";
import { checkTimeout } from "./options.ts";
import type { SealingKeys } from "./sealing_keys.ts";
import {
  decodeTicketKeys,
  encodeTicketKeys,
  rotated,
  sealsAt,
  type TicketKey,
  type TicketKeyOptions,
} from "./ticket_keys.ts";

const PURPOSE = "ticket key ring";

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
/** After a failure the store is left alone for so long. */
const RETRY_MS = 1_000;
/** How long a handshake waits for the store when no key seals. */
const WAIT_MS = 250;
/** How long the store may take for one load, tries to rotate included. */
const LOAD_TIMEOUT_MS = 10_000;
/** A load that is under way for longer is not waited for any more. */
const LOST_MS = 15_000;
const MAX_TRIES = 16;

/** The ring of one process, kept up with the store. */
export class SharedRing {
  readonly #store: KeyRingStore;
  readonly #sealing: SealingKeys;
  readonly #times: TicketKeyOptions;
  readonly #refreshEvery: number;
  #keys: readonly TicketKey[] = [];
  #nextLoad = -Infinity;
  #loading: Promise<void> | undefined;
  #loadingSince = 0;

  constructor(
    store: KeyRingStore,
    sealing: SealingKeys,
    times: TicketKeyOptions,
    refreshEvery: number | undefined,
  ) {
    if (typeof store?.load !== "function" || typeof store.compareAndSet !== "function") {
      throw new TypeError('Argument "store" must be a KeyRingStore: "load" and "compareAndSet"');
    }
    this.#store = store;
    this.#sealing = sealing;
    this.#times = times;
    this.#refreshEvery = checkTimeout("refreshEvery", refreshEvery, REFRESH_MS);
  }

  /**
   * The keys of now. With one at hand that seals, nobody waits for the store; without one, for a
   * moment, and then what opens goes on opening.
   */
  async keys(): Promise<readonly TicketKey[]> {
    const seals = this.#keys.some((key) => sealsAt(key, Date.now()));
    if (this.#isDue()) this.load().catch(() => {});
    if (!seals && this.#loading !== undefined) {
      using limit = deadline(WAIT_MS, undefined, late);
      await limit.race(this.#loading).catch(() => {});
    }
    return this.#keys;
  }

  /** A clock that was set back makes it due, too. */
  #isDue(): boolean {
    const wait = this.#nextLoad - Date.now();
    return wait <= 0 || wait > Math.max(this.#refreshEvery, RETRY_MS);
  }

  /** Looks at the store, and rotates the ring if that is due. */
  load(): Promise<void> {
    // In Workers a load ends with the request that began it, timers and all, and never settles.
    const lost = performance.now() - this.#loadingSince > LOST_MS;
    if (this.#loading !== undefined && !lost) return this.#loading;
    this.#loadingSince = performance.now();
    const loading = this.#update((keys) => rotated(keys, this.#times)).finally(() => {
      if (this.#loading === loading) this.#loading = undefined;
    });
    return this.#loading = loading;
  }

  /** Ends the key that seals now, for everyone who shares the ring. */
  async rotate(): Promise<void> {
    await this.#update((keys) => {
      const now = Date.now();
      const ended = keys.filter((key) => key.notBefore <= now)
        .map((key) => ({ ...key, sealUntil: Math.min(key.sealUntil, now) }));
      return rotated(ended, this.#times);
    });
  }

  async #update(change: (keys: readonly TicketKey[]) => TicketKey[]): Promise<void> {
    using limit = deadline(LOAD_TIMEOUT_MS, undefined, late);
    let nextLoad = RETRY_MS;
    try {
      this.#keys = await limit.race(this.#changed(change, limit.signal));
      nextLoad = this.#refreshEvery;
    } finally {
      this.#nextLoad = Date.now() + nextLoad;
    }
  }

  /** The ring as it is in the store after the change. */
  async #changed(
    change: (keys: readonly TicketKey[]) => TicketKey[],
    signal: AbortSignal,
  ): Promise<readonly TicketKey[]> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const stored = await this.#store.load();
      signal.throwIfAborted();
      const before = stored ? this.#open(stored) : [];
      const after = change(before);
      const same = after.length === before.length &&
        after.every((key, i) => key.key === before[i].key && key.sealUntil === before[i].sealUntil);
      if (same) return after;
      if (await this.#store.compareAndSet(stored?.version ?? null, this.#seal(after))) return after;
      signal.throwIfAborted();
    }
    throw new Error(`The ring changed under every one of ${MAX_TRIES} tries to rotate it`);
  }

  #seal(keys: readonly TicketKey[]): Uint8Array {
    return seal(currentEngine(), this.#sealing, { purpose: PURPOSE }, encodeTicketKeys(keys));
  }

  #open({ version, value }: { version: string; value: Uint8Array }): TicketKey[] {
    if (typeof version !== "string" || !(value instanceof Uint8Array)) {
      throw unusable('it must have a "version", a string, and a "value", a Uint8Array');
    }
    const { plain, miss } = open(currentEngine(), this.#sealing, { purpose: PURPOSE }, value);
    if (plain === undefined) throw unusable(miss);
    try {
      return decodeTicketKeys(plain);
    } catch (cause) {
      throw unusable("version", cause);
    } finally {
      plain.fill(0);
    }
  }
}

function late(): Error {
  return new Error("The store of the ring did not answer in time");
}

function unusable(why: string, cause?: unknown): TlsError {
  const message = `The ring of ticket keys in the store cannot be used: ${why}`;
  return new TlsError("ERR_TLS_SESSION_UNSEALABLE", message, { origin: "store", cause });
}

/**
 * A server's sessions in a store: found by what a client offers, checked, and kept.
 *
 * Rules: a store that fails, hangs or lies costs a full handshake and is counted; what it returns
 * is opened under the lookup id it was asked for, so nothing foreign or moved gets through. A
 * TLS 1.3 `take` always reaches the store; the memory in front serves TLS 1.2 only. A lookup waits
 * for this process's own put of the same session. Puts hold up nobody, and are bounded.
 *
 * @module
 */

import { deadline } from "./deadline.ts";
import { diagnose, type OnDiagnostic } from "./diagnostics.ts";
import { type EngineInstance, Refusal } from "./engine.ts";
import { MAX_ENVELOPE } from "./envelope.ts";
import type { SessionMiss } from "./handshake_info.ts";
import { readKeptSession } from "./kept_session.ts";
import { Puts } from "./puts.ts";
import { type SealingKeys, sealingKeysInternals } from "./sealing_keys.ts";
import type { SessionStore } from "./session_store.ts";
import type { Counters } from "./stats.ts";

const PURPOSE = "server session";
/** Puts under way; more are dropped and counted, as a store that is down would pile them up. */
const MAX_PUTS = 1024;
/** Sessions whose second coming would be noticed. */
const MAX_TAKEN = 10_000;
/** How long a put may take before it is given up. */
const PUT_TIMEOUT_MS = 10_000;
/**
 * RFC 8446 §8.2: a process that lost its memory may have taken early data before. Tickets are
 * fresh for a minute at most, as rustls checks their age.
 */
const STARTUP_MS = 60_000;

/** What the cache is made from. */
export interface ServerSessionOptions {
  store: SessionStore;
  keys: SealingKeys;
  timeout: number;
  /** TLS 1.2 sessions kept in memory. */
  memory: number;
  fingerprint: Uint8Array;
  counters: Counters;
  onDiagnostic: OnDiagnostic | undefined;
}

/** A session as it was found and opened, or the reason why not. */
export type Found =
  | { session: Uint8Array; miss?: undefined }
  | { session?: undefined; miss: SessionMiss };

/** One context's sessions. */
export class ServerSessionCache {
  readonly #options: ServerSessionOptions;
  readonly #startedAt = Date.now();
  /** Sealed TLS 1.2 sessions, the one not used for longest first. */
  readonly #memory = new Map<string, Uint8Array>();
  readonly #puts = new Puts();
  /** TLS 1.3 sessions that were taken: the store must not give them again. */
  readonly #taken = new Set<string>();

  constructor(options: ServerSessionOptions) {
    this.#options = options;
  }

  /** Sessions in memory. */
  get size(): number {
    return this.#memory.size;
  }

  /** Waits for the puts under way. */
  async settled(): Promise<void> {
    await this.#puts.settled();
  }

  /** Whether early data could be replayed: the store may have forgotten what was taken. */
  get mayHaveForgotten(): boolean {
    return this.#options.store.capabilities.volatile === true &&
      Date.now() - this.#startedAt < STARTUP_MS;
  }

  #partition(lookupId: Uint8Array): string {
    return sealingKeysInternals.name(this.#options.keys, PURPOSE, lookupId);
  }

  /** Looks a session up by the id that a client offers, within the context's deadline. */
  async find(
    instance: EngineInstance,
    lookupId: Uint8Array,
    how: "take" | "peek",
  ): Promise<Found> {
    const partition = this.#partition(lookupId);
    const inMemory = how === "peek" ? this.#recall(partition) : undefined;
    if (inMemory !== undefined) return this.#open(instance, lookupId, inMemory);
    const { store, timeout, counters } = this.#options;
    const late = Symbol();
    const started = performance.now();
    using limit = deadline(timeout, undefined, () => late);
    try {
      const value = await limit.race((async () => {
        await this.#puts.of(partition);
        return await store[how](partition);
      })());
      if (value === null || value === undefined) return { miss: "none_stored" };
      if (!(value instanceof Uint8Array)) return { miss: "store_error" };
      counters.add("cbHits");
      if (how === "take" && !this.#takeOnce(partition)) return { miss: "used_already" };
      const found = this.#open(instance, lookupId, value);
      if (how === "peek" && found.session !== undefined) this.#remember(partition, value);
      return found;
    } catch (error) {
      const cause = error === late ? "timeout" : error;
      diagnose(this.#options.onDiagnostic, { type: "store_failed", operation: how, cause });
      return { miss: error === late ? "store_timeout" : "store_error" };
    } finally {
      counters.stored(performance.now() - started);
    }
  }

  #open(instance: EngineInstance, lookupId: Uint8Array, sealed: Uint8Array): Found {
    // Nothing of that size is copied into the engine, whose memory does not shrink.
    if (sealed.length > MAX_ENVELOPE) return { miss: "tampered" };
    const { keys, fingerprint } = this.#options;
    const ring = sealingKeysInternals.ring(keys);
    try {
      return {
        session: instance.call((exports) =>
          exports.open(ring, PURPOSE, fingerprint, lookupId, sealed)
        ),
      };
    } catch (error) {
      if (error instanceof Refusal) return { miss: error.reason as SessionMiss };
      throw error;
    }
  }

  /** Whether a TLS 1.3 session is taken for the first time, as far as this process knows. */
  #takeOnce(partition: string): boolean {
    if (this.#taken.has(partition)) return false;
    this.#taken.add(partition);
    if (this.#taken.size > MAX_TAKEN) {
      const [oldest] = this.#taken;
      this.#taken.delete(oldest);
    }
    return true;
  }

  #recall(partition: string): Uint8Array | undefined {
    const sealed = this.#memory.get(partition);
    if (sealed !== undefined) {
      this.#memory.delete(partition);
      this.#memory.set(partition, sealed);
    }
    return sealed;
  }

  #remember(partition: string, sealed: Uint8Array): void {
    const { memory, counters } = this.#options;
    if (memory === 0) return;
    this.#memory.delete(partition);
    this.#memory.set(partition, sealed);
    if (this.#memory.size > memory) {
      const [oldest] = this.#memory.keys();
      this.#memory.delete(oldest);
      counters.add("cacheFull");
    }
  }

  /** Seals a session that the engine gave, and puts it into the store, without holding up anyone. */
  keep(instance: EngineInstance, given: Uint8Array): Promise<void> {
    const { lookupId, expiresAt, session, protocol } = readKeptSession(given);
    const { store, keys, fingerprint, counters } = this.#options;
    const ring = sealingKeysInternals.ring(keys);
    const sealed = instance.call((exports) =>
      exports.seal(ring, PURPOSE, fingerprint, lookupId, session)
    );
    session.fill(0);
    const partition = this.#partition(lookupId);
    if (protocol === "TLSv1.2") this.#remember(partition, sealed);
    if (sealed.length > (store.capabilities.maxValueBytes ?? Infinity)) {
      counters.add("putsFailed");
      return Promise.resolve();
    }
    if (this.#puts.size >= MAX_PUTS) {
      counters.add("cacheFull");
      return Promise.resolve();
    }
    const put = this.#put(
      partition,
      sealed,
      Math.max(
        expiresAt * 1000,
        Date.now() + (store.capabilities.minTtl ?? 0),
      ),
    );
    this.#puts.add(partition, put);
    return put;
  }

  async #put(partition: string, sealed: Uint8Array, expiresAt: number): Promise<void> {
    const { store, counters } = this.#options;
    const started = performance.now();
    using limit = deadline(PUT_TIMEOUT_MS, undefined, () => new Error("The store did not answer"));
    try {
      // Asynchronously, so that a store that throws does so in here.
      const putting = Promise.resolve().then(() =>
        store.put(partition, sealed, { expiresAt, limit: 1 })
      );
      await limit.race(putting);
    } catch (cause) {
      counters.add("putsFailed");
      diagnose(this.#options.onDiagnostic, { type: "store_failed", operation: "put", cause });
    } finally {
      counters.stored(performance.now() - started);
    }
  }
}

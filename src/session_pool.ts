/**
 * A client's pool of sessions in a store: one is taken for each connection, and what servers send
 * fills it up again.
 *
 * Rules: what goes into the store is sealed and bound to its context and partition; names in the
 * store tell nothing. A TLS 1.3 ticket is taken, by one connection only; a TLS 1.2 session is
 * peeked at. After a refusal the ticket's family goes: those of the same full handshake, or an
 * older one. A store that fails, hangs or lies costs a full handshake and a reason. A lookup waits
 * for this pool's own puts to the same partition, else puts hold up nobody, and they are bounded.
 *
 * @module
 */

import { utf8 } from "./bytes.ts";
import { deadline } from "./deadline.ts";
import { diagnose, type OnDiagnostic } from "./diagnostics.ts";
import type { EngineInstance } from "./engine.ts";
import { open, seal } from "./envelope.ts";
import { TlsError } from "./errors.ts";
import type { SessionMiss } from "./handshake_info.ts";
import { Puts } from "./puts.ts";
import type { ProtocolVersion } from "./registry.ts";
import { type SealingKeys, sealingKeysInternals } from "./sealing_keys.ts";
import { Session, sessionInternals } from "./session.ts";
import type { SessionStore } from "./session_store.ts";
import type { Counters } from "./stats.ts";

const PURPOSE = "client session";
/** Puts under way; more are dropped and counted. */
const MAX_PUTS = 256;
const PUT_TIMEOUT_MS = 10_000;
/** Sessions whose second coming would be noticed. */
const MAX_SEEN = 10_000;

/** What a pool is made from. */
export interface SessionPoolOptions {
  store: SessionStore;
  keys: SealingKeys;
  ticketsPerServer: number;
  /** Milliseconds to wait for the store before a handshake. */
  timeout: number;
  unlinkable: boolean;
  fingerprint: Uint8Array;
  versions: readonly ProtocolVersion[];
  counters: Counters;
  onDiagnostic: OnDiagnostic | undefined;
}

/** The server that sessions belong to. */
export interface PoolTarget {
  serverName: string;
  /** 0: unknown. */
  port: number;
  /** Keeps apart what must not be linked; empty: nothing. */
  networkPartition: string;
}

/** A session from the pool, or the reason why there is none. */
export type Drawn =
  | { session: Session; miss?: undefined }
  | { session?: undefined; miss: SessionMiss };

/** One context's pool. */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #puts = new Puts();
  /** A lookup has waited for a put in vain, and none has come through since. */
  #putsAreLate = false;
  /** Ids of TLS 1.3 sessions that were drawn: the store must not give them again. */
  readonly #seen = new Set<string>();

  constructor(options: SessionPoolOptions) {
    this.#options = options;
  }

  #partition(target: PoolTarget, protocol: ProtocolVersion): string {
    const { keys, fingerprint } = this.#options;
    const { serverName, port, networkPartition } = target;
    const parts = [protocol, serverName, String(port), networkPartition].map(utf8);
    return sealingKeysInternals.name(keys, PURPOSE, fingerprint, ...parts);
  }

  /** Draws a session for one connection, within the pool's deadline. */
  async draw(instance: EngineInstance, target: PoolTarget): Promise<Drawn> {
    const late = Symbol();
    using limit = deadline(this.#options.timeout, undefined, () => late);
    const started = performance.now();
    const lookup: { operation: "take" | "peek" } = { operation: "take" };
    try {
      return await limit.race(this.#draw(instance, target, lookup));
    } catch (error) {
      // A TlsError, too: a store may be reached over TLS. An engine that broke says so again.
      const cause = error === late ? "timeout" : error;
      diagnose(this.#options.onDiagnostic, { type: "store_failed", ...lookup, cause });
      return { miss: error === late ? "store_timeout" : "store_error" };
    } finally {
      this.#options.counters.stored(performance.now() - started);
    }
  }

  async #draw(
    instance: EngineInstance,
    target: PoolTarget,
    lookup: { operation: "take" | "peek" },
  ): Promise<Drawn> {
    const { store, ticketsPerServer, versions, unlinkable } = this.#options;
    let miss: SessionMiss = "none_stored";
    if (versions.includes("TLSv1.3")) {
      const partition = this.#partition(target, "TLSv1.3");
      await this.#ownPuts(partition);
      for (let tries = 0; tries <= ticketsPerServer; tries++) {
        const value = await store.take(partition);
        if (value === null || value === undefined) break;
        const drawn = this.#open(instance, partition, value);
        if (drawn.session === undefined) miss = drawn.miss;
        else if (drawn.session.expiresAt.getTime() <= Date.now()) miss = "expired";
        else if (this.#seen.has(drawn.session.id)) miss = "used_already";
        else {
          this.#see(drawn.session.id);
          return drawn;
        }
      }
    }
    if (!versions.includes("TLSv1.2") || unlinkable) return { miss };
    const partition = this.#partition(target, "TLSv1.2");
    lookup.operation = "peek";
    await this.#ownPuts(partition);
    const value = await store.peek(partition);
    if (value === null || value === undefined) return { miss };
    return this.#open(instance, partition, value);
  }

  /** Waits for what this pool is putting there, half of its time. */
  async #ownPuts(partition: string): Promise<void> {
    const own = this.#puts.of(partition);
    if (own === undefined || this.#putsAreLate) return;
    using limit = deadline(this.#options.timeout / 2, undefined, () => new Error("late"));
    await limit.race(own).catch(() => this.#putsAreLate = true);
  }

  #see(id: string): void {
    this.#seen.add(id);
    if (this.#seen.size > MAX_SEEN) {
      const [oldest] = this.#seen;
      this.#seen.delete(oldest);
    }
  }

  #open(instance: EngineInstance, partition: string, value: unknown): Drawn {
    if (!(value instanceof Uint8Array)) return { miss: "store_error" };
    const { keys, fingerprint } = this.#options;
    const to = { purpose: PURPOSE, fingerprint, binding: utf8(partition) } as const;
    const opened = open(instance, keys, to, value);
    if (opened.miss !== undefined) return { miss: opened.miss };
    try {
      return { session: Session.fromBytes(opened.plain) };
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      return { miss: error.code === "ERR_TLS_SESSION_VERSION" ? "version" : "tampered" };
    } finally {
      opened.plain.fill(0);
    }
  }

  /**
   * Puts a session into the pool, without holding up anyone: sealed now, put once `after` is over,
   * for the session may be disposed of meanwhile.
   */
  add(
    instance: EngineInstance,
    target: PoolTarget,
    session: Session,
    after?: Promise<void>,
  ): Promise<void> {
    const { store, keys, fingerprint, ticketsPerServer, counters, unlinkable } = this.#options;
    if (unlinkable && session.protocol !== "TLSv1.3") return Promise.resolve();
    const partition = this.#partition(target, session.protocol);
    const plain = session.toBytes();
    const to = { purpose: PURPOSE, fingerprint, binding: utf8(partition) } as const;
    const sealed = seal(instance, keys, to, plain);
    plain.fill(0);
    if (sealed.length > (store.capabilities.maxValueBytes ?? Infinity)) {
      counters.add("putsFailed");
      return Promise.resolve();
    }
    const limit = session.protocol === "TLSv1.3" ? ticketsPerServer : 1;
    const expiresAt = this.#expiry(session);
    return this.#track("put", partition, async () => {
      await after;
      await store.put(partition, sealed, { expiresAt, limit });
    });
  }

  /** When the store may remove it: not before the shortest time that the store takes. */
  #expiry(session: Session): number {
    const minimum = Date.now() + (this.#options.store.capabilities.minTtl ?? 0);
    return Math.max(session.expiresAt.getTime(), minimum);
  }

  #track(
    name: "take" | "put" | "delete",
    partition: string,
    operation: () => Promise<void>,
  ): Promise<void> {
    const { counters, onDiagnostic } = this.#options;
    if (this.#puts.size >= MAX_PUTS) {
      counters.add("cacheFull");
      return Promise.resolve();
    }
    const started = performance.now();
    const put = (async () => {
      using limit = deadline(
        PUT_TIMEOUT_MS,
        undefined,
        () => new Error("The store did not answer"),
      );
      try {
        await limit.race(operation());
        this.#putsAreLate = false;
      } catch (cause) {
        counters.add("putsFailed");
        diagnose(onDiagnostic, { type: "store_failed", operation: name, cause });
      } finally {
        counters.stored(performance.now() - started);
      }
    })();
    this.#puts.add(partition, put);
    return put;
  }

  /** After `refused` was declined: drops its family and older ones; fresher ones stay. */
  dropFamily(instance: EngineInstance, target: PoolTarget, refused: Session): Promise<void> {
    const { store, ticketsPerServer } = this.#options;
    const partition = this.#partition(target, refused.protocol);
    if (refused.protocol === "TLSv1.2") {
      return this.#track("delete", partition, () => store.delete(partition));
    }
    const { handshakeTime } = sessionInternals.binding(refused);
    return this.#track("take", partition, async () => {
      const fresher: { value: Uint8Array; session: Session }[] = [];
      for (let i = 0; i < ticketsPerServer; i++) {
        const value = await store.take(partition);
        if (value === null || value === undefined) break;
        const { session } = this.#open(instance, partition, value);
        if (session === undefined) continue;
        if (sessionInternals.binding(session).handshakeTime > handshakeTime) {
          fresher.unshift({ value, session });
        }
      }
      for (const { value, session } of fresher) {
        const expiresAt = this.#expiry(session);
        await store.put(partition, value, { expiresAt, limit: ticketsPerServer });
      }
    });
  }

  /** Forgets a server, in every version; what is on its way to the store, too. */
  async forget(target: PoolTarget): Promise<void> {
    await this.#puts.settled();
    const { store, versions } = this.#options;
    await Promise.all(versions.map((version) => store.delete(this.#partition(target, version))));
  }

  /** Waits for the puts under way. */
  async settled(): Promise<void> {
    await this.#puts.settled();
  }

  /** Removes what has expired, where the store does not do that by itself. */
  async purge(): Promise<void> {
    await this.#options.store.purge?.();
  }
}

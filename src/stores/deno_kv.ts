/**
 * A store in Deno KV: an embedded SQLite file, or a remote database by KV Connect.
 *
 * ```text
 * key    [prefix..., partition, sequence]   sequence: see sequence.ts
 * value  { value: Uint8Array, expiresAt: number }
 * ```
 * Values expire by `expireIn`, which Deno KV carries out late; so the time is kept beside the
 * value and checked.
 *
 * @module
 */

import type { PutOptions, SessionStore } from "../session_store.ts";
import { whileLocked } from "./locked.ts";
import { sequence } from "./sequence.ts";

/** Options of {@linkcode denoKvStore}. */
export interface DenoKvStoreOptions {
  /** What keys start with; `["reprise"]` by default. */
  prefix?: readonly string[];
}

interface Entry {
  value: Uint8Array;
  expiresAt: number;
}

/** Deno KV's limit on a value is 65,536 bytes, of which its encoding takes some. */
const MAX_VALUE_BYTES = 65_000;
/** Takers who lost a race try again; each time another one wins, so only a crowd reaches this. */
const MAX_LOST = 256;

/** A key: `Deno.KvKey`. */
export type DenoKvKey = readonly (Uint8Array | string | number | bigint | boolean | symbol)[];

/** What is used of a transaction: `Deno.AtomicOperation`. */
export interface DenoKvTransaction {
  /** Asks that the value of a key is still of this version. */
  check(entry: { key: DenoKvKey; versionstamp: string | null }): DenoKvTransaction;
  /** Keeps a value, for so many milliseconds. */
  set(key: DenoKvKey, value: unknown, options: { expireIn: number }): DenoKvTransaction;
  /** Removes a value. */
  delete(key: DenoKvKey): DenoKvTransaction;
  /** Does all of it, or nothing. */
  commit(): Promise<{ ok: boolean }>;
}

/** What is used of a database: `Deno.Kv`, or that of the npm package `@deno/kv`. */
export interface DenoKv {
  /** Begins a transaction. */
  atomic(): DenoKvTransaction;
  /** Removes a value. */
  delete(key: DenoKvKey): Promise<void>;
  /** Values by key, in the order of the keys. */
  list<T>(
    selector: { prefix: DenoKvKey },
    options?: { reverse?: boolean; limit?: number },
  ): AsyncIterable<{ key: DenoKvKey; value: T; versionstamp: string }>;
}

/** Whether it may be handed out; what others wrote under the prefix may not. */
function lives(entry: Partial<Entry> | null): entry is Entry {
  return entry?.value instanceof Uint8Array && entry.expiresAt! > Date.now();
}

/**
 * Keeps sessions in a Deno KV database that the caller opened, and closes.
 *
 * `take` is atomic: of any number of processes on one database, one gets a value.
 *
 * @example
 * ```ts ignore
 * import { ClientContext, SealingKeys } from "@reprise/tls";
 * import { denoKvStore } from "@reprise/tls/stores/deno_kv";
 *
 * using kv = await Deno.openKv("sessions.db");
 * const keys = await SealingKeys.fromSecret(secret);
 * const context = new ClientContext({ resumption: { store: denoKvStore(kv), keys } });
 * ```
 */
export function denoKvStore(kv: DenoKv, options: DenoKvStoreOptions = {}): SessionStore {
  if (typeof kv?.atomic !== "function") {
    throw new TypeError(`Argument "kv" must be a Deno.Kv, got ${typeof kv}`);
  }
  const prefix = options.prefix ?? ["reprise"];

  async function newestFirst(partition: string, limit?: number) {
    const options = { reverse: true, ...(limit === undefined ? {} : { limit }) };
    return await whileLocked(async () => {
      const found = [];
      for await (const entry of kv.list<Entry>({ prefix: [...prefix, partition] }, options)) {
        found.push(entry);
      }
      return found;
    });
  }

  const remove = (key: DenoKvKey) => whileLocked(() => kv.delete(key));

  return {
    capabilities: {
      atomicTake: true,
      consistency: "strong",
      maxValueBytes: MAX_VALUE_BYTES,
    },
    async put(partition: string, value: Uint8Array, { expiresAt, limit }: PutOptions) {
      const expireIn = Math.max(1, Math.ceil(expiresAt - Date.now()));
      const key = [...prefix, partition, sequence()];
      const entry: Entry = { value, expiresAt };
      await whileLocked(() => kv.atomic().set(key, entry, { expireIn }).commit());
      if (limit === Infinity) return;
      for (const { key } of (await newestFirst(partition)).slice(limit)) await remove(key);
    },
    async take(partition: string) {
      for (let lost = 0; lost < MAX_LOST;) {
        const [newest] = await newestFirst(partition, 1);
        if (newest === undefined) return null;
        const { key, versionstamp, value } = newest;
        const { ok } = await whileLocked(() =>
          kv.atomic().check({ key, versionstamp }).delete(key).commit()
        );
        if (!ok) lost++;
        else if (lives(value)) return value.value;
      }
      throw new Error(`Too many callers take from one partition: lost to ${MAX_LOST} of them`);
    },
    async peek(partition: string) {
      for (const { value } of await newestFirst(partition)) {
        if (lives(value)) return value.value;
      }
      return null;
    },
    async delete(partition: string) {
      for (const { key } of await newestFirst(partition)) await remove(key);
    },
    async purge() {
      for await (const { key, value } of kv.list<Entry>({ prefix: [...prefix] })) {
        if (!lives(value)) await remove(key);
      }
    },
  };
}

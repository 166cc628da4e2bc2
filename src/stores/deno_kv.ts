/**
 * A store in Deno KV: an embedded SQLite file, or a remote database by KV Connect.
 *
 * ```text
 * key    [prefix..., partition, sequence]   sequence: 16 hex digits of time, 16 random ones
 * value  { value: Uint8Array, expiresAt: number }
 * ```
 * Values expire by `expireIn`, which Deno KV carries out late; so the time is kept beside the
 * value and checked.
 *
 * @module
 */

import type { PutOptions, SessionStore } from "../session_store.ts";

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
/** Takers who lost a race try again; each time one of them wins, so this is never reached idle. */
const MAX_TRIES = 64;

/** The part of `Deno.Kv` that is used. */
export type DenoKv = Pick<Deno.Kv, "atomic" | "delete" | "list">;

function sequence(): string {
  const random = crypto.getRandomValues(new Uint32Array(2));
  const digits = (n: number, length: number) => n.toString(16).padStart(length, "0");
  return digits(Date.now(), 16) + digits(random[0], 8) + digits(random[1], 8);
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

  const newestFirst = (partition: string, limit?: number) =>
    kv.list<Entry>({ prefix: [...prefix, partition] }, { reverse: true, limit });

  return {
    capabilities: {
      atomicTake: true,
      consistency: "strong",
      maxValueBytes: MAX_VALUE_BYTES,
    },
    async put(partition: string, value: Uint8Array, { expiresAt, limit }: PutOptions) {
      const expireIn = Math.max(1, Math.ceil(expiresAt - Date.now()));
      const key = [...prefix, partition, sequence()];
      await kv.atomic().set(key, { value, expiresAt }, { expireIn }).commit();
      if (limit === Infinity) return;
      let kept = 0;
      for await (const entry of newestFirst(partition)) {
        if (++kept > limit) await kv.delete(entry.key);
      }
    },
    async take(partition: string) {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        let found = false;
        for await (const entry of newestFirst(partition, 1)) {
          found = true;
          const { key, versionstamp } = entry;
          const { ok } = await kv.atomic().check({ key, versionstamp }).delete(key).commit();
          if (ok && entry.value.expiresAt > Date.now()) return entry.value.value;
        }
        if (!found) return null;
      }
      throw new Error(`Too many callers take from one partition: gave up after ${MAX_TRIES} tries`);
    },
    async peek(partition: string) {
      for await (const { value } of newestFirst(partition)) {
        if (value.expiresAt > Date.now()) return value.value;
      }
      return null;
    },
    async delete(partition: string) {
      for await (const { key } of newestFirst(partition)) await kv.delete(key);
    },
    async purge() {
      for await (const { key, value } of kv.list<Entry>({ prefix: [...prefix] })) {
        if (value.expiresAt <= Date.now()) await kv.delete(key);
      }
    },
  };
}

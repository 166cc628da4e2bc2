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
 * Rules: what lies under the prefix belongs to the store, whoever wrote it: what cannot be used is
 * removed when it is met. A partition is read page by page, and no further than needed.
 *
 * @module
 */

import { badOption } from "../option_errors.ts";
import { checkList, checkString, checkText, hasMethods } from "../options.ts";
import { type KnownOptions, readOptions } from "../read_options.ts";
import type { PutOptions, SessionStore } from "../session_store.ts";
import { isValue, lives, MAX_PASSED_OVER, MAX_VALUES } from "./bounds.ts";
import { patience, whileLocked } from "./locked.ts";
import { checkPartition, checkPut } from "./put_options.ts";
import { sequence } from "./sequence.ts";

/** Options of {@linkcode denoKvStore}. */
export interface DenoKvStoreOptions {
  /**
   * What keys start with, `["reprise"]` by default: 1 to 8 strings, of 512 bytes of UTF-8 together.
   */
  prefix?: readonly string[];
}

const OPTIONS = { prefix: "anywhere" } as const satisfies KnownOptions<DenoKvStoreOptions>;

interface Entry {
  value: Uint8Array;
  expiresAt: number;
}

/** Deno KV's limit on a value is 65,536 bytes, of which its encoding takes some. */
const MAX_VALUE_BYTES = 65_000;
/** Takers who lost a race try again; each time another one wins, so only a crowd reaches this. */
const MAX_LOST = 256;
/** Entries that are read at once: 1 MiB, if they are as large as can be. */
const PAGE = 16;
/** A key of Deno KV has 2,048 bytes at most, of which the rest of ours takes some 150. */
const MAX_PREFIX_PARTS = 8;
const MAX_PREFIX_BYTES = 512;

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
    selector: { prefix: DenoKvKey; end?: DenoKvKey },
    options?: { reverse?: boolean; limit?: number },
  ): AsyncIterable<{ key: DenoKvKey; value: T; versionstamp: string }>;
}

/** Whether it may be handed out; what others wrote under the prefix may not. */
function isUsable(entry: unknown): entry is Entry {
  const { value, expiresAt } = (entry ?? {}) as Partial<Entry>;
  return isValue(value, MAX_VALUE_BYTES) && lives(expiresAt);
}

function checkPrefix(value: unknown): string[] {
  const expected = `an array of 1 to ${MAX_PREFIX_PARTS} strings`;
  const prefix = checkList("prefix", value, expected, (part) => {
    checkString("prefix", part);
    return checkText("prefix", part, MAX_PREFIX_BYTES);
  }, MAX_PREFIX_PARTS);
  // Without one, `purge()` would take the whole database for the store's.
  if (prefix.length === 0) {
    throw new TypeError(`Option "prefix" must be ${expected}, got an empty one`);
  }
  checkText("prefix", prefix.join(""), MAX_PREFIX_BYTES);
  return prefix;
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
  if (!hasMethods('Argument "kv"', kv, "atomic")) badOption("kv", "a Deno.Kv", kv, "Argument");
  const given = readOptions(options, OPTIONS, "denoKvStore() options");
  const { prefix: named = ["reprise"] } = given;
  const prefix = checkPrefix(named);

  /** The entries of a partition, the newest first. */
  async function* newestFirst(partition: string, until: number, page = PAGE) {
    const selector: { prefix: DenoKvKey; end?: DenoKvKey } = { prefix: [...prefix, partition] };
    for (;;) {
      const found = await whileLocked(async () => {
        const entries = [];
        const options = { reverse: true, limit: page };
        for await (const entry of kv.list<unknown>(selector, options)) entries.push(entry);
        return entries;
      }, until);
      yield* found;
      if (found.length < page) return;
      selector.end = found.at(-1)!.key;
    }
  }

  const remove = (key: DenoKvKey, until: number) => whileLocked(() => kv.delete(key), until);

  /** Whether it was this call that removed the entry, as it was read. */
  async function won(
    { key, versionstamp }: { key: DenoKvKey; versionstamp: string },
    until: number,
  ): Promise<boolean> {
    const { ok } = await whileLocked(
      () => kv.atomic().check({ key, versionstamp }).delete(key).commit(),
      until,
    );
    return ok;
  }

  return {
    capabilities: {
      atomicTake: true,
      consistency: "strong",
      maxValueBytes: MAX_VALUE_BYTES,
    },
    async put(partition: string, bytes: Uint8Array, options: PutOptions) {
      const { value, expiresAt, limit } = checkPut(partition, bytes, options, MAX_VALUE_BYTES);
      const until = patience();
      const expireIn = Math.max(1, Math.ceil(expiresAt - Date.now()));
      const key = [...prefix, partition, sequence()];
      const entry: Entry = { value, expiresAt };
      await whileLocked(() => kv.atomic().set(key, entry, { expireIn }).commit(), until);
      let kept = 0;
      let removed = 0;
      for await (const { key } of newestFirst(partition, until)) {
        if (kept < limit) kept++;
        else {
          await remove(key, until);
          if (++removed === MAX_PASSED_OVER) break;
        }
      }
    },
    async take(partition: string) {
      checkPartition(partition);
      const until = patience();
      let lost = 0;
      for (let unusable = 0; unusable < MAX_PASSED_OVER;) {
        // Anew after each one: others take and put meanwhile.
        const { value: newest } = await newestFirst(partition, until, 1).next();
        if (newest === undefined) return null;
        if (!(await won(newest, until))) {
          if (++lost < MAX_LOST) continue;
          throw new Error(`Too many callers take from one partition: lost to ${MAX_LOST} of them`);
        }
        if (isUsable(newest.value)) return newest.value.value;
        unusable++;
      }
      return null;
    },
    async peek(partition: string) {
      checkPartition(partition);
      const until = patience();
      let unusable = 0;
      for await (const entry of newestFirst(partition, until)) {
        if (isUsable(entry.value)) return entry.value.value;
        // So that the next call has less to pass over.
        await won(entry, until);
        if (++unusable === MAX_PASSED_OVER) break;
      }
      return null;
    },
    async delete(partition: string) {
      checkPartition(partition);
      const until = patience();
      let left = MAX_VALUES + MAX_PASSED_OVER;
      for await (const { key } of newestFirst(partition, until)) {
        if (left-- === 0) {
          throw new Error(`The partition holds more than ${MAX_VALUES} values: delete it again`);
        }
        await remove(key, until);
      }
    },
    async purge() {
      for await (const { key, value } of kv.list<unknown>({ prefix: [...prefix] })) {
        if (!isUsable(value)) await remove(key, patience());
      }
    },
  };
}

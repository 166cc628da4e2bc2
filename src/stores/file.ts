/**
 * A store in a folder of a local file system; for Deno, Node and Bun.
 *
 * ```text
 * FOLDER/tmp/SEQUENCE                          being written, or just taken
 * FOLDER/SHARD/PARTITION.SEQUENCE.EXPIRES      one value; EXPIRES: milliseconds since 1970, hex
 * ```
 * A value comes to its place, and leaves it, by a rename: there is none that is half written, and
 * of any number of processes one takes it. What a process that crashed leaves in `tmp` is removed
 * by `purge()`; it was in nobody's hands. After a power failure a file may be torn or back: a torn
 * one does not open.
 *
 * @module
 */

import { mkdir, readdir, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { PutOptions, SessionStore } from "../session_store.ts";
import { plainName } from "./plain_name.ts";
import { sequence, timeOf } from "./sequence.ts";

/** Keeps folders small: a million values are 250 in each. */
const SHARDS = 4096;
/** What lies in `tmp` for longer was left there. */
const LEFT_MS = 60 * 60 * 1000;
/** Expired files that a put removes where it looks anyway. */
const MOST_REMOVED = 16;

/** FNV-1a: spreads any names. */
function shard(name: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return ((hash >>> 0) % SHARDS).toString(16).padStart(3, "0");
}

function expiresAt(file: string): number {
  return parseInt(file.slice(file.lastIndexOf(".") + 1), 16);
}

/** The outcome, or `null` where a file or folder is not there. */
async function ifThere<T>(outcome: Promise<T>): Promise<T | null> {
  try {
    return await outcome;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return null;
    throw error;
  }
}

/**
 * Keeps sessions as files, readable to this user only. The folder is made when it is needed.
 *
 * `take` is atomic between all processes of a machine; on a network file system it is as atomic as
 * its rename. What expires is removed by puts little by little, and by `purge()` at once.
 *
 * @example
 * ```ts ignore
 * import { ClientContext, SealingKeys } from "@reprise/tls";
 * import { fileStore } from "@reprise/tls/stores/file";
 *
 * const keys = await SealingKeys.fromSecret(secret);
 * const context = new ClientContext({ resumption: { store: fileStore("./sessions"), keys } });
 * ```
 */
export function fileStore(folder: string | URL): SessionStore {
  if (typeof folder !== "string" && !(folder instanceof URL)) {
    throw new TypeError(`Argument "folder" must be a path or a file URL, got ${typeof folder}`);
  }
  const root = typeof folder === "string" ? folder : fileURLToPath(folder);
  const tmp = join(root, "tmp");

  /** Does something in a folder, which is made if it is not there. */
  async function inFolder<T>(path: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ENOENT") throw error;
      await mkdir(path, { recursive: true, mode: 0o700 });
      return await action();
    }
  }

  /** The partition's files, the newest first, and the others in its folder. */
  async function look(partition: string) {
    const name = plainName(partition);
    const path = join(root, shard(name));
    const all = await ifThere(readdir(path)) ?? [];
    const own = all.filter((file) => file.startsWith(`${name}.`)).sort().reverse();
    return { path, own, all };
  }

  const remove = (path: string, file: string) => ifThere(unlink(join(path, file)));

  return {
    capabilities: { atomicTake: true, consistency: "strong" },
    async put(partition: string, value: Uint8Array, options: PutOptions) {
      const name = plainName(partition);
      const path = join(root, shard(name));
      const written = join(tmp, sequence());
      await inFolder(tmp, () => writeFile(written, value, { mode: 0o600, flag: "wx" }));
      const expires = Math.max(0, Math.floor(options.expiresAt)).toString(16);
      const file = `${name}.${sequence()}.${expires}`;
      await inFolder(path, () => rename(written, join(path, file)));
      const { own, all } = await look(partition);
      const now = Date.now();
      const expired = all.filter((each) => expiresAt(each) <= now).slice(0, MOST_REMOVED);
      for (const each of new Set([...own.slice(options.limit), ...expired])) {
        await remove(path, each);
      }
    },
    async take(partition: string) {
      const { path, own } = await look(partition);
      for (const file of own) {
        if (expiresAt(file) <= Date.now()) continue;
        const taken = join(tmp, sequence());
        // Whoever renames it has it; for the others it is not there.
        const renamed = await ifThere(rename(join(path, file), taken).then(() => true));
        if (renamed === null) continue;
        const value = await readFile(taken);
        await unlink(taken);
        return new Uint8Array(value);
      }
      return null;
    },
    async peek(partition: string) {
      const { path, own } = await look(partition);
      for (const file of own) {
        if (expiresAt(file) <= Date.now()) continue;
        const value = await ifThere(readFile(join(path, file)));
        if (value !== null) return new Uint8Array(value);
      }
      return null;
    },
    async delete(partition: string) {
      const { path, own } = await look(partition);
      for (const file of own) await remove(path, file);
    },
    async purge() {
      for (const name of await ifThere(readdir(root)) ?? []) {
        const path = join(root, name);
        const now = Date.now();
        const over = name === "tmp"
          ? (file: string) => timeOf(file) <= now - LEFT_MS
          : (file: string) => expiresAt(file) <= now;
        if (name !== "tmp" && !/^[0-9a-f]{3}$/.test(name)) continue;
        for (const file of await ifThere(readdir(path)) ?? []) {
          if (over(file)) await remove(path, file);
        }
      }
    },
  };
}

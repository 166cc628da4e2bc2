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

import { rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { badOption, quoted, reading } from "../option_errors.ts";
import type { PutOptions, SessionStore } from "../session_store.ts";
import { lives, MAX_PASSED_OVER, MAX_VALUE_BYTES } from "./bounds.ts";
import { ifThere, isThere, type Listed, listFolder, makeFolder, readRegular } from "./folder.ts";
import { plainName } from "./plain_name.ts";
import { checkPartition, checkPut } from "./put_options.ts";
import { sequence, timeOf } from "./sequence.ts";

/** Keeps folders small: a million values are 250 in each. */
const SHARDS = 4096;
/** What lies in `tmp` for longer was left there. */
const LEFT_MS = 60 * 60 * 1000;
/** What is no longer usable, and a put removes where it looks anyway. */
const MOST_REMOVED = 16;
/** The name of a value: its partition, and when it expires. */
const VALUE = /^(=?[0-9a-z_-]+)\.[0-9a-f]{32}\.([0-9a-f]{1,13})$/;

/** FNV-1a: spreads any names. */
function shard(name: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return nameOfShard((hash >>> 0) % SHARDS);
}

function nameOfShard(number: number): string {
  return number.toString(16).padStart(3, "0");
}

/** The partition in a name; `undefined`: it is no value's. */
function partitionOf({ name }: Listed): string | undefined {
  return VALUE.exec(name)?.[1];
}

/** The expiry in the name of a value. */
function expiryOf({ name }: Listed): number {
  return parseInt(VALUE.exec(name)![2], 16);
}

/** Whether it has the name of a value, and is none that is ever handed out. */
function isOver(entry: Listed): boolean {
  return partitionOf(entry) !== undefined && !(entry.isFile && lives(expiryOf(entry)));
}

/** Whether it was left in `tmp`: a clock that was set may have named it after a time to come. */
function isLeft({ name }: Listed): boolean {
  return /^[0-9a-f]{32}$/.test(name) && Math.abs(Date.now() - timeOf(name)) > LEFT_MS;
}

/** The path of a folder; `TypeError` on what is neither a path nor the URL of a file. */
function pathOf(folder: unknown): string {
  const expected = "a path or a file URL";
  if (typeof folder === "string") {
    if (folder !== "" && !folder.includes("\0")) return folder;
    const got = folder === "" ? "an empty string" : "a string with a NUL";
    throw new TypeError(`Argument "folder" must be ${expected}, got ${got}`);
  }
  const url = reading('Argument "folder"', () => folder instanceof URL ? folder.href : undefined);
  if (url?.startsWith("file:")) return fileURLToPath(url);
  if (url === undefined) badOption("folder", expected, folder, "Argument");
  throw new TypeError(`Argument "folder" must be ${expected}, got ${quoted(url)}`);
}

/**
 * Keeps sessions as files, readable to this user only. The folder is made when it is needed.
 *
 * `take` is atomic between all processes of a machine; on a network file system it is as atomic as
 * its rename. What expires is removed by puts little by little, and by `purge()` at once.
 *
 * Who else can write into the folder cannot stop this process or fill it. Only regular files that
 * have the name of a value are read, and none of more than 256 KiB; links, FIFOs and the like are
 * never followed or opened for long, and puts remove them where they have such a name. A folder of
 * more than 16,384 entries, or a link in place of one, makes the call reject.
 *
 * @throws {TypeError} on what is neither a path nor a file URL.
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
  const root = pathOf(folder);
  const tmp = join(root, "tmp");

  /** The partition's values that have not expired, the newest first, and all of its folder. */
  async function look(partition: string) {
    const name = plainName(partition);
    const path = join(root, shard(name));
    const all = await listFolder(path);
    const now = Date.now();
    const own = all
      .filter((each) => each.isFile && partitionOf(each) === name && lives(expiryOf(each), now))
      .map((each) => each.name).sort().reverse();
    return { path, own, all };
  }

  const remove = (path: string, file: string) => ifThere(unlink(join(path, file)));
  const read = (path: string, file: string) =>
    ifThere(readRegular(join(path, file), MAX_VALUE_BYTES));

  /** Removes entries, but no folders: those are nothing that this store made. */
  async function removeAll(path: string, entries: Listed[]): Promise<void> {
    for (const { name, isDirectory } of entries) if (!isDirectory) await remove(path, name);
  }

  /** Keeps no more than the limit, and cleans up a little. */
  async function tidy(partition: string, limit: number): Promise<void> {
    const { path, own, all } = await look(partition);
    for (const file of own.slice(limit)) await remove(path, file);
    await removeAll(path, all.filter(isOver).slice(0, MOST_REMOVED));
  }

  return {
    capabilities: { atomicTake: true, consistency: "strong", maxValueBytes: MAX_VALUE_BYTES },
    async put(partition: string, given: Uint8Array, options: PutOptions) {
      const { value, expiresAt, limit } = checkPut(partition, given, options);
      const name = plainName(partition);
      const path = join(root, shard(name));
      const file = `${name}.${sequence()}.${Math.floor(expiresAt).toString(16)}`;
      await makeFolder(tmp);
      await makeFolder(path);
      const writing = sequence();
      try {
        await writeFile(join(tmp, writing), value, { mode: 0o600, flag: "wx" });
        await rename(join(tmp, writing), join(path, file));
        await tidy(partition, limit);
      } catch (error) {
        // What was not put must not be found.
        for (const [folder, name] of [[tmp, writing], [path, file]]) {
          await remove(folder, name).catch(() => {});
        }
        throw error;
      }
    },
    async take(partition: string) {
      const { path, own } = await look(checkPartition(partition));
      if (own.length > 0) await makeFolder(tmp);
      let unusable = 0;
      for (const file of own) {
        const taken = sequence();
        // Whoever renames it has it; for the others it is not there.
        const renamed = await ifThere(
          rename(join(path, file), join(tmp, taken)).then(() => true),
        );
        if (renamed === null) continue;
        const value = await read(tmp, taken);
        await remove(tmp, taken);
        if (value !== null) return value;
        if (++unusable === MAX_PASSED_OVER) break;
      }
      return null;
    },
    async peek(partition: string) {
      const { path, own } = await look(checkPartition(partition));
      for (const file of own.slice(0, MAX_PASSED_OVER)) {
        const value = await read(path, file);
        if (value !== null) return value;
      }
      return null;
    },
    async delete(partition: string) {
      const name = plainName(checkPartition(partition));
      const path = join(root, shard(name));
      const all = await listFolder(path);
      await removeAll(path, all.filter((each) => partitionOf(each) === name));
    },
    async purge() {
      // What is wrong with one folder keeps nobody from cleaning up the others.
      const failures: unknown[] = [];
      const clean = async (path: string, over: (each: Listed) => boolean) => {
        try {
          await removeAll(path, (await listFolder(path)).filter(over));
        } catch (error) {
          failures.push(error);
        }
      };
      if (!(await isThere(root))) return;
      await clean(tmp, isLeft);
      for (let i = 0; i < SHARDS; i++) await clean(join(root, nameOfShard(i)), isOver);
      if (failures.length > 0) throw failures[0];
    },
  };
}

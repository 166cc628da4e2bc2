/**
 * A store in one folder: a file for each session, by `node:fs`, in Deno, Node and Bun.
 *
 * ```text
 * FOLDER/PARTITION/SEQUENCE-EXPIRY       the value; sequence as in sequence.ts, expiry in hex ms
 * FOLDER/new-RANDOM                      being written
 * FOLDER/taken-RANDOM                    being read by the one who took it
 * ```
 *
 * Rules: a file appears whole, by a rename, and is taken by a rename, which has one winner in
 * whatever process. After a crash the worst is a file that nobody takes; `purge()` removes it.
 * Files are for their owner alone (0600).
 *
 * @module
 */

import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { PutOptions, SessionStore } from "../session_store.ts";
import { sequence } from "./sequence.ts";

/** What is left over from a crash is removed when it is older. */
const LEFT_OVER_MS = 60 * 60 * 1000;

const EXPIRY = /-([0-9a-f]+)$/;

function isMissing(error: unknown): boolean {
  return (error as { code?: string }).code === "ENOENT";
}

/** `undefined` where the file or folder is not there. */
async function ifThere<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Names that are safe in every file system, and not those of files of our own. */
function folderName(partition: string): string {
  return `p-${encodeURIComponent(partition).replaceAll("*", "%2A").replaceAll(".", "%2E")}`;
}

/**
 * Keeps sessions in files of one folder, which is made if it is not there.
 *
 * @param folder A path, on a file system whose renames are atomic (not most network ones).
 *
 * @example
 * ```ts ignore
 * const store = fileStore("/var/lib/app/sessions");
 * const context = new ClientContext({ resumption: { store, keys } });
 * ```
 */
export function fileStore(folder: string): SessionStore {
  if (typeof folder !== "string" || folder === "") {
    throw new TypeError(`Argument "folder" must be a path, got ${typeof folder}`);
  }
  const place = (partition: string) => join(folder, folderName(partition));
  const temporary = (what: "new" | "taken") => join(folder, `${what}-${sequence()}`);

  /** Names of a partition's values, the newest first. */
  async function newestFirst(partition: string): Promise<string[]> {
    const names = await ifThere(readdir(place(partition))) ?? [];
    return names.filter((name) => EXPIRY.test(name)).sort().reverse();
  }

  const expired = (name: string) => parseInt(EXPIRY.exec(name)![1], 16) <= Date.now();

  /** Moves a value out of everyone's sight; `undefined`: another one was faster. */
  async function claim(path: string): Promise<string | undefined> {
    const taken = temporary("taken");
    try {
      await rename(path, taken);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    return taken;
  }

  async function discard(path: string): Promise<void> {
    await rm(path, { force: true });
  }

  return {
    capabilities: { atomicTake: true, consistency: "strong" },
    async put(partition: string, value: Uint8Array, { expiresAt, limit }: PutOptions) {
      const into = place(partition);
      await mkdir(into, { recursive: true, mode: 0o700 });
      const path = temporary("new");
      await writeFile(path, value, { mode: 0o600, flag: "wx" });
      await chmod(path, 0o600);
      const name = `${sequence()}-${Math.max(0, Math.floor(expiresAt)).toString(16)}`;
      try {
        await rename(path, join(into, name));
      } catch (error) {
        if (!isMissing(error)) throw error;
        // Somebody deleted the partition in between.
        await mkdir(into, { recursive: true, mode: 0o700 });
        await rename(path, join(into, name));
      }
      const names = await newestFirst(partition);
      for (const old of names.slice(Math.min(limit, names.length))) await discard(join(into, old));
    },
    async take(partition: string) {
      for (const name of await newestFirst(partition)) {
        const path = join(place(partition), name);
        if (expired(name)) {
          await discard(path);
          continue;
        }
        const taken = await claim(path);
        if (taken === undefined) continue;
        const value = await readFile(taken);
        await discard(taken);
        return new Uint8Array(value);
      }
      return null;
    },
    async peek(partition: string) {
      for (const name of await newestFirst(partition)) {
        if (expired(name)) continue;
        const value = await ifThere(readFile(join(place(partition), name)));
        if (value !== undefined) return new Uint8Array(value);
      }
      return null;
    },
    async delete(partition: string) {
      await rm(place(partition), { recursive: true, force: true });
    },
    async purge() {
      for (const entry of await ifThere(readdir(folder)) ?? []) {
        const path = join(folder, entry);
        if (entry.startsWith("new-") || entry.startsWith("taken-")) {
          const about = await ifThere(stat(path));
          if (about && Date.now() - about.mtimeMs > LEFT_OVER_MS) await discard(path);
        } else if (entry.startsWith("p-")) {
          for (const name of await ifThere(readdir(path)) ?? []) {
            if (EXPIRY.test(name) && expired(name)) await discard(join(path, name));
          }
        }
      }
    },
  };
}

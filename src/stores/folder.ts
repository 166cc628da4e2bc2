/**
 * What is in a folder that others may write into, and what is in a file there.
 *
 * Rules: a folder is a folder and no link to one. How many of its entries are looked at is bounded,
 * and they are read one after the other where the runtime can. Only regular files are read, and no
 * more of them than asked for: nothing is followed, waited for, or taken at its word for its size.
 *
 * It does not know what the names mean.
 *
 * @module
 */

import { constants, type Stats } from "node:fs";
import { lstat, mkdir, open, opendir } from "node:fs/promises";

/** One entry of a folder, as it was when it was listed. */
export interface Listed {
  name: string;
  isFile: boolean;
  isDirectory: boolean;
}

/** Entries of one folder that are looked at: of 4,096 folders that is 67 million values. */
export const MAX_ENTRIES = 16_384;
/**
 * Bun reads a folder whole before it gives the first entry. A folder of this size has some 70,000
 * entries whose names are as long as those of values.
 */
const MAX_FOLDER_BYTES = 8 * 1024 * 1024;

/** Windows has neither flag: there a FIFO is no file, and links take a privilege. */
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
/** What `open()` says of a link, a socket, a device without a driver and, on Windows, a folder. */
const NO_FILE = new Set(["ELOOP", "EMLINK", "ENXIO", "ENODEV", "EISDIR"]);

interface DenoFiles {
  readDir?(
    path: string,
  ): AsyncIterable<{ name: string; isFile: boolean; isDirectory: boolean }>;
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}

/** The outcome, or `null` where a file or folder is not there. */
export async function ifThere<T>(outcome: Promise<T>): Promise<T | null> {
  try {
    return await outcome;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

async function folderStats(path: string): Promise<Stats | null> {
  const stats = await ifThere(lstat(path));
  if (stats !== null && !stats.isDirectory()) {
    throw new Error(`"${path}" is in the way of a folder of the store: remove it`);
  }
  return stats;
}

/** Whether a folder is there, or a link to one. */
export async function isThere(path: string): Promise<boolean> {
  return await ifThere(lstat(path)) !== null;
}

/** Makes a folder, with those above it, unless it is there. */
export async function makeFolder(path: string): Promise<void> {
  if (await folderStats(path) !== null) return;
  await mkdir(path, { recursive: true, mode: 0o700 });
}

/**
 * The entries of a folder; none, if it is not there.
 *
 * @throws if there are more than {@linkcode MAX_ENTRIES}, or if it is no folder.
 */
export async function listFolder(path: string): Promise<Listed[]> {
  const stats = await folderStats(path);
  if (stats === null) return [];
  if ("Bun" in globalThis && stats.size > MAX_FOLDER_BYTES) throw tooMany(path);
  const listed: Listed[] = [];
  for await (const entry of await ifThere(entriesOf(path)) ?? []) {
    if (listed.length === MAX_ENTRIES) throw tooMany(path);
    listed.push(entry);
  }
  return listed;
}

function tooMany(path: string): Error {
  return new Error(
    `The folder "${path}" has more than ${MAX_ENTRIES} entries. Remove it: what is lost are ` +
      "sessions, each of which costs a full handshake",
  );
}

/** One after the other: Deno's `opendir` would read all of them first. */
async function entriesOf(path: string): Promise<AsyncIterable<Listed>> {
  const { readDir } = (globalThis as { Deno?: DenoFiles }).Deno ?? {};
  if (readDir !== undefined) return readDir(path);
  const folder = await opendir(path, { bufferSize: 256 });
  return (async function* () {
    for await (const entry of folder) {
      yield { name: entry.name, isFile: entry.isFile(), isDirectory: entry.isDirectory() };
    }
  })();
}

/**
 * All of a regular file, if it is no larger than `most` bytes; `null` for anything else.
 *
 * @throws as `open()` does, with `ENOENT` where nothing is there.
 */
export async function readRegular(
  path: string,
  most: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  let file;
  try {
    file = await open(path, READ);
  } catch (error) {
    if (NO_FILE.has(codeOf(error) as string)) return null;
    throw error;
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > most) return null;
    const bytes = new Uint8Array(stats.size);
    let read = 0;
    while (read < bytes.length) {
      const { bytesRead } = await file.read(bytes, read, bytes.length - read, read);
      if (bytesRead === 0) break;
      read += bytesRead;
    }
    return bytes.slice(0, read);
  } finally {
    await file.close();
  }
}

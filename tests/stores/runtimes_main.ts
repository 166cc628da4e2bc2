/**
 * The contract in Node and in Bun, for the stores that are for them too, and what others leave in
 * the folder of a store: prints the outcomes as a line of JSON. It is bundled, and run by
 * `runtimes_test.ts`.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileStore } from "../../src/stores/file.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { type SqliteDatabase, sqliteStore } from "../../src/stores/sqlite.ts";
import { hostileFiles } from "./hostile_files.ts";
import { storeContract, type StoreUnderTest } from "./contract.ts";

/** What became of a case: `null`, or what failed. */
export type Outcomes = Record<string, string | null>;

type Open = (path: string) => SqliteDatabase & { close(): void };

/** The runtime's own SQLite, or `undefined`: Node has one from version 22 on. */
async function sqlite(): Promise<Open | undefined> {
  const bun = "Bun" in globalThis;
  // As variables: a bundler does not look for them.
  const module = bun ? "bun:sqlite" : "node:sqlite";
  try {
    const { Database, DatabaseSync } = await import(module);
    return (path) => bun ? new Database(path, { create: true }) : new DatabaseSync(path);
  } catch {
    return undefined;
  }
}

async function folder() {
  const path = await mkdtemp(join(tmpdir(), "stores-"));
  return { path, remove: () => rm(path, { recursive: true }) };
}

const open = await sqlite();
const kinds: Record<string, () => Promise<StoreUnderTest>> = {
  memory: () => Promise.resolve({ store: memoryStore(), close() {} }),
  async file() {
    const { path, remove } = await folder();
    return { store: fileStore(path), close: remove };
  },
};
if (open !== undefined) {
  kinds.SQLite = async () => {
    const { path, remove } = await folder();
    const database = open(join(path, "sessions.db"));
    database.prepare("PRAGMA synchronous = OFF").run();
    return {
      store: sqliteStore(database),
      async close() {
        database.close();
        await remove();
      },
    };
  };
}

const outcomes: Outcomes = {};
for (const [kind, make] of Object.entries(kinds)) {
  for (const { name, fn } of storeContract(make)) {
    outcomes[`${kind}: ${name}`] = await fn().then(() => null, (error) => String(error));
  }
}
for (const { name, fn } of hostileFiles) {
  const { path, remove } = await folder();
  outcomes[`file: ${name}`] = await fn(path).then(() => null, (error) => String(error));
  await remove();
}
// deno-lint-ignore no-console -- how it answers
console.log(JSON.stringify(outcomes));

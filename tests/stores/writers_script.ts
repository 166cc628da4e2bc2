/**
 * One of several processes that put and take in one SQLite file as fast as they can; says which
 * calls failed. The file has no write-ahead log, so each call needs it for itself; nothing waits for
 * the disk, which is not what is tested.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { whileLocked } from "../../src/stores/locked.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { readInput, writeOutput } from "../peers/process.ts";
import { living } from "./contract_values.ts";

const { path, calls } = await readInput<{ path: string; calls: number }>();
const database = new DatabaseSync(path);
await whileLocked(() => database.exec("PRAGMA synchronous = OFF"));
const store = sqliteStore(database);
const lost: string[] = [];
for (let i = 0; i < calls; i++) {
  const partition = `p${i % 7}`;
  const call = i % 2 === 0
    ? store.put(partition, new Uint8Array(2000), living())
    : store.take(partition);
  await call.catch((error) => lost.push(String(error)));
}
database.close();
writeOutput(lost);

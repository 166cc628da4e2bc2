/** The agent in Node and Bun: the npm package; sessions in SQLite where there is one, else files. */

import { join } from "node:path";
import process from "node:process";
import { Readable } from "node:stream";
// Bundled beside a folder that has it.
import * as library from "@reprise/tls";
import { fetchOver } from "@reprise/tls/http";
import { fileStore } from "@reprise/tls/stores/file";
import { type SqliteDatabase, sqliteStore } from "@reprise/tls/stores/sqlite";
import { makeAgent } from "../agent.ts";
import { serveLines } from "./lines.ts";

const [folder] = process.argv.slice(2);
const bun = process.versions.bun;

async function store() {
  const path = join(folder, "sessions.db");
  // As variables: a bundler does not look for them.
  const module = bun ? "bun:sqlite" : "node:sqlite";
  try {
    const { Database, DatabaseSync } = await import(module);
    const open = bun ? new Database(path, { create: true }) : new DatabaseSync(path);
    return sqliteStore(open as SqliteDatabase);
  } catch {
    return fileStore(join(folder, "sessions")); // Node before 22
  }
}

const agent = makeAgent({
  library,
  fetchOver,
  version: bun ? `Bun ${bun}` : `Node ${process.versions.node}`,
  connect: library.connectTls,
  store,
  listens: true,
});

await serveLines(
  agent,
  Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>,
  (line) => process.stdout.write(`${line}\n`),
);
process.exit();

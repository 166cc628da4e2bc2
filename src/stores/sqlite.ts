/**
 * A store in a SQLite database that the caller opened: by `node:sqlite` (Node, Deno) or
 * `bun:sqlite`.
 *
 * @module
 */

import type { PutOptions, SessionStore } from "../session_store.ts";
import { whileLocked } from "./locked.ts";

/** What is used of a prepared statement. */
export interface SqliteStatement {
  /** Runs it to its end. */
  // deno-lint-ignore no-explicit-any -- the parameters' types differ between the two
  run(...parameters: any[]): unknown;
  /** Runs it to its end; the rows. */
  // deno-lint-ignore no-explicit-any -- likewise
  all(...parameters: any[]): unknown[];
}

/** What is used of a database: `DatabaseSync` of `node:sqlite`, `Database` of `bun:sqlite`. */
export interface SqliteDatabase {
  /** Prepares a statement. */
  prepare(sql: string): SqliteStatement;
}

/** Options of {@linkcode sqliteStore}. */
export interface SqliteStoreOptions {
  /** The table, made if it is not there; `"reprise_sessions"` by default. */
  table?: string;
}

/** Expired rows that a put removes on its way. */
const MOST_REMOVED = 16;
/** SQLite has integers; no partition holds more. */
const NO_LIMIT = 2 ** 31;

/**
 * Keeps sessions in a table. SQLite calls are synchronous: this thread waits for the disk. With
 * `PRAGMA journal_mode = WAL` and `synchronous = NORMAL` that is short; a power failure may then
 * bring back what was taken just before.
 *
 * `take` is one statement, so of any number of processes on one file one gets a value. A file that
 * is locked is tried again, for some seconds. What expires is removed by puts little by little,
 * and by `purge()` at once.
 *
 * @example
 * ```ts ignore
 * import { DatabaseSync } from "node:sqlite";
 * import { ClientContext, SealingKeys } from "@reprise/tls";
 * import { sqliteStore } from "@reprise/tls/stores/sqlite";
 *
 * const database = new DatabaseSync("sessions.db");
 * database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
 * const keys = await SealingKeys.fromSecret(secret);
 * const context = new ClientContext({ resumption: { store: sqliteStore(database), keys } });
 * ```
 */
export function sqliteStore(
  database: SqliteDatabase,
  options: SqliteStoreOptions = {},
): SessionStore {
  if (typeof database?.prepare !== "function") {
    throw new TypeError(`Argument "database" must be a SQLite database, got ${typeof database}`);
  }
  const { table = "reprise_sessions" } = options;
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(table)) {
    throw new TypeError(`Option "table" must be a plain name, got "${table}"`);
  }

  function prepare() {
    const run = (sql: string) => database.prepare(sql).run();
    run(`CREATE TABLE IF NOT EXISTS ${table} (
      id INTEGER PRIMARY KEY, partition TEXT NOT NULL, value BLOB NOT NULL, expires_at REAL NOT NULL
    )`);
    run(`CREATE INDEX IF NOT EXISTS ${table}_partition ON ${table} (partition, id)`);
    run(`CREATE INDEX IF NOT EXISTS ${table}_expires_at ON ${table} (expires_at)`);
    const newest = `SELECT id FROM ${table} WHERE partition = ?`;
    const living = `${newest} AND expires_at > ? ORDER BY id DESC LIMIT 1`;
    return {
      insert: database.prepare(
        `INSERT INTO ${table} (partition, value, expires_at) VALUES (?, ?, ?)`,
      ),
      trim: database.prepare(
        `DELETE FROM ${table} WHERE id IN (${newest} ORDER BY id DESC LIMIT -1 OFFSET ?)`,
      ),
      tidy: database.prepare(
        `DELETE FROM ${table} WHERE id IN
          (SELECT id FROM ${table} WHERE expires_at <= ? LIMIT ${MOST_REMOVED})`,
      ),
      take: database.prepare(`DELETE FROM ${table} WHERE id = (${living}) RETURNING value`),
      peek: database.prepare(`SELECT value FROM ${table} WHERE id = (${living})`),
      delete: database.prepare(`DELETE FROM ${table} WHERE partition = ?`),
      purge: database.prepare(`DELETE FROM ${table} WHERE expires_at <= ?`),
    };
  }

  let prepared: ReturnType<typeof prepare> | undefined;
  type Statements = ReturnType<typeof prepare>;
  const statement = (name: keyof Statements) => (prepared ??= prepare())[name];
  const run = (name: keyof Statements, ...parameters: unknown[]) =>
    whileLocked(() => statement(name).run(...parameters));
  /** The value of the only row. `all()`, as a statement that is not run to its end may not commit. */
  async function valueOf(name: "take" | "peek", partition: string): Promise<Uint8Array | null> {
    const rows = await whileLocked(() => statement(name).all(partition, Date.now()));
    const [row] = rows as { value: Uint8Array | null }[];
    return row === undefined ? null : new Uint8Array(row.value ?? []);
  }

  return {
    capabilities: { atomicTake: true, consistency: "strong" },
    async put(partition: string, value: Uint8Array, { expiresAt, limit }: PutOptions) {
      await run("insert", partition, value, expiresAt);
      await run("trim", partition, Math.min(limit, NO_LIMIT));
      await run("tidy", Date.now());
    },
    take: (partition: string) => valueOf("take", partition),
    peek: (partition: string) => valueOf("peek", partition),
    async delete(partition: string) {
      await run("delete", partition);
    },
    async purge() {
      await run("purge", Date.now());
    },
  };
}

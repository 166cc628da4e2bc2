/**
 * A store in a SQLite database that the caller opened: by `node:sqlite` (Node, Deno) or
 * `bun:sqlite`.
 *
 * Rules: no statement of ours waits for a lock within SQLite, which would stop this thread; the
 * waiting is done here. Each call is one transaction. Rows that others wrote may hold anything: a
 * value that is no BLOB, or too large, never leaves the database.
 *
 * @module
 */

import { badOption, quoted } from "../option_errors.ts";
import { hasMethods } from "../options.ts";
import { type KnownOptions, readOptions } from "../read_options.ts";
import type { PutOptions, SessionStore } from "../session_store.ts";
import { isValue, MAX_LIFETIME_MS, MAX_PASSED_OVER, MAX_VALUE_BYTES } from "./bounds.ts";
import { patience, whileLocked } from "./locked.ts";
import { checkPartition, checkPut } from "./put_options.ts";

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

const OPTIONS = { table: "anywhere" } as const satisfies KnownOptions<SqliteStoreOptions>;

/** Rows that have expired and a put removes on its way. */
const MOST_REMOVED = 16;
/** Rows that `purge()` looks at in one go: the event loop turns after each. */
const PURGED_AT_ONCE = 1000;
/** A plain name, as it goes into the statements. */
const TABLE = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** What is asked of a table. Where a time is asked for, so is the latest that may be. */
function statementsOf(database: SqliteDatabase, table: string) {
  const run = (sql: string) => database.prepare(sql).run();
  run(`CREATE TABLE IF NOT EXISTS ${table} (
    id INTEGER PRIMARY KEY, partition TEXT NOT NULL, value BLOB NOT NULL, expires_at REAL NOT NULL
  )`);
  run(`CREATE INDEX IF NOT EXISTS ${table}_partition ON ${table} (partition, id)`);
  run(`CREATE INDEX IF NOT EXISTS ${table}_expires_at ON ${table} (expires_at)`);
  const ofPartition = `FROM ${table} WHERE partition = ? ORDER BY id DESC`;
  // Asked this way, SQLite reads nothing of the value. Text compares as later than any time.
  const usable = `typeof(value) = 'blob' AND length(value) <= ${MAX_VALUE_BYTES}`;
  const newest = `SELECT id FROM
    (SELECT id, expires_at, ${usable} AS usable ${ofPartition} LIMIT ${MAX_PASSED_OVER})
    WHERE usable AND expires_at > ? AND expires_at <= ? LIMIT 1`;
  const over = "expires_at <= ? OR expires_at > ?";
  return {
    insert: database.prepare(
      `INSERT INTO ${table} (partition, value, expires_at) VALUES (?, ?, ?)`,
    ),
    trim: database.prepare(
      `DELETE FROM ${table} WHERE id IN (SELECT id ${ofPartition} LIMIT -1 OFFSET ?)`,
    ),
    tidy: database.prepare(
      `DELETE FROM ${table} WHERE id IN
        (SELECT id FROM ${table} WHERE ${over} LIMIT ${MOST_REMOVED})`,
    ),
    take: database.prepare(`DELETE FROM ${table} WHERE id = (${newest}) RETURNING value`),
    peek: database.prepare(`SELECT value FROM ${table} WHERE id = (${newest})`),
    delete: database.prepare(`DELETE FROM ${table} WHERE partition = ?`),
    // As text: an id that somebody else chose may be larger than a number of JavaScript.
    last: database.prepare(
      `SELECT CAST(max(id) AS TEXT) AS id FROM
        (SELECT id FROM ${table} WHERE id > CAST(? AS INTEGER) ORDER BY id LIMIT ${PURGED_AT_ONCE})`,
    ),
    purge: database.prepare(
      `DELETE FROM ${table} WHERE id > CAST(? AS INTEGER) AND id <= CAST(? AS INTEGER)
        AND (${over} OR NOT (${usable}))`,
    ),
  };
}

type Statements = ReturnType<typeof statementsOf>;
/** Runs a statement to its end; its rows. */
type Run = (name: keyof Statements, ...parameters: unknown[]) => unknown[];

function checkTable(table: unknown): string {
  if (table === undefined) return "reprise_sessions";
  if (typeof table !== "string") badOption("table", "a plain name", table);
  if (TABLE.test(table)) return table;
  throw new TypeError(
    `Option "table" must be a plain name of up to 64 letters, got ${quoted(table)}`,
  );
}

/**
 * Keeps sessions in a table. SQLite calls are synchronous: this thread waits for the disk. With
 * `PRAGMA journal_mode = WAL` and `synchronous = NORMAL` that is short; a power failure may then
 * bring back what was taken just before.
 *
 * `take` is one statement, so of any number of processes on one file one gets a value. A file that
 * is locked is tried again for 3 s, while the event loop turns: for its own statements the store
 * sets `PRAGMA busy_timeout` to 0, and back to what it was. What expires is removed by puts little
 * by little, and by `purge()` at once. A table that was dropped is made again.
 *
 * @throws {TypeError} on what is no database, and on a bad or unknown option.
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
  if (!hasMethods('Argument "database"', database, "prepare")) {
    badOption("database", "a SQLite database", database, "Argument");
  }
  const given = readOptions(options, OPTIONS, "sqliteStore() options");
  const table = checkTable(given.table);

  let statements: Statements | undefined;
  const run: Run = (name, ...parameters) => statements![name].all(...parameters);

  /** Does all of it or nothing, within a transaction of the caller's if one is open. */
  function atOnce(action: () => void): void {
    const [commit, rollback] = begin();
    try {
      action();
      control(commit);
    } catch (error) {
      try {
        for (const sql of rollback) control(sql);
      } catch {
        // After some errors, as of a full disk, SQLite has done so by itself.
      }
      throw error;
    }
  }

  const control = (sql: string) => database.prepare(sql).run();

  /**
   * Begins a transaction, or a part of the caller's; how it is ended. A savepoint alone would not
   * do: where its release fails as the file is locked, it stays open.
   */
  function begin(): [commit: string, rollback: string[]] {
    try {
      control("BEGIN IMMEDIATE");
      return ["COMMIT", ["ROLLBACK"]];
    } catch (error) {
      if (!/within a transaction/.test(String(error))) throw error;
      control("SAVEPOINT reprise");
      return ["RELEASE reprise", ["ROLLBACK TO reprise", "RELEASE reprise"]];
    }
  }

  /** Makes the table again, once, if somebody dropped it. */
  function withTable<T>(action: () => T): T {
    try {
      statements ??= statementsOf(database, table);
      return action();
    } catch (error) {
      if (!isMissing(error, table)) throw error;
      statements = statementsOf(database, table);
      return action();
    }
  }

  const call = <T>(action: () => T, until?: number): Promise<T> =>
    whileLocked(() => withoutWaiting(database, () => withTable(action)), until);

  /** Both bounds of what lives, or of what does not. */
  const times = (): [number, number] => [Date.now(), Date.now() + MAX_LIFETIME_MS];

  async function valueOf(name: "take" | "peek", partition: string): Promise<Uint8Array | null> {
    checkPartition(partition);
    const [row] = await call(() => run(name, partition, ...times())) as { value: unknown }[];
    if (row === undefined) return null;
    const value = row.value ?? new Uint8Array(0);
    return isValue(value) ? new Uint8Array(value) : null;
  }

  return {
    capabilities: { atomicTake: true, consistency: "strong", maxValueBytes: MAX_VALUE_BYTES },
    async put(partition: string, given: Uint8Array, options: PutOptions) {
      const { value, expiresAt, limit } = checkPut(partition, given, options);
      await call(() =>
        atOnce(() => {
          run("insert", partition, value, expiresAt);
          run("trim", partition, limit);
          run("tidy", ...times());
        })
      );
    },
    take: (partition: string) => valueOf("take", partition),
    peek: (partition: string) => valueOf("peek", partition),
    async delete(partition: string) {
      checkPartition(partition);
      await call(() => run("delete", partition));
    },
    async purge() {
      for (let from = String(-(2n ** 63n));;) {
        const until = patience();
        const [{ id }] = await call(() => run("last", from), until) as { id: string | null }[];
        if (id === null) return;
        await call(() => run("purge", from, id, ...times()), until);
        from = id;
        await new Promise((resolve) => setTimeout(resolve));
      }
    },
  };
}

/**
 * Does something without the waiting of SQLite's own, which stops the thread: what is locked fails
 * at once. The database is the caller's, and has its own timeout back when this returns.
 */
function withoutWaiting<T>(database: SqliteDatabase, action: () => T): T {
  const set = (milliseconds: number) =>
    database.prepare(`PRAGMA busy_timeout = ${milliseconds}`).all();
  const [row] = database.prepare("PRAGMA busy_timeout").all() as { timeout?: unknown }[];
  const before = row?.timeout;
  if (typeof before !== "number" || !(before > 0)) return action();
  set(0);
  try {
    return action();
  } finally {
    set(before);
  }
}

function isMissing(error: unknown, table: string): boolean {
  return error instanceof Error && error.message.endsWith(`no such table: ${table}`);
}

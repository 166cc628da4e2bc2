/**
 * A store in an SQLite database, by the client that the program has: `node:sqlite`, `bun:sqlite`
 * or one of the same shape.
 *
 * ```text
 * reprise_sessions(partition TEXT, sequence TEXT, expires_at INTEGER, value BLOB)
 * ```
 *
 * `take` is one statement, so it has one winner among all who have the file open.
 *
 * @module
 */

import type { PutOptions, SessionStore } from "../session_store.ts";
import { whileLocked } from "./locked.ts";
import { sequence } from "./sequence.ts";

/** A prepared statement. */
export interface SqliteStatement {
  /** Runs it, for its effect. */
  run(...values: (string | number | Uint8Array)[]): unknown;
  /** The first row, or nothing. */
  get(...values: (string | number | Uint8Array)[]): unknown;
}

/** What is used of a database: `DatabaseSync` of `node:sqlite`, `Database` of `bun:sqlite`. */
export interface SqliteDatabase {
  /** Runs statements without values. */
  exec(sql: string): unknown;
  /** Prepares a statement. */
  prepare(sql: string): SqliteStatement;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS reprise_sessions (
    partition TEXT NOT NULL,
    sequence TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (partition, sequence)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS reprise_sessions_expiry ON reprise_sessions (expires_at);
`;

const NEWEST = `
  SELECT sequence FROM reprise_sessions WHERE partition = ? AND expires_at > ?
  ORDER BY sequence DESC LIMIT 1
`;

/** The value of a row, as every client hands it out. */
function valueOf(row: unknown): Uint8Array | null {
  if (row === null || row === undefined) return null;
  return new Uint8Array((row as { value: Uint8Array }).value);
}

/**
 * Keeps sessions in a database that the caller opened, and closes. Its table is made if it is not
 * there. Expired rows go with `purge()`.
 *
 * @example
 * ```ts ignore
 * import { DatabaseSync } from "node:sqlite";
 *
 * const db = new DatabaseSync("sessions.sqlite");
 * db.exec("PRAGMA journal_mode = WAL");              // many processes on one file
 * const context = new ClientContext({ resumption: { store: sqliteStore(db), keys } });
 * ```
 */
export function sqliteStore(db: SqliteDatabase): SessionStore {
  if (typeof db?.prepare !== "function" || typeof db.exec !== "function") {
    throw new TypeError('Argument "db" must be an SQLite database with "exec" and "prepare"');
  }
  let ready: Promise<
    Record<"put" | "trim" | "take" | "peek" | "delete" | "purge", SqliteStatement>
  >;
  const statements = () =>
    ready ??= whileLocked(() => {
      db.exec(SCHEMA);
      return {
        put: db.prepare("INSERT INTO reprise_sessions VALUES (?, ?, ?, ?)"),
        trim: db.prepare(`
          DELETE FROM reprise_sessions WHERE partition = ? AND sequence NOT IN (
            SELECT sequence FROM reprise_sessions WHERE partition = ?
            ORDER BY sequence DESC LIMIT ?
          )
        `),
        take: db.prepare(`
          DELETE FROM reprise_sessions WHERE partition = ? AND sequence = (${NEWEST})
          RETURNING value
        `),
        peek: db.prepare(`
          SELECT value FROM reprise_sessions WHERE partition = ? AND sequence = (${NEWEST})
        `),
        delete: db.prepare("DELETE FROM reprise_sessions WHERE partition = ?"),
        purge: db.prepare("DELETE FROM reprise_sessions WHERE expires_at <= ?"),
      };
    });

  return {
    capabilities: { atomicTake: true, consistency: "strong" },
    async put(partition: string, value: Uint8Array, { expiresAt, limit }: PutOptions) {
      const { put, trim } = await statements();
      await whileLocked(() => put.run(partition, sequence(), Math.floor(expiresAt), value));
      if (limit === Infinity) return;
      await whileLocked(() => trim.run(partition, partition, limit));
    },
    async take(partition: string) {
      const { take } = await statements();
      return valueOf(await whileLocked(() => take.get(partition, partition, Date.now())));
    },
    async peek(partition: string) {
      const { peek } = await statements();
      return valueOf(await whileLocked(() => peek.get(partition, partition, Date.now())));
    },
    async delete(partition: string) {
      const statement = (await statements()).delete;
      await whileLocked(() => statement.run(partition));
    },
    async purge() {
      const { purge } = await statements();
      await whileLocked(() => purge.run(Date.now()));
    },
  };
}

/**
 * SQLite by `node:sqlite`, on a file and in memory: the contract, and what is in the table. Bun's
 * shape is tested in Bun (`runtimes_test.ts`).
 */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { type SqliteDatabase, sqliteStore } from "../../src/stores/sqlite.ts";
import { drain, living, name, putAll, value } from "./contract_values.ts";
import { temporaryFolder, testContract } from "./register.ts";

Deno.test.sanitizer({ ops: true, resources: true });

// What the disk does at a power failure is not tested, so nothing waits for it.
for (const mode of ["WAL", "DELETE"]) {
  testContract(`SQLite file, ${mode}`, async () => {
    const { path, remove } = await temporaryFolder();
    const database = new DatabaseSync(`${path}/sessions.db`);
    database.exec(`PRAGMA journal_mode = ${mode}; PRAGMA synchronous = OFF`);
    return {
      store: sqliteStore(database),
      async close() {
        database.close();
        await remove();
      },
    };
  });
}

testContract("SQLite in memory", () => {
  const database = new DatabaseSync(":memory:");
  return Promise.resolve({ store: sqliteStore(database), close: () => database.close() });
});

const count = (database: DatabaseSync, table = "reprise_sessions") =>
  database.prepare(`SELECT count(*) AS n FROM ${table}`).get()!.n;

Deno.test("SQLite: a file opened again has what was put", async () => {
  const { path, remove } = await temporaryFolder();
  for (const turn of ["put", "take"]) {
    const database = new DatabaseSync(`${path}/sessions.db`);
    const store = sqliteStore(database);
    if (turn === "put") await putAll(store, "a", [1, 2]);
    else assertEquals(await drain(store, "a"), ["2", "1"]);
    database.close();
  }
  await remove();
});

Deno.test("SQLite: nothing is left of what was taken, deleted or pushed out", async () => {
  const database = new DatabaseSync(":memory:");
  const store = sqliteStore(database);
  await putAll(store, "a", [1, 2, 3], 2);
  assertEquals(count(database), 2);
  await drain(store, "a");
  await putAll(store, "b", [1, 2]);
  await store.delete("b");
  assertEquals(count(database), 0);
  database.close();
});

Deno.test("SQLite: what expired goes with later puts, or all at once by purge", async () => {
  const database = new DatabaseSync(":memory:");
  const store = sqliteStore(database);
  await store.put("a", value("a"), living(9));
  const fill = database.prepare(
    "INSERT INTO reprise_sessions (partition, value, expires_at) VALUES ('x', x'00', 1)",
  );
  for (let i = 0; i < 100; i++) fill.run();
  await store.put("a", value("b"), living(9));
  assertEquals(count(database), 102 - 16);
  await store.purge!();
  assertEquals(count(database), 2);
  database.close();
});

Deno.test("SQLite: two tables are two stores in one database", async () => {
  const database = new DatabaseSync(":memory:");
  const [one, two] = [sqliteStore(database), sqliteStore(database, { table: "other_sessions" })];
  await one.put("a", value(1), living());
  await two.put("a", value(2), living());
  assertEquals([name(await one.take("a")), name(await two.take("a"))], ["1", "2"]);
  assertEquals(count(database, "other_sessions"), 0);
  database.close();
});

Deno.test("SQLite: a database that stays locked is not waited for without end", async () => {
  const { path, remove } = await temporaryFolder();
  const [ours, other] = [1, 2].map(() => new DatabaseSync(`${path}/sessions.db`));
  const store = sqliteStore(ours);
  await store.put("a", value("a"), living());
  other.exec("BEGIN EXCLUSIVE");
  await assertRejects(() => store.take("a"), Error, "locked");
  const waiting = store.take("a");
  await new Promise((resolve) => setTimeout(resolve, 50));
  other.exec("ROLLBACK");
  assertEquals(name(await waiting), "a");
  other.close();
  ours.close();
  await remove();
});

Deno.test("SQLite: a database that is closed rejects", async () => {
  const database = new DatabaseSync(":memory:");
  const store = sqliteStore(database);
  await store.put("a", value("a"), living());
  database.close();
  await assertRejects(() => store.take("a"));
  await assertRejects(() => store.put("a", value("a"), living()));
});

for (const table of ["a b", "a;b", '"a"', "1a", ""]) {
  Deno.test(`SQLite: a table called ${JSON.stringify(table)} is refused`, () => {
    const database = { prepare: () => ({ run() {}, all: () => [] }) };
    assertThrows(() => sqliteStore(database, { table }), TypeError, "table");
  });
}

for (const database of [null, undefined, {}, "sessions.db"]) {
  Deno.test(`SQLite: ${JSON.stringify(database)} is refused`, () => {
    assertThrows(() => sqliteStore(database as unknown as SqliteDatabase), TypeError, "database");
  });
}

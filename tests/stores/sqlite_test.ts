/**
 * SQLite by `node:sqlite`, on a file and in memory: the contract, and what is in the table. Bun's
 * shape is tested in Bun (`runtimes_test.ts`).
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { within } from "../engine/bounded.ts";
import { runScript } from "../peers/process.ts";
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

/** Two connections to one file. */
async function onOneFile(
  fn: (ours: DatabaseSync, other: DatabaseSync) => Promise<void>,
): Promise<void> {
  const { path, remove } = await temporaryFolder();
  const [ours, other] = [1, 2].map(() => new DatabaseSync(`${path}/sessions.db`));
  try {
    await fn(ours, other);
  } finally {
    ours.close();
    other.close();
    await remove();
  }
}

Deno.test("SQLite: a database that stays locked is not waited for without end", () =>
  onOneFile(async (ours, other) => {
    const store = sqliteStore(ours);
    await store.put("a", value("a"), living());
    other.exec("BEGIN EXCLUSIVE");
    const calls = [
      () => store.take("a"),
      () => store.peek("a"),
      () => store.put("a", value("b"), living()),
      () => store.delete("a"),
      () => store.purge!(),
    ];
    await Promise.all(calls.map((call) => assertRejects<Error>(call, Error, "locked")));
    const waiting = store.take("a");
    await new Promise((resolve) => setTimeout(resolve, 50));
    other.exec("ROLLBACK");
    assertEquals(name(await waiting), "a");
  }));

Deno.test("SQLite: the time is bounded, whatever the database's own timeout is", () =>
  onOneFile(async (ours, other) => {
    ours.exec("PRAGMA busy_timeout = 1000");
    const store = sqliteStore(ours);
    await store.put("a", value("a"), living());
    other.exec("BEGIN EXCLUSIVE");
    // 64 tries of a second each, as it was, are more than a minute.
    await within(assertRejects(() => store.take("a"), Error, "locked"), "the take", 15_000);
    other.exec("ROLLBACK");
    assertEquals(name(await store.take("a")), "a");
  }));

Deno.test("SQLite: no statement of the store waits within SQLite, and the caller's do as before", () =>
  onOneFile(async (ours, other) => {
    ours.exec("PRAGMA busy_timeout = 77");
    const timeout = () => ours.prepare("PRAGMA busy_timeout").get()!.timeout;
    const seen: [sql: string, timeout: unknown][] = [];
    const watched: SqliteDatabase = {
      prepare(sql) {
        const statement = ours.prepare(sql);
        const watch = <T>(run: () => T): T => {
          if (!sql.startsWith("PRAGMA")) seen.push([sql, timeout()]);
          return run();
        };
        return {
          run: (...parameters) => watch(() => statement.run(...parameters)),
          all: (...parameters) => watch(() => statement.all(...parameters)),
        };
      },
    };
    const store = sqliteStore(watched);
    await store.put("a", value("a"), living());
    assertEquals([name(await store.peek("a")), timeout()], ["a", 77]);
    assertEquals([name(await store.take("a")), timeout()], ["a", 77]);
    await store.delete("a");
    await store.purge!();
    other.exec("BEGIN EXCLUSIVE");
    await assertRejects(() => store.put("a", value("b"), living()), Error, "locked");
    other.exec("ROLLBACK");
    assertEquals(timeout(), 77);
    assertEquals(seen.filter(([, timeout]) => timeout !== 0), []);
    assert(seen.length > 10);
  }));

Deno.test("SQLite: the event loop turns while a locked file is waited for", () =>
  onOneFile(async (ours, other) => {
    ours.exec("PRAGMA busy_timeout = 60000");
    const store = sqliteStore(ours);
    await store.put("a", value("a"), living());
    other.exec("BEGIN EXCLUSIVE");
    const waiting = store.take("a");
    // Only a timer of this thread lets go of the lock.
    setTimeout(() => other.exec("ROLLBACK"), 20);
    assertEquals(name(await within(waiting, "the take")), "a");
  }));

Deno.test("SQLite: a put that finds the file locked half-way has changed nothing", () =>
  onOneFile(async (ours, other) => {
    const store = sqliteStore(ours);
    await store.put("a", value("a"), living());
    // Who reads keeps a writer from committing, in a file without a write-ahead log.
    other.exec("BEGIN");
    assertEquals(count(other), 1);
    await assertRejects(() => store.put("a", value("b"), living()), Error, "locked");
    other.exec("ROLLBACK");
    assertEquals(count(ours), 1);
    await store.put("a", value("c"), living());
    assertEquals(await drain(store, "a"), ["c", "a"]);
  }));

Deno.test("SQLite: a put within a transaction of the caller's is part of it", async () => {
  const database = new DatabaseSync(":memory:");
  const store = sqliteStore(database);
  await store.put("a", value("a"), living());
  database.exec("BEGIN");
  await store.put("a", value("b"), living());
  database.exec("ROLLBACK");
  assertEquals(await drain(store, "a"), ["a"]);
  database.exec("BEGIN");
  await store.put("a", value("c"), living());
  database.exec("COMMIT");
  assertEquals(await drain(store, "a"), ["c"]);
  database.close();
});

Deno.test("SQLite: a file that is locked for two seconds costs no call, and stops nothing", () =>
  onOneFile(async (ours, other) => {
    const store = sqliteStore(ours);
    await store.put("a", value("a"), living(9));
    other.exec("BEGIN EXCLUSIVE");
    let turns = 0;
    const ticking = setInterval(() => turns++, 10);
    const calls = Promise.all([store.put("a", value("b"), living(9)), store.take("a")]);
    setTimeout(() => other.exec("ROLLBACK"), 2200);
    const [, taken] = await calls;
    clearInterval(ticking);
    assert(taken !== null);
    assertEquals((await drain(store, "a")).length, 1);
    assert(turns > 20, `the event loop turned ${turns} times`);
  }));

Deno.test("SQLite: eight processes that put and take at once lose no call to the lock", async () => {
  const { path, remove } = await temporaryFolder();
  const script = new URL("./writers_script.ts", import.meta.url);
  const input = { path: `${path}/sessions.db`, calls: 150 };
  const lost = await Promise.all(
    Array.from(
      { length: 8 },
      () => runScript<string[]>(script, { flags: ["-A"], input, timeout: 60_000 }),
    ),
  );
  assertEquals(lost.flat(), []);
  await remove();
});

/** What another program, or another column type, may have left in a row. */
const FOREIGN_VALUES = ["4000000000", "1.5", "'text'", "zeroblob(300000)", "zeroblob(50000000)"];

Deno.test("SQLite: a value that is no BLOB, or too large, is passed over and never read", async () => {
  const database = new DatabaseSync(":memory:");
  const store = sqliteStore(database);
  const soon = Date.now() + 60_000;
  for (const foreign of FOREIGN_VALUES) {
    await store.put("a", value("ours"), living());
    database.exec(
      `INSERT INTO reprise_sessions (partition, value, expires_at) VALUES ('a', ${foreign}, ${soon})`,
    );
    assertEquals(name(await store.peek("a")), "ours", foreign);
    assertEquals(name(await store.take("a")), "ours", foreign);
    assertEquals(await store.take("a"), null, foreign);
    await store.purge!();
    assertEquals(count(database), 0, foreign);
  }
  database.close();
});

Deno.test("SQLite: a time that is none, or centuries away, is over", async () => {
  const database = new DatabaseSync(":memory:");
  const store = sqliteStore(database);
  await store.put("a", value("ours"), living(9));
  for (const time of ["'tomorrow'", "9e999", "1e300", "x'ffff'", "-1", "0"]) {
    database.exec(
      `INSERT INTO reprise_sessions (partition, value, expires_at) VALUES ('a', x'00', ${time})`,
    );
    assertEquals(name(await store.peek("a")), "ours", time);
  }
  await store.purge!();
  assertEquals(count(database), 1);
  // As they are met by puts, too.
  database.exec("INSERT INTO reprise_sessions (partition, value, expires_at) VALUES ('b', 1, 'x')");
  await store.put("a", value("next"), living(9));
  assertEquals(await drain(store, "a"), ["next", "ours"]);
  assertEquals(count(database), 0);
  database.close();
});

Deno.test("SQLite: a lookup looks at a bounded number of rows, and a put makes room", async () => {
  const database = new DatabaseSync(":memory:");
  const store = sqliteStore(database);
  await store.put("a", value("below"), living());
  database.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
    INSERT INTO reprise_sessions (partition, value, expires_at) SELECT 'a', x'00', 1 FROM n`);
  assertEquals([await store.peek("a"), await store.take("a")], [null, null]);
  await store.put("a", value("ours"), living());
  assertEquals(await drain(store, "a"), ["ours"]);
  await store.purge!();
  assertEquals(count(database), 0);
  database.close();
});

Deno.test("SQLite: purge ends at the largest id, which is no number of JavaScript", async () => {
  const database = new DatabaseSync(":memory:");
  const store = sqliteStore(database);
  await store.put("a", value("a"), living());
  for (const id of ["9223372036854775807", "-9223372036854775807"]) {
    database.exec(`INSERT INTO reprise_sessions VALUES (${id}, 'b', x'00', 1)`);
  }
  await store.purge!();
  assertEquals(count(database), 1);
  database.close();
});

Deno.test("SQLite: a table that was dropped is made again, whatever is asked first", async () => {
  const database = new DatabaseSync(":memory:");
  const store = sqliteStore(database);
  const calls = [
    () => store.put("a", value("a"), living()),
    () => store.take("a"),
    () => store.peek("a"),
    () => store.delete("a"),
    () => store.purge!(),
  ];
  for (const call of calls) {
    await store.put("a", value("a"), living());
    database.exec("DROP TABLE reprise_sessions");
    await call();
    await store.delete("a");
    await store.put("a", value("again"), living());
    assertEquals(await drain(store, "a"), ["again"]);
  }
  database.close();
});

Deno.test("SQLite: a table of other columns rejects, and is not made again and again", async () => {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE reprise_sessions (id INTEGER PRIMARY KEY, other TEXT)");
  const store = sqliteStore(database);
  await assertRejects(() => store.put("a", value("a"), living()), Error, "partition");
  await assertRejects(() => store.take("a"), Error, "partition");
  database.close();
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

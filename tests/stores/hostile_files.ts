/**
 * What somebody who can write into the folder of a `fileStore` may leave there, as cases for any
 * runtime: nothing of it is read, followed or waited for, and what is no value of ours stays.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { MAX_VALUE_BYTES } from "../../src/stores/bounds.ts";
import { fileStore } from "../../src/stores/file.ts";
import { MAX_ENTRIES, readRegular } from "../../src/stores/folder.ts";
import { living, name, partition, value } from "./contract_values.ts";

/** A case; `folder` is empty and goes afterwards. */
export interface HostileCase {
  name: string;
  fn(folder: string): Promise<void>;
}

/** How long anything may take before it is taken to hang. */
const PATIENCE_MS = 20_000;
/** As large as a file can look, for nothing. */
const SPARSE_BYTES = 1_500_000_000;

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not within its time: ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The folder of a partition, which has one value, and the name that a newer one has. */
async function plant(folder: string, own: string): Promise<{ shard: string; newer: string }> {
  await fileStore(folder).put(own, value("ours"), living());
  const [found] = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.includes(`${own}.`));
  const shard = join(folder, dirname(found));
  const expires = (Date.now() + 600_000).toString(16);
  return { shard, newer: join(shard, `${own}.${"f".repeat(32)}.${expires}`) };
}

/** What is in the place of a value, newer than ours. */
const IN_PLACE: [what: string, make: (path: string, folder: string) => unknown][] = [
  ["a file that looks like 1.5 GB", (path) => {
    writeFileSync(path, "");
    truncateSync(path, SPARSE_BYTES);
  }],
  ["a file one byte larger than a value", (path) => {
    writeFileSync(path, new Uint8Array(MAX_VALUE_BYTES + 1));
  }],
  ["a FIFO that nobody writes to", (path) => execFileSync("mkfifo", [path])],
  ["a link to a file elsewhere", (path, folder) => {
    writeFileSync(join(folder, "secret"), "value of another program");
    symlinkSync(join(folder, "secret"), path);
  }],
  ["a link to what never ends", (path) => symlinkSync("/dev/zero", path)],
  ["a link to itself", (path) => symlinkSync(path, path)],
  ["a folder", (path) => mkdirSync(path)],
  ["a socket", async (path) => {
    // The name of a socket may have 107 bytes: it is made elsewhere, and moved.
    const short = join("/tmp", `reprise-${partition().slice(0, 8)}`);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(short, resolve));
    renameSync(short, path);
    await new Promise((resolve) => server.close(resolve));
  }],
];

/** The cases. */
export const hostileFiles: readonly HostileCase[] = [
  ...IN_PLACE.map(([what, make]) => ({
    name: `${what} in the place of a value is passed over`,
    async fn(folder: string) {
      const own = partition();
      const { newer } = await plant(folder, own);
      await make(newer, folder);
      const store = fileStore(folder);
      assert.equal(name(await within(store.peek(own), "peek")), "ours");
      assert.equal(name(await within(store.take(own), "take")), "ours");
      assert.equal(await within(store.take(own), "take"), null);
      await within(store.put(own, value("next"), living()), "put");
      assert.equal(name(await within(store.peek(own), "peek")), "next");
      if (existsSync(join(folder, "secret"))) {
        assert.equal(readFileSync(join(folder, "secret"), "utf8"), "value of another program");
      }
    },
  })),
  {
    name: "a link, a FIFO and a file that is too large are gone after puts and takes",
    async fn(folder) {
      const own = partition();
      const { shard } = await plant(folder, own);
      for (const [i, [, make]] of IN_PLACE.slice(0, 6).entries()) {
        const expires = (Date.now() + 600_000).toString(16);
        await make(join(shard, `${own}.${`${i}`.repeat(32)}.${expires}`), folder);
      }
      const store = fileStore(folder);
      await within(store.put(own, value("next"), living(8)), "put");
      while (await within(store.take(own), "take") !== null);
      assert.deepEqual(readdirSync(shard), []);
    },
  },
  {
    name: "what takes the place of a value once it is listed is not read either",
    async fn(folder) {
      for (const [i, [what, make]] of IN_PLACE.entries()) {
        const path = join(folder, `${i}`);
        await make(path, folder);
        assert.equal(await within(readRegular(path, MAX_VALUE_BYTES), what), null, what);
      }
    },
  },
  {
    name: "the largest value is read, and nothing is read beyond it",
    async fn(folder) {
      const own = partition();
      const store = fileStore(folder);
      await store.put(own, new Uint8Array(MAX_VALUE_BYTES).fill(7), living());
      assert.equal((await store.peek(own))?.length, MAX_VALUE_BYTES);
      assert.equal((await store.take(own))?.length, MAX_VALUE_BYTES);
    },
  },
  {
    name: "files that have not the name of a value stay, whatever they look like",
    async fn(folder) {
      const own = partition();
      const { shard } = await plant(folder, own);
      // "c", "0" and "dead" would be times long past, if the end of any name were one.
      const foreign = ["main.c", "x.0", "notes.dead", `${own}.0`, `${own}.${"0".repeat(31)}.0`];
      for (const each of foreign) writeFileSync(join(shard, each), "not ours");
      const store = fileStore(folder);
      await store.put(own, value("next"), living(1));
      await store.purge!();
      await store.delete(own);
      assert.deepEqual(readdirSync(shard).sort(), foreign.sort());
    },
  },
  {
    name: "a link in the place of a folder is not followed, and the call rejects",
    async fn(folder) {
      const own = partition();
      const { shard } = await plant(folder, own);
      const elsewhere = join(folder, "elsewhere");
      renameSync(shard, elsewhere);
      symlinkSync(elsewhere, shard);
      const before = readdirSync(elsewhere);
      const store = fileStore(folder);
      const calls = {
        put: () => store.put(own, value("next"), living(1)),
        take: () => store.take(own),
        peek: () => store.peek(own),
        delete: () => store.delete(own),
        purge: () => store.purge!(),
      };
      for (const [what, call] of Object.entries(calls)) {
        await assert.rejects(within<unknown>(call(), what), /in the way of a folder/, what);
      }
      assert.deepEqual(readdirSync(elsewhere), before);
    },
  },
  {
    name: "a link in the place of the folder of what is being written is not followed",
    async fn(folder) {
      mkdirSync(join(folder, "elsewhere"));
      symlinkSync(join(folder, "elsewhere"), join(folder, "tmp"));
      const store = fileStore(folder);
      await assert.rejects(store.put(partition(), value("a"), living()), /in the way of a folder/);
      assert.deepEqual(readdirSync(join(folder, "elsewhere")), []);
    },
  },
  {
    name: "the folder of the store itself may be a link: that is its owner's choice",
    async fn(folder) {
      mkdirSync(join(folder, "real"));
      symlinkSync(join(folder, "real"), join(folder, "link"));
      const own = partition();
      await fileStore(join(folder, "link")).put(own, value("a"), living());
      assert.equal(name(await fileStore(join(folder, "real")).take(own)), "a");
    },
  },
  {
    name: "a folder with too many entries rejects, says so, and is in nobody else's way",
    async fn(folder) {
      const own = partition();
      const { shard } = await plant(folder, own);
      for (let i = 1; i < MAX_ENTRIES; i++) writeFileSync(join(shard, `${i}`), "");
      const store = fileStore(folder);
      assert.equal(name(await within(store.peek(own), "peek")), "ours", "at the bound");
      writeFileSync(join(shard, "one more"), "");
      const calls = {
        put: () => store.put(own, value("next"), living()),
        take: () => store.take(own),
        peek: () => store.peek(own),
        delete: () => store.delete(own),
      };
      for (const [what, call] of Object.entries(calls)) {
        await assert.rejects(within<unknown>(call(), what), /more than 16384 entries/, what);
      }
      assert.equal(readdirSync(shard).length, MAX_ENTRIES + 1, "a put that fails leaves nothing");
      const others = Array.from({ length: 8 }, partition);
      for (const other of others) {
        const expiresAt = Date.now() + 5;
        // One in 4,096 of them is in the same folder.
        await store.put(other, value("b"), { expiresAt, limit: 1 }).catch(() => {});
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
      await assert.rejects(within(store.purge!(), "purge"), /more than 16384 entries/);
      const left = readdirSync(folder, { recursive: true, encoding: "utf8" });
      assert.ok(!left.some((path) => others.some((other) => path.includes(other))), "purged");
    },
  },
  {
    name: "values with times that cannot be are not handed out, and go",
    async fn(folder) {
      const own = partition();
      const { shard } = await plant(folder, own);
      for (const expires of ["fffffffffffff", "0", "1"]) {
        writeFileSync(join(shard, `${own}.${"f".repeat(32)}.${expires}`), value("forged"));
      }
      const store = fileStore(folder);
      assert.equal(name(await store.peek(own)), "ours");
      await store.purge!();
      assert.equal(readdirSync(shard).length, 1);
      assert.ok(lstatSync(shard).isDirectory());
    },
  },
];

/**
 * The store in a folder: the contract, what is on the disk, and what a crash leaves.
 */

import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import { pathToFileURL } from "node:url";
import { fileStore } from "../../src/stores/file.ts";
import { drain, living, name, partition, putAll, value } from "./contract_values.ts";
import { temporaryFolder, testContract } from "./register.ts";

Deno.test.sanitizer({ ops: true, resources: true });

testContract("file", async () => {
  const { path, remove } = await temporaryFolder();
  return { store: fileStore(`${path}/not/there/yet`), close: remove };
});

/** Runs with a folder, which goes afterwards. */
async function inFolder(fn: (path: string) => Promise<void>): Promise<void> {
  const { path, remove } = await temporaryFolder();
  try {
    await fn(path);
  } finally {
    await remove();
  }
}

/** All files below a folder, with their modes. */
async function files(path: string): Promise<{ path: string; mode: number }[]> {
  const found = [];
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    const below = `${path}/${name}`;
    if (isDirectory) found.push(...await files(below));
    else found.push({ path: below, mode: (await Deno.stat(below)).mode! & 0o777 });
  }
  return found;
}

Deno.test("file: a store made again over the folder has what was put", () =>
  inFolder(async (path) => {
    await putAll(fileStore(path), "a", [1, 2]);
    assertEquals(await drain(fileStore(pathToFileURL(path)), "a"), ["2", "1"]);
  }));

Deno.test({
  name: "file: nobody else may read the files",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (path) => {
      const folder = `${path}/sessions`;
      await putAll(fileStore(folder), "a", [1, 2]);
      const found = await files(folder);
      assertEquals(found.map(({ mode }) => mode), [0o600, 0o600]);
      assertEquals((await Deno.stat(folder)).mode! & 0o777, 0o700);
    }),
});

Deno.test("file: nothing is left of what was taken, deleted or pushed out", () =>
  inFolder(async (path) => {
    const store = fileStore(path);
    await putAll(store, "a", [1, 2, 3], 2);
    await drain(store, "a");
    await putAll(store, "b", [1, 2]);
    await store.delete("b");
    assertEquals(await files(path), []);
  }));

Deno.test("file: names that are awkward in a file system are spelled in digits", () =>
  inFolder(async (path) => {
    const store = fileStore(path);
    const longest = "é".replace("é", "~").repeat(96);
    for (const each of ["../../x", "A", "a/b", longest]) await store.put(each, value(1), living());
    for (const { path: file } of await files(path)) {
      const own = file.slice(path.length + 1);
      assert(/^[0-9a-f]{3}\/=[0-9a-f]+\.[0-9a-f]{32}\.[0-9a-f]+$/.test(own), own);
      assertLessOrEqual(own.length - 4, 255);
    }
  }));

Deno.test("file: a process that crashed while it wrote or took leaves no session", () =>
  inFolder(async (path) => {
    const store = fileStore(path);
    await store.put("a", value("a"), living());
    const [{ path: stored }] = await files(path);
    // As between two steps of a put, and of a take.
    await Deno.writeFile(`${path}/tmp/half`, value("torn").subarray(0, 3));
    await Deno.rename(stored, `${path}/tmp/0000000000000000aaaaaaaaaaaaaaaa`);
    assertEquals(await store.take("a"), null);
    await store.put("a", value("b"), living());
    assertEquals(await drain(store, "a"), ["b"]);
  }));

Deno.test("file: purge removes what expired and what was left, and nothing else", () =>
  inFolder(async (path) => {
    const store = fileStore(path);
    await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        store.put(partition(), value(i), {
          expiresAt: Date.now() + (i < 20 ? 5 : 60_000),
          limit: 1,
        })),
    );
    const now = (Date.now() * 4096).toString(16).padStart(16, "0");
    const old = ((Date.now() - 3_700_000) * 4096).toString(16).padStart(16, "0");
    await Deno.writeFile(`${path}/tmp/${now}aaaaaaaaaaaaaaaa`, value("being written"));
    await Deno.writeFile(`${path}/tmp/${old}aaaaaaaaaaaaaaaa`, value("left"));
    await Deno.writeTextFile(`${path}/README`, "not ours");
    await Deno.mkdir(`${path}/other`);
    await Deno.writeTextFile(`${path}/other/x.0`, "not ours");
    await new Promise((resolve) => setTimeout(resolve, 20));
    await store.purge!();
    const left = (await files(path)).map(({ path: file }) => file.slice(path.length + 1));
    assertEquals(left.filter((file) => /^[0-9a-f]{3}\//.test(file)).length, 20);
    assertEquals(left.filter((file) => !/^[0-9a-f]{3}\//.test(file)).sort(), [
      "README",
      "other/x.0",
      `tmp/${now}aaaaaaaaaaaaaaaa`,
    ]);
  }));

Deno.test("file: what expired goes with later puts", () =>
  inFolder(async (path) => {
    const store = fileStore(path);
    for (let i = 0; i < 20; i++) {
      await store.put("a", value(i), { expiresAt: Date.now() - 1, limit: 100 });
    }
    await store.put("a", value("lives"), living(100));
    await store.put("a", value("lives, too"), living(100));
    assertEquals((await files(path)).length, 2);
  }));

Deno.test("file: purge of a folder that is not there does nothing", () =>
  inFolder(async (path) => {
    const store = fileStore(`${path}/none`);
    await store.purge!();
    assertEquals(await store.take("a"), null);
    assertEquals(await files(path), []);
  }));

Deno.test("file: a folder that cannot be written rejects", () =>
  inFolder(async (path) => {
    await Deno.writeTextFile(`${path}/file`, "in the way");
    const store = fileStore(`${path}/file`);
    const failed = await store.put("a", value("a"), living()).then(() => false, () => true);
    assert(failed);
  }));

Deno.test("file: values are whole, however many write at once", () =>
  inFolder(async (path) => {
    const store = fileStore(path);
    const large = (i: number) => new Uint8Array(100_000).fill(i);
    let writing = true;
    const write = async () => {
      for (let i = 1; i <= 30; i++) await store.put("a", large(i), living(1));
      writing = false;
    };
    const read = async () => {
      while (writing) {
        const seen = await store.peek("a");
        if (seen === null) continue;
        assertEquals(seen.length, 100_000);
        assert(seen.every((byte) => byte === seen[0]));
      }
    };
    await Promise.all([write(), read(), read()]);
    assertEquals(name(value("a")), "a");
  }));

for (const folder of [null, undefined, 1, {}]) {
  Deno.test(`file: ${JSON.stringify(folder)} is refused`, () => {
    assertThrows(() => fileStore(folder as unknown as string), TypeError, "folder");
  });
}

/**
 * The licences that go with the engine are those of what is in it.
 */

import { assert, assertEquals } from "@std/assert";

const WASM = new URL("../../wasm/", import.meta.url);
const read = (path: string) => Deno.readTextFile(new URL(path, WASM));

Deno.test("NOTICES.txt names every dependency of the engine, in the locked version", async () => {
  const locked = Array.from(
    (await read("Cargo.lock")).matchAll(/^name = "(.+)"\nversion = "(.+)"$/gm),
    ([, name, version]) => `${name} ${version}`,
  );
  const named = Array.from(
    (await read("pkg/NOTICES.txt")).matchAll(/^(\S+ \d\S+) \(.+\)$/gm),
    ([, crate]) => crate,
  );
  assertEquals(named.filter((crate) => !locked.includes(crate)), []);
  const direct = Array.from(
    (await read("Cargo.toml")).matchAll(/^([\w-]+) = (?:\{.*)?.*"=\d/gm),
    ([line, name]) => /package = "(.+?)"/.exec(line)?.[1] ?? name,
  );
  assert(direct.length >= 8, `${direct}`);
  assertEquals(direct.filter((name) => !named.some((crate) => crate.startsWith(`${name} `))), []);
});

/**
 * Guards: the modules behind ticket keys import one another one way. A circle works until someone
 * uses, while modules are loaded, what is not there yet.
 */

import { assert, assertEquals } from "@std/assert";

const SRC = new URL("../../src/", import.meta.url);

async function importsOf(name: string): Promise<string[]> {
  const source = await Deno.readTextFile(new URL(name, SRC));
  return [...source.matchAll(/^(?:import|export)[^;]*? from "\.\/([a-z_]+\.ts)";/gm)]
    .map(([, file]) => file);
}

Deno.test("no module that ticket keys are made of imports itself, by whatever way", async () => {
  const done = new Set<string>();
  const visit = async (name: string, way: readonly string[]): Promise<void> => {
    assertEquals(way.slice(way.indexOf(name) >>> 0), [], [...way, name].join(" → "));
    if (done.has(name)) return;
    for (const each of await importsOf(name)) await visit(each, [...way, name]);
    done.add(name);
  };
  await visit("ticket_keys.ts", []);
  for (const name of ["shared_ring.ts", "key_ring_store.ts", "ticket_ring.ts"]) {
    assert(done.has(name), name);
  }
});

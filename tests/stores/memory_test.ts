/**
 * The store in memory: the contract, and its bound.
 */

import { assertEquals, assertThrows } from "@std/assert";
import { memoryStore } from "../../src/stores/memory.ts";
import { living, name, value } from "./contract_values.ts";
import { testContract } from "./register.ts";

Deno.test.sanitizer({ ops: true, resources: true });

testContract("memory", () => Promise.resolve({ store: memoryStore(), close() {} }));

Deno.test("memory: the partition that was not used for longest goes first", async () => {
  const store = memoryStore({ maxPartitions: 3 });
  for (const each of ["a", "b", "c"]) await store.put(each, value(each), living());
  await store.peek("a");
  await store.put("d", value("d"), living());
  const kept = [];
  for (const each of ["a", "b", "c", "d"]) kept.push(name(await store.peek(each)));
  assertEquals(kept, ["a", null, "c", "d"]);
});

Deno.test("memory: what expired makes room when it is purged", async () => {
  const store = memoryStore({ maxPartitions: 2 });
  await store.put("lives", value("lives"), living());
  await store.put("expired", value("expired"), { expiresAt: Date.now() - 1, limit: 1 });
  await store.purge!();
  await store.put("next", value("next"), living());
  assertEquals(name(await store.peek("lives")), "lives");
});

Deno.test("memory: it says that it forgets", () => {
  assertEquals(memoryStore().capabilities.volatile, true);
});

for (const maxPartitions of [0, -1, 1.5, NaN]) {
  Deno.test(`memory: maxPartitions ${maxPartitions} is refused`, () => {
    assertThrows(() => memoryStore({ maxPartitions }), TypeError, "maxPartitions");
  });
}

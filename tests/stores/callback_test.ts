/**
 * Stores of callbacks and of a `Map`: the contract, but for what they cannot promise.
 */

import { assertEquals, assertThrows } from "@std/assert";
import { callbackStore, type SessionCallbacks } from "../../src/stores/callback.ts";
import { living, name, value } from "./contract_values.ts";
import { testContract } from "./register.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const without = ["races", "several", "expiry"] as const;

testContract(
  "Map",
  () => Promise.resolve({ store: callbackStore(new Map()), close() {} }),
  { without },
);

/** Callbacks as someone would write them: each asynchronous, the time kept beside the bytes. */
function callbacks(): SessionCallbacks & { kept: Map<string, [Uint8Array, number]> } {
  const kept = new Map<string, [Uint8Array, number]>();
  const later = () => new Promise((resolve) => setTimeout(resolve, 0));
  return {
    kept,
    async lookup(id) {
      await later();
      const [bytes, expiresAt] = kept.get(id) ?? [null, 0];
      return expiresAt > Date.now() ? bytes : null;
    },
    async store(id, bytes, expiresAt) {
      await later();
      kept.set(id, [bytes, expiresAt]);
    },
    async remove(id) {
      await later();
      kept.delete(id);
    },
  };
}

testContract(
  "callbacks",
  () => Promise.resolve({ store: callbackStore(callbacks()), close() {} }),
  { without: ["races", "several"] },
);

Deno.test("callbacks: undefined is nothing, and nothing is removed then", async () => {
  let removed = 0;
  const store = callbackStore({ lookup() {}, store() {}, remove: () => removed++ });
  assertEquals([await store.take("a"), await store.peek("a"), removed], [null, null, 0]);
  await store.delete("a");
  assertEquals(removed, 1);
});

Deno.test("callbacks: they are told until when", async () => {
  const source = callbacks();
  const { expiresAt, limit } = living();
  await callbackStore(source).put("a", value("a"), { expiresAt, limit });
  assertEquals([name(source.kept.get("a")![0]), source.kept.get("a")![1]], ["a", expiresAt]);
});

for (const missing of ["lookup", "store", "remove"] as const) {
  Deno.test(`callbacks: without "${missing}" they are refused`, () => {
    const source = { ...callbacks(), [missing]: undefined } as unknown as SessionCallbacks;
    assertThrows(() => callbackStore(source), TypeError, missing);
  });
}

for (const source of [null, undefined, 1, "x"]) {
  Deno.test(`callbacks: ${source} is refused`, () => {
    assertThrows(() => callbackStore(source as unknown as Map<string, Uint8Array>), TypeError);
  });
}

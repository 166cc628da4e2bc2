/** A class of one entry is that of every other entry that has it. */
import assert from "node:assert/strict";
import * as main from "@reprise/tls";
import * as engine from "@reprise/tls/engine";
import * as inline from "@reprise/tls/inline";
import { memoryStore } from "@reprise/tls/stores/memory";

for (const entry of [engine, inline]) {
  for (const [name, value] of Object.entries(main)) assert.equal(entry[name], value, name);
}
assert.equal(memoryStore, main.memoryStore);
assert.ok(new main.ClientContext() instanceof engine.ClientContext);

/**
 * A `KeyRingStore` in Deno KV, as a user would write it: one key, changed under its versionstamp.
 *
 * @module
 */

import type { KeyRingStore } from "../../mod.ts";

const KEY = ["ticket_keys"];

/** Keeps the ring of a fleet in a database that the caller opened. */
export function kvRingStore(kv: Deno.Kv): KeyRingStore {
  return {
    async load() {
      const { value, versionstamp } = await kv.get<Uint8Array>(KEY);
      return value === null ? null : { version: versionstamp!, value };
    },
    async compareAndSet(version, value) {
      const { ok } = await kv.atomic().check({ key: KEY, versionstamp: version })
        .set(KEY, value).commit();
      return ok;
    },
  };
}

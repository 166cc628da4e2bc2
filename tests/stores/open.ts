/**
 * Stores that two processes can open, by what can be said of them in JSON.
 *
 * @module
 */

import { denoKvStore } from "../../src/stores/deno_kv.ts";
import type { StoreUnderTest } from "./contract.ts";

/** Where a store is. */
export type Place = { kind: "deno_kv"; path: string };

/** Opens a store, in whichever process. */
export async function openStore(place: Place): Promise<StoreUnderTest> {
  const kv = await Deno.openKv(place.path);
  return { store: denoKvStore(kv), close: () => kv.close() };
}

/**
 * Registers the contract's cases with Deno's test runner.
 *
 * @module
 */

import { storeContract, type StoreContractOptions, type StoreUnderTest } from "./contract.ts";

/** Registers one test for each case. */
export function testContract(
  kind: string,
  makeStore: () => Promise<StoreUnderTest>,
  options: StoreContractOptions & { ignore?: boolean } = {},
): void {
  const { ignore = false, ...contract } = options;
  for (const { name, fn } of storeContract(makeStore, contract)) {
    Deno.test({ name: `${kind}: ${name}`, ignore, fn });
  }
}

/** A folder for a store's files; `close` removes it. */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await Deno.makeTempDir({ prefix: "stores-" });
  return { path, remove: () => Deno.remove(path, { recursive: true }) };
}

/**
 * The ways in which two server processes can have sessions in common, each on fresh files and
 * secrets: a store in a Deno KV file, or ticket keys.
 *
 * @module
 */

import { TicketKeys } from "../../mod.ts";
import type { ResumptionSpec } from "./spec.ts";

/** What the processes share. */
export const SHARED = [
  "a store in a Deno KV file",
  "ticket keys from a secret",
  "ticket keys from bytes in a file",
  "a ring of ticket keys in Deno KV",
] as const;

/** One of {@linkcode SHARED}. */
export type Shared = typeof SHARED[number];

/** Files and secrets of one test; disposing removes the files. */
export interface Fleet extends AsyncDisposable {
  /** A folder of its own. */
  folder: string;
  resumption: ResumptionSpec;
}

function secret(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toHex();
}

async function resumption(shared: Shared, folder: string): Promise<ResumptionSpec> {
  const kv = `${folder}/kv.sqlite`;
  switch (shared) {
    case "a store in a Deno KV file":
      return { mode: "stateful", kv, secret: secret() };
    case "ticket keys from a secret":
      return { mode: "tickets", keys: { from: "secret", secret: secret() } };
    case "ticket keys from bytes in a file": {
      const path = `${folder}/ticket_keys`;
      await Deno.writeFile(path, (await TicketKeys.generate()).toBytes());
      return { mode: "tickets", keys: { from: "bytes", path } };
    }
    case "a ring of ticket keys in Deno KV":
      return { mode: "tickets", keys: { from: "ring", kv, secret: secret() } };
  }
}

/** Makes what the server processes of one test share. */
export async function fleet(shared: Shared): Promise<Fleet> {
  const folder = await Deno.makeTempDir({ prefix: "reprise-server-" });
  return {
    folder,
    resumption: await resumption(shared, folder),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

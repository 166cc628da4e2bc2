/**
 * A client process with a pool over a shared store: connections in parallel, and what they came to.
 *
 * @module
 */

import { ClientContext, SealingKeys } from "../../mod.ts";
import { bounded, visit } from "../interop/visit.ts";
import { readInput, writeOutput } from "../peers/process.ts";
import { openStore, type Place } from "../stores/open.ts";
import { caCert } from "../testdata/mod.ts";

/** What the process is to do. */
export interface Crowd {
  place: Place;
  /** Hexadecimal. */
  secret: string;
  port: number;
  count: number;
  parallel: number;
  ticketsPerServer?: number;
  unlinkable?: boolean;
}

/** What came of it. */
export interface CrowdResult {
  pid: number;
  /** By connection: `null` where it resumed, else the reason. */
  misses: (string | null)[];
  reusedAtServer: (boolean | null)[];
}

if (import.meta.main) {
  const input = await readInput<Crowd>();
  const { count, parallel, port, ticketsPerServer, unlinkable } = input;
  const { store, close } = await openStore(input.place);
  const context = new ClientContext({
    caCerts: [caCert("ec")],
    resumption: {
      store,
      keys: await SealingKeys.fromSecret(Uint8Array.fromHex(input.secret)),
      timeout: 10_000,
      ...(ticketsPerServer && { ticketsPerServer }),
      ...(unlinkable && { unlinkable }),
    },
  });
  const result: CrowdResult = { pid: Deno.pid, misses: [], reusedAtServer: [] };
  let begun = 0;
  const worker = async () => {
    while (begun++ < count) {
      const { reused, reusedAtServer, miss } = await visit({ port, context });
      result.misses.push(reused ? null : miss);
      result.reusedAtServer.push(reusedAtServer);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  await bounded(context.settled(), "the puts");
  await close();
  writeOutput(result);
}

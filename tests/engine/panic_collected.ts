/**
 * A process of `panic_test.ts`: drops connections of an instance that stopped, has them collected,
 * and goes on.
 *
 * @module
 */

import { ClientContext, TlsError } from "../../mod.ts";
import { ClientEngine } from "../../src/client_engine.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { readInput, writeOutput } from "../peers/process.ts";

const { gc } = globalThis as unknown as { gc: () => void };
const { ca } = await readInput<{ ca: string }>();
const context = new ClientContext({ caCerts: [ca] });

function begin(): Promise<ClientEngine> {
  return ClientEngine.begin({ context, serverName: "localhost", port: 443 });
}

async function dropped(): Promise<void> {
  const freed = await begin();
  await begin();
  try {
    currentEngine().call((exports) => exports.panic_for_test());
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
  }
  freed.connection.free();
}

// Keeps the instance, and with it what is called when something of it is collected.
const kept = await begin();
await dropped();
for (let i = 0; i < 10; i++) {
  gc();
  await new Promise((resolve) => setTimeout(resolve, 5));
}
const next = await begin();
writeOutput({ code: kept.connection.error?.code, next: next.connection.error === undefined });
next.connection.free();

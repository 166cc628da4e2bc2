/**
 * The server of Reprise: an echo.
 *
 * @module
 */

import {
  listenTls,
  memoryStore,
  SealingKeys,
  ServerContext,
  type ServerContextOptions,
  TicketKeys,
  type TlsConn,
} from "../../mod.ts";
import { live } from "./life.js";

async function resumption(mode: string): Promise<ServerContextOptions["resumption"]> {
  if (mode === "tickets") return { mode, ticketKeys: await TicketKeys.generate() };
  const store = memoryStore({ maxPartitions: 100_000 });
  return { mode: "stateful", store, keys: await SealingKeys.generate() };
}

async function serve(conn: TlsConn): Promise<void> {
  const buffer = new Uint8Array(16);
  try {
    for (let n; (n = await conn.read(buffer)) !== null;) await conn.write(buffer.subarray(0, n));
  } finally {
    await conn.close();
  }
}

const [cert, key, mode] = Deno.args;
const context = new ServerContext({
  cert: Deno.readTextFileSync(cert),
  key: Deno.readTextFileSync(key),
  resumption: await resumption(mode),
});
const listener = listenTls({ hostname: "127.0.0.1", port: 0, context });
live((await listener.listening).port);
for await (const conn of listener) serve(conn).catch(() => {});

/**
 * Sessions for scripts: how a victim gives them, and how the attacker gets one.
 *
 * @module
 */

import type { Scene } from "../attack.ts";
import type { Client, Session } from "../attacker/mod.ts";
import type { ResumptionSpec } from "../victims/protocol.ts";

/** The ways in which a server keeps sessions. */
export const MODES = ["stateful", "tickets"] as const;

/** One of {@linkcode MODES}. */
export type Mode = typeof MODES[number];

let made = 0;

/** Resumption in one mode, with keys and a store of its own. */
export function resumptionOf(
  mode: Mode,
  more: { maxAge?: number; tickets?: number } = {},
): ResumptionSpec {
  const secret = crypto.getRandomValues(new Uint8Array(32)).toHex();
  if (mode === "tickets") return { mode, secret, ...more };
  return { mode, secret, store: `store ${made++}`, ...more };
}

/**
 * A session of a connection whose handshake is complete; ends the connection, in order, and takes
 * what became of it from the scene.
 */
export async function sessionFrom(client: Client, scene: Scene<Client>): Promise<Session> {
  // On TLS 1.3 the ticket comes before what is echoed.
  await client.echo();
  await client.bye();
  const { error } = await scene.end();
  if (error !== null) throw new Error(`The first connection ended with ${error.code}`);
  const session = client.sessions.at(-1);
  if (session === undefined) throw new Error("The server gave no session");
  return session;
}

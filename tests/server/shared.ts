/**
 * What two contexts of one process share when a test tries to carry a session from one to the
 * other: store and sealing keys, or ticket keys. The contexts differ in nothing but the options
 * that the test gives.
 *
 * @module
 */

import { SealingKeys, type ServerContextOptions, TicketKeys } from "../../mod.ts";
import { callbackStore } from "../../src/stores/callback.ts";

export const MODES = ["stateful", "tickets"] as const;

/** One of {@linkcode MODES}. */
export type Mode = typeof MODES[number];

/** Options of `resumption` beside the stores and keys. */
export interface Also {
  maxAge?: number;
  tickets?: number;
  memory?: number;
}

/**
 * Resumption on a fresh store or fresh keys; give it to every context that shall share them. The
 * store keeps what has expired, so that it is the server that must notice.
 */
export async function sharedResumption(
  mode: Mode,
  { memory, ...also }: Also = {},
): Promise<NonNullable<ServerContextOptions["resumption"]>> {
  if (mode === "tickets") {
    const days = { rotateEvery: 30 * 24 * 60 * 60 * 1000 };
    return { mode, ticketKeys: await TicketKeys.generate(days), ...also };
  }
  const store = callbackStore(new Map());
  const keys = await SealingKeys.generate();
  return { mode, store, keys, ...also, ...(memory !== undefined && { memory }) };
}

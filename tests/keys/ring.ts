/**
 * What tests look at in a ring of ticket keys.
 *
 * @module
 */

import type { TicketKeys } from "../../mod.ts";
import { hex } from "../../src/bytes.ts";
import { ticketKeysInternals } from "../../src/ticket_keys.ts";
import { decodeTicketKeys, type TicketKey } from "../../src/ticket_ring.ts";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** Ids of the keys that a handshake would use now. */
export interface InUse {
  /** The one that seals, or `null`. */
  seals: string | null;
  /** All that open, sorted. */
  opens: string[];
}

/** Asks for the ring as a handshake does. */
export async function inUse(keys: TicketKeys): Promise<InUse> {
  const { ring, seals } = await ticketKeysInternals.ring(keys);
  const ids: string[] = [];
  for (let at = 0; at < ring.length; at += 48) ids.push(hex(ring.subarray(at, at + 16)));
  return { seals: seals ? ids[0] : null, opens: ids.toSorted() };
}

/** The keys of a ring with their secrets and times. */
export function contents(keys: TicketKeys): TicketKey[] {
  return decodeTicketKeys(keys.toBytes());
}

/** 32 bytes that look like a secret, from a number. */
export function secret(seed: number): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => (seed * 37 + i * 101 + (i * seed) % 7) & 255);
}

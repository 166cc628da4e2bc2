/**
 * What the ring of ticket keys in a store should be, as one process sees it. ADR 16 says why.
 *
 * Rules:
 * - What this process knows and what the store has are joined; neither wins.
 * - A key leaves the ring when this server's clock and the keys that others published both say that
 *   it has ended. So one wrong clock erases nothing of the others.
 * - To erase a key that was never in use here is no reason to write: servers whose clocks differ
 *   would undo each other's changes without end.
 *
 * It changes nothing, and knows no store.
 *
 * @module
 */

import type { SeenKey, SeenKeys } from "./seen_keys.ts";
import {
  MAX_KEYS,
  MAX_REVOKED,
  MAX_UINT,
  type RevokedKey,
  type SharedTicketRing,
  type TicketKey,
  ticketKeyId,
} from "./ticket_ring.ts";
import { CLOCKS_APART_MS, newKey, retired, sealedUntil } from "./ticket_schedule.ts";

/** What belongs into the store. */
export interface RingPlan {
  /** The keys' arrays are borrowed, but for those in `made`. */
  ring: SharedTicketRing;
  /** New keys, which nobody else has yet. */
  made: TicketKey[];
  /** Keys that the ring in the store did not have any more. */
  restored: SeenKey[];
  /** Keys that have ended, and were in the ring in the store. */
  erased: SeenKey[];
  /** Whether it has to be written. */
  changed: boolean;
}

/**
 * Plans the next ring.
 *
 * @param stored The ring in the store, which `seen` has learned. `null`: there is none, or an older
 * one that counts for nothing.
 * @param rotate Whether to end the keys that seal.
 */
export function planRing(
  seen: SeenKeys,
  stored: SharedTicketRing | null,
  rotate: boolean,
): RingPlan {
  const now = seen.clock.now();
  const proven = provenTime(seen, stored, now);
  const keys = new Map<string, TicketKey>();
  const erased: SeenKey[] = [];
  for (const { key } of stored?.keys ?? []) {
    const known = seen.get(ticketKeyId({ key }));
    if (known === undefined || known.revoked) continue;
    if (seen.isOver(known, now, proven) && seen.isDisputable(known)) {
      erased.push(known);
      continue;
    }
    const { notBefore, sealUntil, openUntil } = known;
    keys.set(known.id, { key, notBefore, sealUntil, openUntil });
  }
  const lost = seen.all().filter((key) =>
    !keys.has(key.id) && isToRestore(seen, key, now, proven, stored !== null)
  );
  for (const key of lost) keys.set(key.id, key);
  if (rotate) { for (const [id, key] of keys) keys.set(id, retired(key)); }
  const made = dueKeys(seen, [...keys.values()], now);
  for (const key of made) keys.set(ticketKeyId(key), key);

  const kept = seen.worthiest([...keys.values()], now).slice(0, MAX_KEYS);
  const ring: SharedTicketRing = {
    // Not below the time either: a ring that begins anew is newer than one that a store lost.
    generation: Math.min(MAX_UINT, Math.max(seen.generation + 1, Math.floor(now))),
    writtenAt: Math.max(0, Math.floor(now)),
    keys: kept,
    revoked: revokedKeys(seen, stored, now, proven),
  };
  return {
    ring,
    made,
    restored: lost.filter(({ id }) => kept.includes(keys.get(id)!)),
    erased,
    changed: rotate || stored === null || differs(seen, stored, ring),
  };
}

/**
 * The time that it is at least, by the clocks of others: they published their newest key so long
 * before it seals, and no earlier.
 */
function provenTime(seen: SeenKeys, stored: SharedTicketRing | null, now: number): number {
  let proven = -Infinity;
  for (const key of stored?.keys ?? []) {
    const known = seen.get(ticketKeyId(key));
    if (known === undefined || known.madeHere || !seen.isNear(known, now)) continue;
    proven = Math.max(proven, known.notBefore - seen.times.publishAhead);
  }
  return proven;
}

/** Whether a key that is not in the ring belongs there. */
function isToRestore(
  seen: SeenKeys,
  key: SeenKey,
  now: number,
  proven: number,
  isNewer: boolean,
): boolean {
  if (!key.held || key.revoked || key.openUntil <= now) return false;
  if (key.openUntil + CLOCKS_APART_MS <= proven || seen.isOver(key, now, proven)) return false;
  return !isNewer || seen.isDisputable(key);
}

/** The keys that have to be made: one that seals now, and the next one in time. */
function dueKeys(seen: SeenKeys, keys: readonly TicketKey[], now: number): TicketKey[] {
  const { rotateEvery, publishAhead } = seen.times;
  const made: TicketKey[] = [];
  const usable = keys.filter((key) => {
    const known = seen.get(ticketKeyId(key));
    return known !== undefined && seen.isUsable(known, now);
  });
  let until = sealedUntil(usable, now);
  if (until === now) {
    // From some time ago, so that it seals on servers whose clocks are behind, too.
    until = now + rotateEvery;
    made.push(newKey(now - CLOCKS_APART_MS, until, seen.times));
  }
  if (until - now < publishAhead) made.push(newKey(until, until + rotateEvery, seen.times));
  return made;
}

/** The ids that the ring names as revoked, those that end last where there are too many. */
function revokedKeys(
  seen: SeenKeys,
  stored: SharedTicketRing | null,
  now: number,
  proven: number,
): RevokedKey[] {
  const named = new Set(stored?.revoked.map(({ id }) => id));
  const revoked = seen.all().filter((key) => {
    if (!key.revoked || seen.isOver(key, now, proven)) return false;
    return named.has(key.id) || key.openUntil + CLOCKS_APART_MS > Math.max(now, proven);
  });
  return revoked.map(({ id, openUntil }) => ({ id, until: openUntil }))
    .sort((a, b) => b.until - a.until).slice(0, MAX_REVOKED);
}

function differs(seen: SeenKeys, stored: SharedTicketRing, ring: SharedTicketRing): boolean {
  const before = new Map(stored.keys.map((key) => [ticketKeyId(key), key]));
  for (const key of ring.keys) {
    const id = ticketKeyId(key);
    const was = before.get(id);
    if (was?.sealUntil !== key.sealUntil || was.openUntil !== key.openUntil) return true;
    before.delete(id);
  }
  for (const id of before.keys()) {
    const gone = seen.get(id);
    if (gone === undefined || gone.used || gone.revoked) return true;
  }
  const named = new Set(stored.revoked.map(({ id }) => id));
  return ring.revoked.some(({ id }) => !named.has(id));
}

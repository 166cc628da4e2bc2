/**
 * When ticket keys change: one seals, several open, all of them come to an end.
 *
 * Rules: rotation by schedule, without a timer: whoever asks for the keys rotates them if that is
 * due. A key is published before it seals, so that all who share it open what any of them seals.
 * The time is an argument, in milliseconds since 1970. It knows no store.
 *
 * @module
 */

import { randomKey } from "./key_material.ts";
import { checkTimeout } from "./options.ts";
import { MAX_KEYS, type TicketKey, ticketKeyId, wipeKeys } from "./ticket_ring.ts";

const MINUTE_MS = 60 * 1000;
const HOUR_MS = 60 * MINUTE_MS;
/** More than that is a mistake, or a number of something else. */
const MAX_PERIOD_MS = 366 * 24 * HOUR_MS;
/**
 * A ring has room for as many periods of keys that only open, beside the one that seals, the next
 * one, and some that were rotated by hand.
 */
const MAX_PERIODS_OPEN = 24;
/** Keys that are shared seal for so long at least: a store has to be looked at in between. */
const MIN_SHARED_PERIOD_MS = MINUTE_MS;
const REFRESH_MS = MINUTE_MS;
/** How often at least servers look at a ring in the time for which one key of it seals. */
const LOOKS_PER_KEY = 4;
/** A server's clock may be so far from the true time; one that is further off is told. */
export const CLOCK_MARGIN_MS = 5 * MINUTE_MS;
/** Two such clocks, one ahead and one behind, are so far apart. */
export const CLOCKS_APART_MS = 2 * CLOCK_MARGIN_MS;

/** When keys change. */
export interface TicketKeyOptions {
  /** Milliseconds for which a key seals; 8 hours by default (RFC 9325 §4.1: less than a week). */
  rotateEvery?: number;
  /**
   * Milliseconds for which a key opens after that; as long again by default, and at most 24 times
   * `rotateEvery`, as a ring has room for no more keys.
   */
  openFor?: number;
}

/** {@linkcode TicketKeyOptions}, checked. */
export interface Schedule {
  rotateEvery: number;
  openFor: number;
}

function period(name: string, value: unknown, fallback: number): number {
  const milliseconds = checkTimeout(name, value, fallback);
  if (milliseconds > MAX_PERIOD_MS) {
    throw new TypeError(`Option "${name}" must be a year at most, got ${milliseconds} ms`);
  }
  return milliseconds;
}

/** Checks a schedule. */
export function checkSchedule(rotateEvery: unknown, openFor: unknown): Schedule {
  const every = period("rotateEvery", rotateEvery, 8 * HOUR_MS);
  const open = period("openFor", openFor, every);
  if (open > every * MAX_PERIODS_OPEN) {
    throw new TypeError(
      `Option "openFor" must be ${MAX_PERIODS_OPEN} times "rotateEvery" at most, as a ring has ` +
        `room for ${MAX_KEYS} keys; got ${open} ms for keys that seal for ${every} ms`,
    );
  }
  return { rotateEvery: every, openFor: open };
}

/** When keys change that many servers share. */
export interface SharedSchedule extends Schedule {
  /** Milliseconds after which the store is looked at again. */
  refreshEvery: number;
  /** Milliseconds for which a key is in the ring before it seals. */
  publishAhead: number;
}

/**
 * Checks a schedule of shared keys: every server has to look at the ring between the time when a
 * key is published and the time when it seals.
 */
export function checkSharedSchedule(times: Schedule, refreshEvery: unknown): SharedSchedule {
  const { rotateEvery } = times;
  if (rotateEvery < MIN_SHARED_PERIOD_MS) {
    throw new TypeError(
      `Option "rotateEvery" must be ${MIN_SHARED_PERIOD_MS} ms or more for keys that servers ` +
        `share, got ${rotateEvery} ms`,
    );
  }
  const most = rotateEvery / LOOKS_PER_KEY;
  const refresh = checkTimeout("refreshEvery", refreshEvery, Math.min(REFRESH_MS, most));
  if (refresh > most) {
    throw new TypeError(
      `Option "refreshEvery" must be a quarter of "rotateEvery" at most, as each server has to ` +
        `see a key before it seals; got ${refresh} ms, and keys that seal for ${rotateEvery} ms`,
    );
  }
  // Noticed by all: those whose clocks are behind look at the store later.
  const noticed = Math.min(rotateEvery, refresh + CLOCKS_APART_MS);
  return {
    ...times,
    refreshEvery: refresh,
    publishAhead: Math.max(rotateEvery / 2, noticed),
  };
}

/** A random key that seals from one time to another. */
export function newKey(notBefore: number, sealUntil: number, { openFor }: Schedule): TicketKey {
  // A clock of 1970 is no reason to fail.
  return {
    key: randomKey(),
    notBefore: Math.max(0, notBefore),
    sealUntil,
    openUntil: sealUntil + openFor,
  };
}

/** Whether a key seals at a time. */
export function sealsAt(key: TicketKey, time: number): boolean {
  return key.notBefore <= time && time < key.sealUntil;
}

/** Until when, from a time on, some key always seals; the time itself where none does. */
export function sealedUntil(keys: readonly TicketKey[], time: number): number {
  for (let until = time;;) {
    const next = Math.max(until, ...keys.filter((k) => sealsAt(k, until)).map((k) => k.sealUntil));
    if (next === until) return until;
    until = next;
  }
}

/**
 * The key that seals, if there is one, then those that only open; keys that have ended are left
 * out. Of several that seal it is the newest, and of two that are as new the one whose id is less,
 * so that all servers choose the same.
 */
export function inOrder<K extends TicketKey>(keys: readonly K[], time: number): K[] {
  const live = keys.filter((key) => key.openUntil > time);
  const sealing = live.filter((key) => sealsAt(key, time))
    .sort((a, b) => b.notBefore - a.notBefore || (ticketKeyId(a) < ticketKeyId(b) ? -1 : 1))
    .slice(0, 1);
  return [...sealing, ...live.filter((key) => !sealing.includes(key))];
}

/**
 * A key that seals no more, and opens to its end. That it has no time left to seal, rather than one
 * that ends now, holds on servers whose clocks are behind as well.
 */
export function retired(key: TicketKey): TicketKey {
  return { ...key, sealUntil: Math.min(key.sealUntil, key.notBefore) };
}

/**
 * Keys by what is lost without them: the one that seals now, those that will, those that only open,
 * those of which the caller says that they begin too late to be used, and those that have ended.
 * Among each of them those come first that end last.
 */
export function worthiest<K extends TicketKey>(
  keys: readonly K[],
  now: number,
  isLate: (key: K) => boolean = () => false,
): K[] {
  const rank = (key: K) => {
    if (key.openUntil <= now) return 4;
    if (isLate(key)) return 3;
    if (sealsAt(key, now)) return 0;
    return now < key.notBefore && key.notBefore < key.sealUntil ? 1 : 2;
  };
  // Of two alike the one that was added last.
  return keys.map((key) => ({ key, rank: rank(key) })).reverse()
    .sort((a, b) => a.rank - b.rank || b.key.openUntil - a.key.openUntil)
    .map(({ key }) => key);
}

/**
 * The keys of one process, with one that seals now and the next one in time. Those that have ended,
 * and those that are too many, are wiped.
 */
export function rotated(keys: readonly TicketKey[], times: Schedule, now: number): TicketKey[] {
  const live = keys.filter((key) => key.openUntil > now);
  let until = sealedUntil(live, now);
  if (until === now) live.push(newKey(now, until = now + times.rotateEvery, times));
  if (until - now < times.rotateEvery / 2) {
    live.push(newKey(until, until + times.rotateEvery, times));
  }
  const dropped = worthiest(live, now).slice(MAX_KEYS);
  const kept = live.filter((key) => !dropped.includes(key));
  wipeKeys(keys.filter((key) => !kept.includes(key)));
  return kept;
}

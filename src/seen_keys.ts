/**
 * What one process has seen of a ring that many servers share. ADR 16 says why.
 *
 * Rules, whatever a store answers:
 * - Nothing that was seen to end begins again: of each key the earliest end counts, a revoked one
 *   stays revoked, and the generation never goes down. What ended is remembered without its secret.
 * - A key that was seen opens until it ends by this server's clock.
 * - A key that begins later than a server would publish it whose clock is right is not used. It may
 *   be this server's clock that is wrong, so the key is remembered, and left in the ring.
 *
 * Secrets are copied in, and wiped when their key has ended or was revoked. It knows no store.
 *
 * @module
 */

import { MAX_KEYS, type SharedTicketRing, type TicketKey, ticketKeyId } from "./ticket_ring.ts";
import { CLOCKS_APART_MS, type SharedSchedule, worthiest } from "./ticket_schedule.ts";

/** Keys that a process remembers, most of them without their secrets. */
export const MAX_SEEN = 256;
/** How long a process leaves a key where others put it, the first time and at most. */
const DISPUTE_MS = CLOCKS_APART_MS;
const MAX_DISPUTE_MS = 60 * 60 * 1000;

/** Time as a process knows it; tests have their own. */
export interface Clock {
  /** Milliseconds since 1970, which may be wrong, and may jump. */
  now(): number;
  /** Milliseconds since some time; it never jumps. */
  elapsed(): number;
}

/** A key that was seen, and what is known of it. */
export interface SeenKey extends TicketKey {
  readonly id: string;
  /** Whether `key` is the secret: it was not wiped. */
  held: boolean;
  revoked: boolean;
  /** Whether this process made it, so that it says nothing about the clocks of others. */
  madeHere: boolean;
  /** Whether it was in use here: then a clock that is set back does not make it a stranger. */
  used: boolean;
  /** Whether it was told that it begins too late to be used. */
  told: boolean;
  /** When it was seen first, by `Clock.elapsed()`. */
  readonly since: number;
  /** How often this process put it back or took it out, and when it may do so again. */
  disputes: number;
  disputableAt: number;
}

/** What is new in a ring, and worth telling. */
export interface Learned {
  /** Ids of keys that are revoked now. */
  revoked: string[];
  /** Keys that begin too late to be used. */
  late: SeenKey[];
}

/** The keys that one process has seen. */
export class SeenKeys {
  readonly times: SharedSchedule;
  readonly clock: Clock;
  readonly #keys = new Map<string, SeenKey>();
  #generation = -1;

  constructor(times: SharedSchedule, clock: Clock) {
    this.times = times;
    this.clock = clock;
  }

  /** The highest generation that was seen; -1 before the first ring. */
  get generation(): number {
    return this.#generation;
  }

  /** What is known of a key. */
  get(id: string): SeenKey | undefined {
    return this.#keys.get(id);
  }

  /** All of them. */
  all(): SeenKey[] {
    return [...this.#keys.values()];
  }

  /** The keys that seal or open now; those that have ended are wiped. */
  inUse(): SeenKey[] {
    const now = this.clock.now();
    const usable = this.all().filter((key) => {
      if (key.held && this.#hasEnded(key, now)) wipe(key);
      return this.isUsable(key, now);
    });
    for (const key of usable) key.used = true;
    return usable;
  }

  /** Makes a key neither seal nor open any more. */
  revoke(key: SeenKey): void {
    key.revoked = true;
    wipe(key);
  }

  /**
   * Takes in what a ring says that is in the store. Its keys are copied.
   *
   * @param made Those keys of the ring that this process made.
   */
  learn(ring: SharedTicketRing, made: readonly TicketKey[] = []): Learned {
    const now = this.clock.now();
    const learned: Learned = { revoked: this.#learnRevoked(ring), late: [] };
    for (const key of ring.keys) {
      const id = ticketKeyId(key);
      const seen = this.#keys.get(id) ?? this.#add(id, key);
      seen.madeHere ||= made.includes(key);
      endEarlier(seen, key);
      if (seen.held || seen.revoked || this.#hasEnded(seen, now)) continue;
      // A key that was borrowed from here may have been wiped while the store was waited for.
      if (key.key.every((byte) => byte === 0)) continue;
      seen.key = key.key.slice();
      seen.held = true;
      if (seen.told || this.isNear(seen, now)) continue;
      seen.told = true;
      learned.late.push(seen);
    }
    this.#generation = Math.max(this.#generation, ring.generation);
    this.#dropTooMany(now);
    return learned;
  }

  /**
   * Takes in what an older ring says to have ended, and no key of it: what has ended has ended,
   * whenever it is said.
   */
  learnEnds(ring: SharedTicketRing): Learned {
    const revoked = this.#learnRevoked(ring);
    for (const key of ring.keys) {
      const seen = this.#keys.get(ticketKeyId(key));
      if (seen !== undefined) endEarlier(seen, key);
    }
    this.#dropTooMany(this.clock.now());
    return { revoked, late: [] };
  }

  #learnRevoked(ring: SharedTicketRing): string[] {
    const learned: string[] = [];
    const { rotateEvery, openFor } = this.times;
    for (const { id, until } of ring.revoked) {
      const sealUntil = until - openFor;
      const times = { notBefore: sealUntil - rotateEvery, sealUntil, openUntil: until };
      const seen = this.#keys.get(id) ?? this.#add(id, times);
      if (!seen.revoked) learned.push(id);
      this.revoke(seen);
    }
    return learned;
  }

  #add(id: string, { notBefore, sealUntil, openUntil }: Omit<TicketKey, "key">): SeenKey {
    const seen: SeenKey = {
      id,
      key: new Uint8Array(0),
      notBefore,
      sealUntil,
      openUntil,
      held: false,
      revoked: false,
      madeHere: false,
      used: false,
      told: false,
      since: this.clock.elapsed(),
      disputes: 0,
      disputableAt: -Infinity,
    };
    this.#keys.set(id, seen);
    return seen;
  }

  /** Whether a key opens now, and seals if it is its time. */
  isUsable(key: SeenKey, now: number): boolean {
    return key.held && !key.revoked && key.openUntil > now && this.isNear(key, now);
  }

  /** Whether it begins no later than a server would publish it whose clock is right. */
  isNear(key: SeenKey, now: number): boolean {
    const life = key.openUntil - key.notBefore;
    return key.used || key.notBefore - now <= life / 2 + 2 * CLOCKS_APART_MS;
  }

  /**
   * Whether a key has ended for everybody, so that it may leave the ring: by this server's clock
   * and by the clocks of others, as far as they are `proven`. One that is not in use here is also
   * over when this process has known it for as long as a key lives, whatever the clocks say.
   */
  isOver(key: SeenKey, now: number, proven: number): boolean {
    if (key.openUntil + CLOCKS_APART_MS <= Math.min(now, proven)) return true;
    if (key.openUntil > now && this.isNear(key, now)) return false;
    const life = key.openUntil - key.notBefore + this.times.publishAhead + CLOCKS_APART_MS;
    return this.clock.elapsed() - key.since > life;
  }

  /** Whether it has ended by this server's clock, so that its secret goes. */
  #hasEnded(key: SeenKey, now: number): boolean {
    return this.isOver(key, now, Infinity);
  }

  /**
   * Whether this process may put a key back, or take it out. Servers whose clocks differ disagree
   * on what has ended, and none is to win by writing faster: after each change it waits, for longer
   * each time.
   */
  isDisputable(key: SeenKey): boolean {
    return this.clock.elapsed() >= key.disputableAt;
  }

  /** Notes that this process put keys back, or took them out. */
  dispute(keys: readonly SeenKey[]): void {
    for (const key of keys) {
      const wait = Math.min(DISPUTE_MS * 2 ** key.disputes++, MAX_DISPUTE_MS);
      key.disputableAt = this.clock.elapsed() + wait;
    }
  }

  /** Keys of a ring by what is lost without them. */
  worthiest<K extends TicketKey>(keys: readonly K[], now: number): K[] {
    return worthiest(keys, now, (key) => {
      const seen = this.#keys.get(ticketKeyId(key));
      return seen !== undefined && !this.isNear(seen, now);
    });
  }

  /** Keeps within bounds: of secrets as many as a ring has, of keys without them some more. */
  #dropTooMany(now: number): void {
    const held = this.all().filter((key) => key.held);
    for (const key of this.worthiest(held, now).slice(MAX_KEYS)) wipe(key);
    const known = this.all().filter((key) => !key.held)
      .sort((a, b) => Number(a.revoked) - Number(b.revoked) || a.openUntil - b.openUntil);
    for (const { id } of known.slice(0, Math.max(0, this.#keys.size - MAX_SEEN))) {
      this.#keys.delete(id);
    }
  }
}

function endEarlier(seen: SeenKey, { sealUntil, openUntil }: TicketKey): void {
  seen.sealUntil = Math.min(seen.sealUntil, sealUntil);
  seen.openUntil = Math.min(seen.openUntil, openUntil);
}

function wipe(seen: SeenKey): void {
  seen.key.fill(0);
  seen.held = false;
}

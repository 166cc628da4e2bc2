/**
 * The sessions that one connection received: the newest at hand, and those that nobody has taken yet.
 *
 * @module
 */

import type { Session } from "./session.ts";

/** A server may send any number; whoever iterates too slowly misses the oldest. */
const MAX_WAITING = 16;
/** Tickets of a connection that are looked at, and kept; one more for each minute that it lives. */
const MAX_TICKETS = 16;
const REFILL_MS = 60_000;

/** The sessions of one connection. */
export class SessionQueue {
  #newest: Session | null = null;
  #waiting: Session[] = [];

  /** The newest session, or `null`. */
  get newest(): Session | null {
    return this.#newest;
  }

  push(session: Session): void {
    this.#newest = session;
    if (this.#waiting.length === MAX_WAITING) this.#waiting.shift();
    this.#waiting.push(session);
  }

  /** The oldest session not yet taken. */
  shift(): Session | undefined {
    return this.#waiting.shift();
  }
}

/** How many tickets a server may make a client work for, and put into its store. */
export class TicketBudget {
  #left = MAX_TICKETS;
  #refilled = performance.now();

  /** Whether one more is looked at. */
  take(): boolean {
    const minutes = Math.floor((performance.now() - this.#refilled) / REFILL_MS);
    if (minutes > 0) {
      this.#refilled += minutes * REFILL_MS;
      this.#left = Math.min(MAX_TICKETS, this.#left + minutes);
    }
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }
}

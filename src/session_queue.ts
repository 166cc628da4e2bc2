/**
 * The sessions that one connection received: the newest at hand, all of them for who iterates.
 *
 * @module
 */

import type { Session } from "./session.ts";

/** A server may send any number; whoever iterates too slowly misses the oldest. */
const MAX_WAITING = 16;

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

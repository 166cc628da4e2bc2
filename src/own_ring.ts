/**
 * Random ticket keys of one process, which change by schedule.
 *
 * Rule: a key that has ended, was revoked or fell out of the ring is wiped when that is noticed: at
 * the next use, as there is no timer.
 *
 * @module
 */

import { RevokedIds, type TicketKeySource, unknownKey } from "./ticket_key_source.ts";
import { type TicketKey, ticketKeyId, wipeKeys } from "./ticket_ring.ts";
import { retired, rotated, type Schedule } from "./ticket_schedule.ts";

/** The ring of a process that shares it with nobody, or by hand. */
export class OwnRing implements TicketKeySource {
  readonly #times: Schedule;
  readonly #revoked = new RevokedIds();
  #keys: readonly TicketKey[];

  /** Takes the keys over, and rotates them if that is due. */
  constructor(keys: readonly TicketKey[], times: Schedule) {
    this.#times = times;
    this.#keys = rotated(keys, times, Date.now());
  }

  refresh(): void {
    this.#keys = rotated(this.#keys, this.#times, Date.now());
  }

  keys(): readonly TicketKey[] {
    return this.#keys;
  }

  rotate(): void {
    const now = Date.now();
    // The next key has sealed nothing yet: nobody misses it.
    wipeKeys(this.#keys.filter(({ notBefore }) => notBefore > now));
    const past = this.#keys.filter(({ notBefore }) => notBefore <= now);
    this.#keys = rotated(past.map(retired), this.#times, now);
  }

  revoke(id: string): void {
    if (this.#revoked.has(id)) return;
    const key = this.#keys.find((each) => ticketKeyId(each) === id);
    if (key === undefined) throw unknownKey(id, this.#keys.map(ticketKeyId));
    this.#revoked.add(id, key.openUntil, "make a new ring");
    this.#keys = this.#keys.filter((each) => each !== key);
    key.key.fill(0);
    this.refresh();
  }
}

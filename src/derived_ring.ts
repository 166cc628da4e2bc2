/**
 * Ticket keys that are derived from a secret and the time.
 *
 * Rule: a key that is not needed now is wiped; the secret stays, and can make it again. So a
 * revoked key is not gone: its id is remembered, in this process alone.
 *
 * @module
 */

import { derive, KEY_LENGTH } from "./key_material.ts";
import { RevokedIds, type TicketKeySource, unknownKey } from "./ticket_key_source.ts";
import { type TicketKey, ticketKeyId, wipeKeys } from "./ticket_ring.ts";
import type { Schedule } from "./ticket_schedule.ts";

/** The ring that everyone has who has the secret, the schedule and a clock. */
export class DerivedRing implements TicketKeySource {
  /** This object's own copy. */
  readonly #secret: Uint8Array;
  readonly #times: Schedule;
  readonly #revoked = new RevokedIds();
  #keys: TicketKey[] = [];
  #period = NaN;

  /** Takes the secret over. */
  constructor(secret: Uint8Array, times: Schedule) {
    this.#secret = secret;
    this.#times = times;
    this.refresh();
  }

  refresh(): void {
    const { rotateEvery, openFor } = this.#times;
    const period = Math.floor(Date.now() / rotateEvery);
    if (period === this.#period) return;
    this.#period = period;
    wipeKeys(this.#keys);
    // The next one too: another server's clock may be a little ahead.
    const length = Math.ceil(openFor / rotateEvery) + 2;
    this.#keys = Array.from({ length }, (_, i) => period + 1 - i).map((n) => ({
      key: derive(this.#secret, `reprise ticket key ${rotateEvery} ${n}`, KEY_LENGTH),
      notBefore: n * rotateEvery,
      sealUntil: (n + 1) * rotateEvery,
      openUntil: (n + 1) * rotateEvery + openFor,
    }));
    this.#drop((id) => this.#revoked.has(id));
  }

  keys(): readonly TicketKey[] {
    return this.#keys;
  }

  rotate(): never {
    throw new TypeError("Keys from a secret change by schedule; use another secret");
  }

  revoke(id: string): void {
    if (this.#revoked.has(id)) return;
    const key = this.#keys.find((each) => ticketKeyId(each) === id);
    if (key === undefined) throw unknownKey(id, this.#keys.map(ticketKeyId));
    this.#revoked.add(id, key.openUntil, "use another secret");
    this.#drop((each) => each === id);
  }

  #drop(which: (id: string) => boolean): void {
    const dropped = this.#keys.filter((key) => which(ticketKeyId(key)));
    this.#keys = this.#keys.filter((key) => !dropped.includes(key));
    wipeKeys(dropped);
  }
}

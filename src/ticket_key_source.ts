/**
 * Where the keys of a `TicketKeys` come from, and what every source does with revoked keys.
 *
 * @module
 */

import { MAX_REVOKED, type TicketKey } from "./ticket_ring.ts";

/** A ring of one kind: of this process, from a secret, or shared. */
export interface TicketKeySource {
  /** Does what is due. It never fails; a promise is waited for by those who need the keys. */
  refresh(): void | Promise<void>;
  /** The keys of now, as the ring has them: not to be kept, and not to be changed. */
  keys(): readonly TicketKey[];
  /** Makes a new key seal. */
  rotate(): void | Promise<void>;
  /** Makes a key neither seal nor open, at once where its id is known. */
  revoke(id: string): void | Promise<void>;
}

/** What `revoke()` throws for an id that no key has. */
export function unknownKey(id: string, keys: readonly string[]): TypeError {
  const known = keys.length === 0 ? "none" : keys.join(", ");
  return new TypeError(
    `Argument "keyId" must be the id of a key of this ring, got "${id}"; it has ${known}`,
  );
}

/** What `revoke()` throws when a ring has as many revoked keys as it keeps. */
export function tooManyRevoked(remedy: string): RangeError {
  return new RangeError(
    `${MAX_REVOKED} keys are revoked that have not ended yet, and a ring keeps no more; ${remedy}`,
  );
}

/**
 * The ids that one process has revoked. None is forgotten before there are too many, and then only
 * those whose keys have ended: a clock that jumps ahead and back brings no key back.
 */
export class RevokedIds {
  readonly #until = new Map<string, number>();

  has(id: string): boolean {
    return this.#until.has(id);
  }

  /** Remembers an id. Throws `RangeError` where there are too many. */
  add(id: string, until: number, remedy: string): void {
    if (this.#until.size >= MAX_REVOKED) {
      for (const [each, end] of this.#until) if (end <= Date.now()) this.#until.delete(each);
    }
    if (this.#until.size >= MAX_REVOKED) throw tooManyRevoked(remedy);
    this.#until.set(id, until);
  }
}

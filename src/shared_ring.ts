/**
 * Ticket keys that many servers share: one process's view of a ring in a store, kept up with it.
 *
 * Rules:
 * - The ring is changed by compare-and-set only. A store that is down, hangs or lies changes
 *   nothing for keys that were seen, and holds up nobody for long.
 * - An older ring than one that was seen is refused, and replaced by what this process knows. What
 *   does not open is refused, and left as it is: it may be somebody else's.
 * - What a ring says is taken in before this process writes: who cannot write still learns which
 *   keys were rotated or revoked.
 * - Each update has a limit of tries and of time, and waits for more than a microtask in between.
 *
 * @module
 */

import { deadline } from "./deadline.ts";
import { TlsError } from "./errors.ts";
import { type KeyRingStore, openRing, sealRing } from "./key_ring_store.ts";
import { planRing, type RingPlan } from "./ring_plan.ts";
import type { SealingKeys } from "./sealing_keys.ts";
import { type Clock, type Learned, SeenKeys } from "./seen_keys.ts";
import {
  type OnTicketKeyEvent,
  type RingRefusal,
  tell,
  type TicketKeyEvent,
} from "./ticket_key_events.ts";
import { type TicketKeySource, tooManyRevoked, unknownKey } from "./ticket_key_source.ts";
import {
  MAX_REVOKED,
  type SharedTicketRing,
  type TicketKey,
  ticketKeyId,
  wipeKeys,
} from "./ticket_ring.ts";
import { CLOCK_MARGIN_MS, inOrder, sealsAt, type SharedSchedule } from "./ticket_schedule.ts";

/** After a failure, and while no key seals, the store is left alone for so long. */
const RETRY_MS = 1_000;
/** How long handshakes wait for a load when no key seals, from its begin. */
const WAIT_MS = 250;
/** How long the store may take for one update, with all its tries. */
const UPDATE_TIMEOUT_MS = 10_000;
/** An update that is under way for longer is not waited for any more. */
const LOST_MS = 15_000;
/** Updates that lost a race try again; each time another server won. */
export const MAX_TRIES = 16;
/** The longest pause before the next try. It is random, so that servers that raced come apart. */
const MAX_PAUSE_MS = 16;

const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
};

/** What a shared ring is made of, checked. */
export interface SharedRingOptions {
  sealing: SealingKeys;
  name: string;
  times: SharedSchedule;
  onDiagnostic?: OnTicketKeyEvent;
  clock?: Clock;
}

/** An update that others may join while it is under way. */
interface Flight {
  promise: Promise<void>;
  since: number;
}

/** The ring of one process, kept up with the store. */
export class SharedRing implements TicketKeySource {
  readonly #store: KeyRingStore;
  readonly #sealing: SealingKeys;
  readonly #name: string;
  readonly #onDiagnostic: OnTicketKeyEvent | undefined;
  readonly #clock: Clock;
  readonly #refreshEvery: number;
  readonly #seen: SeenKeys;
  /** Updates under way, by what they do. */
  readonly #flights: { load?: Flight; rotate?: Flight } = {};
  /** When the last update ended, and how; by this server's clock, which may jump. */
  #updatedAt = -Infinity;
  #failed = false;
  /** When the store was asked for the ring that was seen last: a newer one was written later. */
  #askedAt: number | undefined;

  constructor(store: KeyRingStore, options: SharedRingOptions) {
    this.#store = store;
    this.#sealing = options.sealing;
    this.#name = options.name;
    this.#onDiagnostic = options.onDiagnostic;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#refreshEvery = options.times.refreshEvery;
    this.#seen = new SeenKeys(options.times, this.#clock);
  }

  keys(): readonly TicketKey[] {
    return this.#seen.inUse();
  }

  /**
   * Looks at the store if that is due. With a key at hand that seals, nobody waits for the store;
   * without one, for a moment, and then what opens goes on opening.
   */
  async refresh(): Promise<void> {
    const now = this.#clock.now();
    const seals = this.#seen.inUse().some((key) => sealsAt(key, now));
    if (this.#isDue(now, seals)) this.load().catch(() => {});
    const { load } = this.#flights;
    if (seals || load === undefined) return;
    const left = WAIT_MS - (this.#clock.elapsed() - load.since);
    if (left <= 0) return;
    using limit = deadline(left, undefined, late);
    await limit.race(load.promise).catch(() => {});
  }

  /** A clock that was set back makes it due, too. */
  #isDue(now: number, seals: boolean): boolean {
    const since = now - this.#updatedAt;
    const soon = Math.min(RETRY_MS, this.#refreshEvery);
    const wait = this.#failed ? RETRY_MS : seals ? this.#refreshEvery : soon;
    return since < 0 || since >= wait;
  }

  /** Looks at the store, and does what is due to the ring. */
  load(): Promise<void> {
    return this.#join("load");
  }

  /** Ends the keys that seal now or later, for everyone who shares the ring. */
  rotate(): Promise<void> {
    return this.#join("rotate");
  }

  /**
   * Revokes a key: here at once, and for the others as soon as the store has it. If that fails now,
   * the next load puts it there.
   */
  async revoke(id: string): Promise<void> {
    // Another server may have published it just now.
    if (this.#seen.get(id) === undefined) await this.load();
    const key = this.#seen.get(id);
    if (key === undefined) throw unknownKey(id, this.#seen.inUse().map((each) => each.id));
    if (key.revoked) return await this.load();
    const now = this.#clock.now();
    const revoked = this.#seen.all().filter((each) => each.revoked && each.openUntil > now);
    if (revoked.length >= MAX_REVOKED) {
      throw tooManyRevoked("give all servers another name for their ring");
    }
    this.#seen.revoke(key);
    this.#tell({ type: "key_revoked", keyId: id });
    // Not by a load that is under way: it may have made its plan before.
    await this.#update(false);
  }

  /** Joins an update that is under way, or begins one. */
  #join(what: "load" | "rotate"): Promise<void> {
    const under = this.#flights[what];
    const now = this.#clock.elapsed();
    // In Workers an update ends with the request that began it, timers and all, and never settles.
    if (under !== undefined && now - under.since <= LOST_MS) return under.promise;
    const flight: Flight = { since: now, promise: Promise.resolve() };
    this.#flights[what] = flight;
    return flight.promise = this.#update(what === "rotate").finally(() => {
      if (this.#flights[what] === flight) delete this.#flights[what];
    });
  }

  async #update(rotate: boolean): Promise<void> {
    using limit = deadline(UPDATE_TIMEOUT_MS, undefined, late);
    this.#failed = true;
    try {
      await limit.race(this.#changed(rotate, limit.signal));
      this.#failed = false;
    } catch (error) {
      if (!(error instanceof RefusedRing)) this.#tell({ type: "ring_failed", cause: error });
      throw error;
    } finally {
      this.#updatedAt = this.#clock.now();
    }
  }

  /** Reads the ring, and brings the store up to what it should be. */
  async #changed(rotate: boolean, signal: AbortSignal): Promise<void> {
    let toldOlder = false;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (tries > 0) await pause(tries, signal);
      const floor = this.#seen.generation;
      const asked = this.#clock.now();
      const answer: unknown = await this.#store.load();
      signal.throwIfAborted();
      const opened = openRing(answer, this.#sealing, this.#name);
      if (opened.refused !== undefined) {
        this.#tell({ type: "ring_refused", reason: opened.refused });
        throw new RefusedRing(opened.refused);
      }
      const { version, ring } = opened;
      let plan: RingPlan | undefined;
      try {
        const isOlder = ring !== null && ring.generation < floor;
        if (isOlder) {
          if (!toldOlder) this.#tell({ type: "ring_refused", reason: "older" });
          toldOlder = true;
          this.#tellLearned(this.#seen.learnEnds(ring));
        } else if (ring !== null) {
          this.#take(ring);
          this.#askedAt = asked;
        }
        const current = isOlder ? null : ring;
        plan = planRing(this.#seen, current, rotate);
        if (!plan.changed) return;
        const value = sealRing(plan.ring, this.#sealing, this.#name);
        if (await this.#wasSet(version, value)) {
          this.#wrote(plan, current !== null);
          this.#askedAt = asked;
          return;
        }
      } finally {
        wipeKeys([...ring?.keys ?? [], ...plan?.made ?? []]);
      }
      signal.throwIfAborted();
    }
    throw new Error(`The ring changed under every one of ${MAX_TRIES} tries to change it`);
  }

  async #wasSet(version: string | null, value: Uint8Array): Promise<boolean> {
    const answer: unknown = await this.#store.compareAndSet(version, value);
    if (typeof answer === "boolean") return answer;
    throw new TypeError(`"compareAndSet" must answer true or false, got ${typeof answer}`);
  }

  /** Takes in a ring that is not older than what was seen. */
  #take(ring: SharedTicketRing): void {
    const isNew = ring.generation > this.#seen.generation;
    const isFirst = this.#seen.generation < 0;
    const learned = this.#seen.learn(ring);
    const skew = isNew ? this.#skewOf(ring, isFirst) : 0;
    this.#tellLearned(learned);
    if (skew !== 0 && learned.late.length === 0) {
      this.#tell({ type: "clock_skew", milliseconds: skew, keyIds: [] });
    }
    if (isNew) {
      this.#tell({ type: "ring_loaded", generation: ring.generation, keyIds: this.#ids() });
    }
  }

  /** How far, at least, the clock of the server that wrote a ring is ahead; 0: not remarkably. */
  #skewOf({ writtenAt, keys }: SharedTicketRing, isFirst: boolean): number {
    const now = this.#clock.now();
    if (writtenAt - now > CLOCK_MARGIN_MS) return writtenAt - now;
    if (!isFirst) {
      const before = this.#askedAt ?? now;
      return before - writtenAt > CLOCK_MARGIN_MS ? writtenAt - before : 0;
    }
    // Nobody lets all keys end, unless no server runs.
    const end = Math.max(...keys.map(({ openUntil }) => openUntil));
    return now - end > CLOCK_MARGIN_MS ? end - now : 0;
  }

  #tellLearned({ revoked, late }: Learned): void {
    for (const keyId of revoked) this.#tell({ type: "key_revoked", keyId });
    if (late.length === 0) return;
    const begins = Math.min(...late.map(({ notBefore }) => notBefore));
    this.#tell({
      type: "clock_skew",
      milliseconds: begins - this.#clock.now(),
      keyIds: late.map(({ id }) => id),
    });
  }

  /** Takes in what this process wrote, over a ring that counts or over none. */
  #wrote({ ring, made, restored, erased }: RingPlan, overRing: boolean): void {
    this.#seen.learn(ring, made);
    if (overRing) this.#seen.dispute([...restored, ...erased]);
    const { generation } = ring;
    if (restored.length > 0) {
      this.#tell({ type: "ring_restored", generation, keyIds: restored.map(({ id }) => id) });
    }
    if (made.length > 0) {
      this.#tell({ type: "ring_rotated", generation, keyIds: made.map(ticketKeyId) });
    }
  }

  #ids(): string[] {
    return inOrder(this.#seen.inUse(), this.#clock.now()).map(({ id }) => id);
  }

  #tell(event: TicketKeyEvent): void {
    tell(this.#onDiagnostic, event);
  }
}

/** A turn of the event loop at least, so that a store that answers at once does not stop it. */
async function pause(tries: number, signal: AbortSignal): Promise<void> {
  const longest = Math.min(2 ** tries, MAX_PAUSE_MS);
  await new Promise((resolve) => setTimeout(resolve, Math.random() * longest));
  signal.throwIfAborted();
}

function late(): Error {
  return new Error("The store of the ring did not answer in time");
}

const REASONS: Record<RingRefusal, string> = {
  older: "it is older than one that was seen",
  wrong_key: "it is sealed under a key that these SealingKeys do not have: give all servers the " +
    "same ones",
  tampered: "it was changed, or is the ring of another name: give each fleet a place of its own",
  version: "another release wrote it: give this one a place of its own",
  too_large: "it is larger than any ring",
  malformed: 'it must have a "version", a string, and a "value", a Uint8Array',
};

/** What was told as `ring_refused`. */
class RefusedRing extends TlsError {
  constructor(reason: RingRefusal) {
    const message = `The ring of ticket keys in the store cannot be used: ${REASONS[reason]}`;
    super("ERR_TLS_SESSION_UNSEALABLE", message, { origin: "store" });
  }
}

/**
 * The handshakes that a server has under way: how many there may be, for how long, and who goes first
 * where there are too many.
 *
 * Rules:
 * - Where there are too many, those go first that show least of a client: the oldest that sent nothing,
 *   then the oldest whose ClientHello is not whole, then the oldest that is under way for longer than
 *   a handshake takes. If there is none of these either, the newcomer is refused.
 * - How old a handshake is, its clock says (`handshake_clock.ts`), which one listener's handshakes
 *   share.
 *
 * It knows nothing of transports, or of what is in a handshake.
 *
 * @module
 */

import { type Deferred, deferred } from "./deferred.ts";
import { TlsError } from "./errors.ts";

/** How far a handshake has come. */
export type Stage = "silent" | "hello" | "handshake";

/** The order in which they go. */
const STAGES: readonly Stage[] = ["silent", "hello", "handshake"];
/** A handshake that is under way for longer may make room for others. */
const LONG_MS = 2_000;
/** What a handshake is let in with. */
export interface HalfOpenOptions {
  /** Milliseconds until the ClientHello is whole; `Infinity`: no limit. */
  helloTimeout: number;
  /** Milliseconds for all of the handshake; `Infinity`: no limit. */
  handshakeTimeout: number;
  /** Of several owners under one limit each lets go of its own. */
  owner?: unknown;
}

/** One handshake under way. */
export class HalfOpenHandshake {
  readonly #over: Deferred<never> = deferred<never>();
  readonly #controller = new AbortController();
  /** Milliseconds that it has taken. */
  age = 0;
  /** Where it stands. */
  stage: Stage = "silent";
  /** How it was let in. */
  readonly options: HalfOpenOptions;
  /** Called when it is over before its time, with the reason; at the latest then. */
  onAbort: (() => void) | undefined;

  /** Made by {@linkcode HalfOpen.enter}. */
  constructor(options: HalfOpenOptions) {
    this.options = options;
    this.#over.promise.catch(() => {});
  }

  /** Aborted with the reason, once it is over before its time. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends it with a reason, the first one. */
  abort(reason: unknown): void {
    if (this.signal.aborted) return;
    this.#controller.abort(reason);
    this.#over.reject(reason);
    this.onAbort?.();
  }

  /** Settles as `promise` does, or rejects with the reason why it is over. */
  race<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#over.promise]);
  }
}

/** What a connection ends with that makes room, or that finds none. */
export function overloaded(): TlsError {
  return new TlsError(
    "ERR_TLS_OVERLOADED",
    'The connection was closed: more handshakes are under way than "maxPending" allows',
    { origin: "local" },
  );
}

/** The handshakes of one context. */
export class HalfOpen {
  readonly #max: number;
  readonly #onRefused: () => void;
  /** By stage, each the oldest first. */
  readonly #stages: Readonly<Record<Stage, Set<HalfOpenHandshake>>> = {
    silent: new Set(),
    hello: new Set(),
    handshake: new Set(),
  };

  /** `onRefused` is called for each that goes because there are too many. */
  constructor(max: number, onRefused: () => void) {
    this.#max = max;
    this.#onRefused = onRefused;
  }

  /** How many are under way. */
  get size(): number {
    return STAGES.reduce((sum, stage) => sum + this.#stages[stage].size, 0);
  }

  /** How many of them have not sent a whole ClientHello. */
  get unheard(): number {
    return this.#stages.silent.size + this.#stages.hello.size;
  }

  /**
   * Lets one in, and another one go for it where there are too many.
   *
   * @throws {TlsError} `ERR_TLS_OVERLOADED` if nobody goes.
   */
  enter(options: HalfOpenOptions): HalfOpenHandshake {
    if (this.size >= this.#max && !this.evict()) {
      this.#onRefused();
      throw overloaded();
    }
    const handshake = new HalfOpenHandshake(options);
    this.#stages.silent.add(handshake);
    return handshake;
  }

  /** It has come further. */
  advance(handshake: HalfOpenHandshake, stage: Stage): void {
    if (!this.#stages[handshake.stage].delete(handshake)) return;
    handshake.stage = stage;
    this.#stages[stage].add(handshake);
  }

  /** It is over. */
  leave(handshake: HalfOpenHandshake): void {
    this.#stages[handshake.stage].delete(handshake);
  }

  /** Whether one could go for another one. */
  canEvict(owner?: unknown): boolean {
    return this.#next(owner) !== undefined;
  }

  /** Lets one go that shows least of a client. False: there is none. */
  evict(owner?: unknown): boolean {
    const next = this.#next(owner);
    if (next === undefined) return false;
    this.leave(next);
    this.#onRefused();
    next.abort(overloaded());
    return true;
  }

  /** Ends those of an owner that have not sent a whole ClientHello. */
  dropUnheard(owner: unknown, reason: () => unknown): void {
    this.#drop(["silent", "hello"], owner, reason);
  }

  /** Ends those of an owner. */
  dropAll(owner: unknown, reason: () => unknown): void {
    this.#drop(STAGES, owner, reason);
  }

  #drop(stages: readonly Stage[], owner: unknown, reason: () => unknown): void {
    for (const stage of stages) {
      for (const handshake of [...this.#stages[stage]]) {
        if (handshake.options.owner !== owner) continue;
        this.leave(handshake);
        handshake.abort(reason());
      }
    }
  }

  #next(owner: unknown): HalfOpenHandshake | undefined {
    for (const stage of STAGES) {
      for (const handshake of this.#stages[stage]) {
        if (owner !== undefined && handshake.options.owner !== owner) continue;
        // The oldest of the stage: if it is not, none is.
        if (stage === "handshake" && handshake.age < LONG_MS) break;
        return handshake;
      }
    }
    return undefined;
  }
}

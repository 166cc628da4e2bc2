/**
 * What is on its way to a store, and nobody waits for.
 *
 * Rule: what is under way for much longer than its time limit is given up. In Workers what a request
 * began ends with it, its timers too: such a promise never settles.
 *
 * @module
 */

import { deadline } from "./deadline.ts";

/** Longer than a put may take. */
const GIVEN_UP_MS = 15_000;
const LOOK_AGAIN_MS = 1_000;

/** The puts of one context. */
export class Puts {
  readonly #underWay = new Map<Promise<void>, { partition: string; since: number }>();

  /** How many are under way. */
  get size(): number {
    for (const [put, { since }] of this.#underWay) {
      if (performance.now() - since > GIVEN_UP_MS) this.#underWay.delete(put);
    }
    return this.#underWay.size;
  }

  /** Remembers one until it is over. */
  add(partition: string, put: Promise<void>): void {
    this.#underWay.set(put, { partition, since: performance.now() });
    const over = () => this.#underWay.delete(put);
    put.then(over, over);
  }

  /** Waits for those of one partition; `undefined`: there are none. */
  of(partition: string): Promise<unknown> | undefined {
    if (this.size === 0) return undefined;
    const own = [...this.#underWay].filter(([, put]) => put.partition === partition);
    return own.length === 0 ? undefined : Promise.allSettled(own.map(([put]) => put));
  }

  /** Waits for those under way; not for what begins meanwhile, or it might never end. */
  async settled(): Promise<void> {
    const own = [...this.#underWay.keys()];
    while (this.size > 0 && own.some((put) => this.#underWay.has(put))) {
      using limit = deadline(LOOK_AGAIN_MS, undefined, () => new Error("late"));
      await limit.race(Promise.allSettled(own)).catch(() => {});
    }
  }
}

/**
 * A store of a ring that does to each server what a test says, and remembers what it gave to whom.
 *
 * @module
 */

import type { KeyRingStore } from "../../mod.ts";

/** What a store does, until it is told to do something else. */
export type Mode =
  | "honest"
  /** Answers that there is no ring. */
  | "empty"
  /** Answers an old ring, with the version that the newest one has. */
  | "replays"
  | "garbage"
  | "throws"
  /** Says that it took a change, and did not. */
  | "drops"
  /** Takes no change. */
  | "refuses"
  /** Holds its answers back until it is told to go on. */
  | "holds";

/** The store that all servers share. */
export class FaultyStore {
  mode: Mode = "honest";
  /** Which of the old rings is given. */
  replayed = 0;
  /** Every ring that was ever stored. */
  readonly history: Uint8Array[] = [];
  #current: Uint8Array | null = null;
  #version = 0;
  #held: (() => void)[] = [];

  get current(): Uint8Array | null {
    return this.#current;
  }

  /** Loses the ring, or what came after one of the old ones. */
  lose(at: number | null): void {
    const kept = at === null ? undefined : this.history[at % this.history.length];
    this.#current = kept?.slice() ?? null;
    this.#version++;
  }

  /** Lets go of what was held back. */
  release(): void {
    for (const go of this.#held.splice(0)) go();
  }

  /** The store as one server has it; `given` is told each value that it got. */
  for(given: (value: Uint8Array) => void): KeyRingStore {
    return {
      load: async () => {
        const answer = this.#answer();
        if (this.mode === "holds") await new Promise<void>((go) => this.#held.push(go));
        if (answer instanceof Error) throw answer;
        if (answer !== null) given(answer.value);
        return answer;
      },
      compareAndSet: async (version, value) => {
        await Promise.resolve();
        if (this.mode === "throws") throw new Error("down");
        if (this.mode === "refuses") return false;
        if (this.mode === "drops") return true;
        if (version !== (this.#current === null ? null : String(this.#version))) return false;
        this.#current = value.slice();
        this.#version++;
        this.history.push(value.slice());
        return true;
      },
    };
  }

  #answer(): { version: string; value: Uint8Array } | null | Error {
    const { mode } = this;
    if (mode === "throws") return new Error("down");
    if (mode === "empty" || this.#current === null) return null;
    const version = String(this.#version);
    if (mode === "garbage") return { version, value: new Uint8Array(200).fill(7) };
    const old = this.history[this.replayed % this.history.length];
    return { version, value: (mode === "replays" ? old : this.#current).slice() };
  }
}

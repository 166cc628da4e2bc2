/**
 * A `KeyRingStore` in memory that several rings share, and that does what a test says.
 *
 * @module
 */

// For its effect: it names the wasm file.
import "../../mod.ts";
import type { KeyRingStore } from "../../mod.ts";

/** The store. */
export class TestRingStore implements KeyRingStore {
  value: Uint8Array | null = null;
  version = 0;
  loads = 0;
  /** Attempts to change it, and those that did. */
  attempts = 0;
  changes = 0;
  /** Milliseconds that each call takes, at most. */
  latency = 0;
  /** Instead of `load`. */
  // deno-lint-ignore no-explicit-any
  onLoad: (() => any) | undefined;

  async #later(): Promise<void> {
    if (this.latency === 0) return;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * this.latency));
  }

  async load(): Promise<{ version: string; value: Uint8Array } | null> {
    this.loads++;
    if (this.onLoad !== undefined) return await this.onLoad();
    await this.#later();
    if (this.value === null) return null;
    const answer = { version: String(this.version), value: this.value.slice() };
    await this.#later();
    return answer;
  }

  async compareAndSet(version: string | null, value: Uint8Array): Promise<boolean> {
    this.attempts++;
    await this.#later();
    if (version !== (this.value === null ? null : String(this.version))) return false;
    this.value = value.slice();
    this.version++;
    this.changes++;
    return true;
  }
}

/**
 * A store that does what a test says, and counts what it is asked.
 *
 * Rule: it is a store in memory but for what is scripted; nothing it is asked is lost.
 *
 * @module
 */

import type { PutOptions, SessionStore, SessionStoreCapabilities } from "../../mod.ts";
import { memoryStore } from "../../mod.ts";

/** What is asked of it. */
export type Operation = "put" | "take" | "peek" | "delete";

/** Any answer: what tests script is no store's. */
// deno-lint-ignore no-explicit-any
export type Script = (...args: any[]) => any;

/** The store. */
export class ScriptedStore implements SessionStore {
  /** What does instead of the store in memory. */
  on: Partial<Record<Operation, Script>> = {};
  /** The store in memory. */
  readonly inner = memoryStore({ maxPartitions: 100_000 });
  readonly calls: Record<Operation, number> = { put: 0, take: 0, peek: 0, delete: 0 };
  /** Every value that was put, by partition, the newest. */
  readonly values = new Map<string, Uint8Array>();
  readonly capabilities: SessionStoreCapabilities;

  constructor(capabilities: Partial<SessionStoreCapabilities> = {}) {
    this.capabilities = { atomicTake: true, consistency: "strong", ...capabilities };
  }

  put(partition: string, value: Uint8Array, options: PutOptions): Promise<void> {
    this.calls.put++;
    this.values.set(partition, value);
    return (this.on.put ?? this.inner.put)(partition, value, options);
  }

  take(partition: string): Promise<Uint8Array | null> {
    this.calls.take++;
    return (this.on.take ?? this.inner.take)(partition);
  }

  peek(partition: string): Promise<Uint8Array | null> {
    this.calls.peek++;
    return (this.on.peek ?? this.inner.peek)(partition);
  }

  delete(partition: string): Promise<void> {
    this.calls.delete++;
    return (this.on.delete ?? this.inner.delete)(partition);
  }

  /** Lookups, of either kind. */
  get lookups(): number {
    return this.calls.take + this.calls.peek;
  }

  /** Scripts both lookups. */
  lookup(script: Script | undefined): void {
    this.on.take = this.on.peek = script;
  }
}

/** Something that is held until the test opens it. */
export interface Gate {
  /** Resolves when it is open. */
  readonly passed: Promise<void>;
  open(): void;
}

/** A gate, closed. */
export function gate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve };
}

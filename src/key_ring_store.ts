/**
 * A ring of ticket keys as a store has it: one sealed value with a version.
 *
 * Rules: the value is sealed, and bound to the name of its ring: the ring of another name does not
 * open, although the sealing keys may be the same. What a store answers is checked for its type and
 * its length before it is copied, and copied before it crosses into the engine.
 *
 * @module
 */

import { utf8 } from "./bytes.ts";
import { currentEngine } from "./engine_pool.ts";
import { ENVELOPE_OVERHEAD, type EnvelopeBinding, open, seal } from "./envelope.ts";
import { bytesOf } from "./options.ts";
import type { SealingKeys } from "./sealing_keys.ts";
import type { RingRefusal } from "./ticket_key_events.ts";
import {
  decodeSharedRing,
  encodeSharedRing,
  MAX_SHARED_LENGTH,
  type SharedTicketRing,
} from "./ticket_ring.ts";

/** Bytes of a value in a store: there is no larger ring. */
export const MAX_RING_VALUE: number = MAX_SHARED_LENGTH + ENVELOPE_OVERHEAD;
/** Characters of a version; databases have numbers, hashes, or stamps of some 20 of them. */
export const MAX_VERSION = 1024;

/**
 * One value with compare-and-set, strongly consistent, for `TicketKeys.shared()`. The value is
 * sealed, and less than 4 KiB.
 *
 * @example
 * ```ts
 * import type { KeyRingStore } from "@reprise/tls";
 *
 * let stored: { version: string; value: Uint8Array } | null = null;
 * const store: KeyRingStore = {
 *   async load() {
 *     return stored;
 *   },
 *   async compareAndSet(version, value) {
 *     if (version !== (stored?.version ?? null)) return false;
 *     stored = { version: crypto.randomUUID(), value };
 *     return true;
 *   },
 * };
 * console.assert(await store.compareAndSet(null, new Uint8Array(9)));
 * ```
 */
export interface KeyRingStore {
  /** The value and its version, or `null` where there is none yet. */
  load(): Promise<{ version: string; value: Uint8Array } | null>;
  /**
   * Replaces the value if its version is still `version` (`null`: if there is none).
   *
   * @returns Whether it did.
   */
  compareAndSet(version: string | null, value: Uint8Array): Promise<boolean>;
}

/** What a store answered: a ring, none (`null`), or what cannot be used. */
export type StoredRing =
  | { version: string | null; ring: SharedTicketRing | null; refused?: undefined }
  | { refused: Exclude<RingRefusal, "older"> };

const MALFORMED: StoredRing = { refused: "malformed" };

function binding(name: string): EnvelopeBinding {
  return { purpose: "ticket key ring", binding: utf8(name) };
}

/** Seals a ring for a store. */
export function sealRing(ring: SharedTicketRing, keys: SealingKeys, name: string): Uint8Array {
  const plain = encodeSharedRing(ring);
  try {
    return seal(currentEngine(), keys, binding(name), plain);
  } finally {
    plain.fill(0);
  }
}

/** Opens what a store answered. The keys in it are whoever's to wipe who asked. */
export function openRing(answer: unknown, keys: SealingKeys, name: string): StoredRing {
  if (answer === null) return { version: null, ring: null };
  if (typeof answer !== "object") return MALFORMED;
  const { version, value } = answer as { version?: unknown; value?: unknown };
  if (typeof version !== "string" || !(value instanceof Uint8Array)) return MALFORMED;
  if (version.length > MAX_VERSION || value.length > MAX_RING_VALUE) {
    return { refused: "too_large" };
  }
  let sealed: Uint8Array;
  try {
    sealed = bytesOf("value", value);
  } catch {
    return MALFORMED;
  }
  const { plain, miss } = open(currentEngine(), keys, binding(name), sealed);
  if (plain === undefined) return { refused: miss };
  try {
    return { version, ring: decodeSharedRing(plain) };
  } catch {
    // It was sealed under our keys, so it is no accident, but another release's.
    return { refused: "version" };
  } finally {
    plain.fill(0);
  }
}

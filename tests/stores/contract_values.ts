/**
 * What the cases of the contract are made of: names, values, times.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { SessionStore } from "../../src/session_store.ts";

/** Far enough ahead for a case, near enough to be cleaned up by a store that does so. */
const LIFETIME_MS = 10 * 60_000;

/** A partition that nobody else has: 64 hexadecimal digits, as servers and clients name them. */
export function partition(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A value that tells which one it is. */
export function value(name: string | number): Uint8Array {
  return new TextEncoder().encode(`value ${name}`);
}

/** Reads {@linkcode value}; `null` as it is. */
export function name(bytes: Uint8Array | null): string | null {
  if (bytes === null) return null;
  assert.ok(bytes instanceof Uint8Array, "a value is a Uint8Array");
  return new TextDecoder().decode(bytes).replace("value ", "");
}

/** Options of a put: it lives for minutes, among four. */
export function living(limit = 4): { expiresAt: number; limit: number } {
  return { expiresAt: Date.now() + LIFETIME_MS, limit };
}

/** Puts values one after the other, by their names. */
export async function putAll(
  store: SessionStore,
  partition: string,
  names: readonly (string | number)[],
  limit = names.length,
): Promise<void> {
  for (const each of names) await store.put(partition, value(each), living(limit));
}

/** Takes until there is nothing left; the names in the order in which they came. */
export async function drain(store: SessionStore, partition: string): Promise<string[]> {
  const names: string[] = [];
  for (let next; (next = name(await store.take(partition))) !== null;) {
    names.push(next);
    assert.ok(names.length <= 10_000, "a partition comes to an end");
  }
  return names;
}

/** Resolves when the time has come. */
export async function waitUntil(time: number): Promise<void> {
  while (Date.now() <= time) {
    await new Promise((resolve) => setTimeout(resolve, time - Date.now() + 1));
  }
}

/** Two values are the same bytes; told shortly where they are long. */
export function assertBytes(actual: Uint8Array | null, expected: Uint8Array): void {
  assert.ok(actual instanceof Uint8Array, `expected ${expected.length} bytes, got ${actual}`);
  assert.equal(actual.length, expected.length, "number of bytes");
  const at = expected.findIndex((byte, i) => byte !== actual[i]);
  assert.equal(at, -1, `byte ${at} is ${actual[at]}, expected ${expected[at]}`);
}

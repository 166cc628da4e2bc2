/**
 * Waits with an end: a test that hangs says what it waited for.
 *
 * @module
 */

import { settledWithin } from "../peers/child.ts";

/** Long enough for a machine that is busy: nothing is timed by it, it only ends what hangs. */
export const PATIENCE_MS = 20_000;

/** The promise's outcome, or an error that says what did not happen. */
export async function within<T>(
  promise: Promise<T>,
  what: string,
  milliseconds: number = PATIENCE_MS,
): Promise<T> {
  if (await settledWithin(promise, milliseconds)) return await promise;
  throw new Error(`Not within ${milliseconds} ms: ${what}`);
}

/** A promise that stays pending for so long is taken to be stuck. */
export async function staysPending(
  promise: Promise<unknown>,
  milliseconds = 200,
): Promise<boolean> {
  return !(await settledWithin(promise, milliseconds));
}

/** Waits for a condition that no event announces. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Not within ${PATIENCE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Callbacks that are told something, and whose failures are their own.
 *
 * @module
 */

/** Calls back, if anybody asked; what the callback throws, or rejects with, ends nothing. */
export function callQuietly<T>(callback: ((value: T) => unknown) | undefined, value: T): void {
  try {
    const said = callback?.(value);
    if (said !== undefined) Promise.resolve(said).catch(() => {});
  } catch {
    // Whoever is told changes nothing of what happens.
  }
}

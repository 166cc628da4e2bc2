/**
 * SQLite files that another process is writing: whoever finds one locked tries again.
 *
 * Rule: what fails for the lock has changed nothing, so it may be done again.
 *
 * @module
 */

/** Together they come to some seconds; stores are asked with deadlines that are shorter. */
const MAX_TRIES = 64;
const MAX_PAUSE_MS = 64;

function isLocked(error: unknown): boolean {
  return error instanceof Error && /database (table )?is (locked|busy)|SQLITE_BUSY/.test(
    `${error.message} ${(error as { code?: unknown }).code}`,
  );
}

/** Does it again for as long as it fails because the database is locked, within bounds. */
export async function whileLocked<T>(action: () => T | Promise<T>): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await action();
    } catch (error) {
      if (tries === MAX_TRIES || !isLocked(error)) throw error;
      const pause = Math.random() * Math.min(2 ** tries, MAX_PAUSE_MS);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/**
 * SQLite files that another process is writing: whoever finds one locked tries again.
 *
 * Rules: what fails for the lock has changed nothing, so it may be done again. It is time that is
 * bounded, not the number of tries: a try may itself wait for the lock, and stop this thread while
 * it does. Pauses become shorter: whoever has waited for long has the better chances, so that of
 * many writers none is left over.
 *
 * @module
 */

/** How long one call goes on trying. Stores are asked with deadlines that are shorter. */
export const MAX_LOCKED_MS = 3_000;
/** The first pauses are this long at most, those after so much waiting half as long, and so on. */
const MAX_PAUSE_MS = 10;
const HALVED_AFTER_MS = 100;

function isLocked(error: unknown): boolean {
  return error instanceof Error &&
    /database (table |schema )?is (locked|busy)|SQLITE_(BUSY|LOCKED)/.test(
      `${error.message} ${(error as { code?: unknown }).code}`,
    );
}

/** When a call that begins now gives up: for `whileLocked()`, where a call has several steps. */
export function patience(): number {
  return performance.now() + MAX_LOCKED_MS;
}

/** Does it again for as long as it fails because the database is locked, within the bound. */
export async function whileLocked<T>(action: () => T | Promise<T>, until = patience()): Promise<T> {
  const since = performance.now();
  for (;;) {
    try {
      return await action();
    } catch (error) {
      const now = performance.now();
      const pause = Math.random() * MAX_PAUSE_MS / (1 + (now - since) / HALVED_AFTER_MS);
      if (!isLocked(error) || now + pause > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

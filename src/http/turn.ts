/**
 * One turn of the event loop.
 *
 * Rule: a loop that whoever feeds it can keep going without a wait has one of these in it. Promises
 * alone do not let timers, sockets or signals run.
 *
 * @module
 */

/** Resolves once the event loop has turned, or at once when `stop` aborts. */
export function turn(stop?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop?.aborted) return resolve();
    const over = () => {
      clearTimeout(timer);
      stop?.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, 0);
    stop?.addEventListener("abort", over);
  });
}

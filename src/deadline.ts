/**
 * Bounds on waiting: a time limit and the caller's signal, joined into one signal.
 *
 * Rule: a time limit is counted in slices, one a turn of the event loop at most. What this process
 * spends in one go, on the handshakes of others, is not time that whoever is waited for had.
 *
 * @module
 */

/** A time limit is over after so many turns of the event loop, or later. */
const SLICES = 4;
/** A timer cannot wait for longer: 25 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** One signal of a time limit and a caller's signal, with a clean end. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Rejects as soon as the signal aborts, with its reason; otherwise as `promise` does. */
  race<T>(promise: Promise<T>): Promise<T>;
  /** Stops the timer and lets go of the caller's signal. */
  [Symbol.dispose](): void;
}

/**
 * `milliseconds` may be `Infinity`. When the time is over the signal aborts with `timedOut()`;
 * when `signal` aborts, with its own reason.
 */
export function deadline(
  milliseconds: number,
  signal: AbortSignal | undefined,
  timedOut: () => unknown,
): Deadline {
  const controller = new AbortController();
  const onAbort = () => controller.abort(signal!.reason);
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  let left = SLICES;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const countDown = () => {
    if (left-- === 0) controller.abort(timedOut());
    else timer = setTimeout(countDown, Math.min(milliseconds / SLICES, LONGEST_MS));
  };
  if (Number.isFinite(milliseconds)) countDown();
  const aborted = new Promise<never>((_, reject) => {
    const stop = () => reject(controller.signal.reason);
    if (controller.signal.aborted) stop();
    else controller.signal.addEventListener("abort", stop, { once: true });
  });
  aborted.catch(() => {});
  return {
    signal: controller.signal,
    race: (promise) => Promise.race([promise, aborted]),
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    },
  };
}

/**
 * The clock of this process as the library sees it: `Date.now()`, moved by a test.
 *
 * @module
 */

/** A clock that differs from the machine's; disposing it puts the machine's back. */
export interface MovedClock extends Disposable {
  /** Moves it by so many seconds; negative ones take it back. */
  move(seconds: number): void;
  /** Stops it at a time in seconds since 1970. */
  set(seconds: number): void;
}

export function movedClock(): MovedClock {
  const original = Date.now;
  let offset = 0;
  let stoppedAt: number | undefined;
  Date.now = () => (stoppedAt ?? original()) + offset;
  return {
    move(seconds) {
      offset += seconds * 1000;
    },
    set(seconds) {
      stoppedAt = seconds * 1000;
      offset = 0;
    },
    [Symbol.dispose]() {
      Date.now = original;
    },
  };
}

/**
 * Names for values that sort by age, in stores that sort by name.
 *
 * @module
 */

/** Names in one millisecond, before they run ahead of the clock. */
const PER_MILLISECOND = 4096;

let last = 0;

/**
 * 32 hexadecimal digits: 16 of the time, 16 random. In one process each is above the one before,
 * within a millisecond and if the clock is set back; between processes as their clocks agree.
 */
export function sequence(): string {
  last = Math.max(last + 1, Date.now() * PER_MILLISECOND);
  const random = crypto.getRandomValues(new Uint32Array(2));
  const digits = (n: number, length: number) => n.toString(16).padStart(length, "0");
  return digits(last, 16) + digits(random[0], 8) + digits(random[1], 8);
}

/** When a {@linkcode sequence} was made, in milliseconds since 1970. */
export function timeOf(sequence: string): number {
  return parseInt(sequence.slice(0, 16), 16) / PER_MILLISECOND;
}

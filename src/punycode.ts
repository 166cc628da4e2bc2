/**
 * Punycode (RFC 3492): Unicode as the letters, digits and hyphens of a DNS label. Only the way there
 * is needed.
 *
 * It knows nothing of which characters a name may have, nor of the prefix `xn--`.
 *
 * @module
 */

/** The parameters of RFC 3492 §5. */
const BASE = 36;
const TMIN = 1;
const TMAX = 26;
const SKEW = 38;
const DAMP = 700;
const INITIAL_BIAS = 72;
const INITIAL_N = 0x80;

const DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789";

/** The new bias after a delta was written (§6.1). */
function adapt(delta: number, written: number, isFirst: boolean): number {
  let rest = Math.floor(delta / (isFirst ? DAMP : 2));
  rest += Math.floor(rest / written);
  let k = 0;
  for (; rest > ((BASE - TMIN) * TMAX) / 2; k += BASE) rest = Math.floor(rest / (BASE - TMIN));
  return k + Math.floor(((BASE - TMIN + 1) * rest) / (rest + SKEW));
}

/** A delta as an integer of variable length (§3.3). */
function digitsOf(delta: number, bias: number): string {
  let text = "";
  let rest = delta;
  for (let k = BASE;; k += BASE) {
    const threshold = Math.min(Math.max(k - bias, TMIN), TMAX);
    if (rest < threshold) return text + DIGITS[rest];
    text += DIGITS[threshold + (rest - threshold) % (BASE - threshold)];
    rest = Math.floor((rest - threshold) / (BASE - threshold));
  }
}

/** Encodes a text (§6.3). Its cost is the square of the length: for labels, which are short. */
export function punycode(text: string): string {
  const points = Array.from(text, (character) => character.codePointAt(0)!);
  const basic = points.filter((point) => point < INITIAL_N);
  let output = String.fromCharCode(...basic);
  if (basic.length > 0) output += "-";
  let [n, delta, bias, written] = [INITIAL_N, 0, INITIAL_BIAS, basic.length];
  while (written < points.length) {
    const next = Math.min(...points.filter((point) => point >= n));
    delta += (next - n) * (written + 1);
    n = next;
    for (const point of points) {
      if (point < n) delta++;
      if (point !== n) continue;
      output += digitsOf(delta, bias);
      bias = adapt(delta, written + 1, written === basic.length);
      delta = 0;
      written++;
    }
    delta++;
    n++;
  }
  return output;
}

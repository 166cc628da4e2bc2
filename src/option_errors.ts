/**
 * What is said of a bad option or argument.
 *
 * Rules: a `TypeError` that names it and the type of its value, whatever the value does: a Proxy or a
 * getter that throws is a bad value, and its error is the `cause`. A message quotes at most 80
 * characters, as JSON, so that a value cannot forge a line of a log.
 *
 * @module
 */

/** Characters of a text or a name that a message quotes. */
const MAX_QUOTED = 80;

/** What a message calls the value: an option of an object, or an argument of a call. */
export type Naming = "Option" | "Argument";

/** The type of a value, for messages. */
export function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  try {
    if (Array.isArray(value)) return "an array";
    const name: unknown = value.constructor?.name;
    return typeof name === "string" && name !== "" ? name.slice(0, MAX_QUOTED) : "object";
  } catch {
    return "an object that cannot be read";
  }
}

/** A text in a message: as JSON, and cut off where it is long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);
}

/** Throws a `TypeError` for one option. */
export function badOption(
  name: string,
  expected: string,
  value: unknown,
  naming: Naming = "Option",
): never {
  throw new TypeError(`${naming} "${name}" must be ${expected}, got ${typeOf(value)}`);
}

/** Does what touches an object of the caller's, which may be a Proxy or have getters that throw. */
export function reading<T>(subject: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new TypeError(`${subject} cannot be read: reading it threw an error`, { cause });
  }
}

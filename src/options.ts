/**
 * Checks of options. A bad one is a `TypeError` that names it and the value's type; a misspelt
 * one is bad too, as an option without effect is a hole.
 *
 * @module
 */

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return value.constructor?.name ?? "object";
  return typeof value;
}

/** Throws a `TypeError` for one option. */
export function badOption(name: string, expected: string, value: unknown): never {
  throw new TypeError(`Option "${name}" must be ${expected}, got ${typeOf(value)}`);
}

/** Throws unless `options` is an object with no other keys than `known`. */
export function checkKnown(options: unknown, known: readonly string[], what: string): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`${what} must be an object, got ${typeOf(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new TypeError(`Option "${name}" is unknown to ${what}`);
  }
}

/** A string that is not empty. */
export function checkString(name: string, value: unknown): asserts value is string {
  if (typeof value !== "string" || value === "") badOption(name, "a string", value);
}

/** `undefined`, or strings. */
export function checkStrings(name: string, value: unknown): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) badOption(name, "an array of strings", value);
  for (const item of value) {
    if (typeof item !== "string" || item === "") badOption(name, "an array of strings", item);
  }
  return [...value];
}

/** `undefined`, or a boolean. */
export function checkBoolean(name: string, value: unknown): value is true {
  if (value !== undefined && typeof value !== "boolean") badOption(name, "a boolean", value);
  return value === true;
}

/** `undefined`, or a function. */
export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== "function") badOption(name, "a function", value);
}

/** `undefined`, or a signal. */
export function checkSignal(name: string, value: unknown): void {
  if (value !== undefined && !(value instanceof AbortSignal)) {
    badOption(name, "an AbortSignal", value);
  }
}

/** An argument that is bytes; a string, say, would be sent as zeros. */
export function checkBytes(name: string, value: unknown): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) {
    throw new TypeError(`Argument "${name}" must be a Uint8Array, got ${typeOf(value)}`);
  }
}

/** An integer within bounds. */
export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number") badOption(name, `an integer from ${min} to ${max}`, value);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new TypeError(`Option "${name}" must be an integer from ${min} to ${max}, got ${value}`);
  }
  return value;
}

/** One of a set of names. */
export function checkOneOf<T extends string>(name: string, value: unknown, set: readonly T[]): T {
  if (typeof value !== "string") badOption(name, `one of ${set.join(", ")}`, value);
  if (!set.includes(value as T)) {
    throw new TypeError(`Option "${name}" must be one of ${set.join(", ")}, got "${value}"`);
  }
  return value as T;
}

/** Milliseconds above 0, or `Infinity`. */
export function checkTimeout(name: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== "number") badOption(name, "a number of milliseconds", value);
  if (!(value > 0)) {
    throw new TypeError(`Option "${name}" must be milliseconds above 0, got ${value}`);
  }
  return value;
}

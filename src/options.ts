/**
 * Checks of single values: options and arguments. A bad one is a `TypeError` that names it and the
 * type of its value. `read_options.ts` reads the objects that they come in.
 *
 * Rules:
 * - A value is looked at once and copied where it can change. A list is copied item by item, bytes
 *   are copied by {@linkcode bytesOf}: what was checked is what is used.
 * - Bytes are what the array is, not what it says of itself: an object of the right prototype, a
 *   Proxy, or a typed array of another width is none; one of another realm is. An array whose buffer
 *   was transferred away (detached), or shrank below it (out of bounds), looks as if it were empty.
 *   To take it for empty bytes would hide the mistake, and the engine takes its failure for a bug of
 *   its own: it is refused.
 * - `undefined` leaves an option out. `null` does not.
 * - Nothing but a `TypeError` is thrown, whatever the value does (`option_errors.ts`).
 *
 * It does not know which options there are, nor what they mean.
 *
 * @module
 */

import { utf8 } from "./bytes.ts";
import { badOption, type Naming, quoted, reading, typeOf } from "./option_errors.ts";

export { badOption } from "./option_errors.ts";

/** A list has so many items at most: no program names more, and the length of a Proxy has no end. */
export const MAX_ITEMS = 10_000;
/** A string that is not empty. */
export function checkString(name: string, value: unknown): asserts value is string {
  if (typeof value !== "string") badOption(name, "a string", value);
  if (value === "") throw new TypeError(`Option "${name}" must not be an empty string, got string`);
}

/**
 * A text that goes on as UTF-8, of so many bytes at most; it may be empty. One with a lone surrogate
 * has no UTF-8 of its own, and would become that of others.
 */
export function checkText(name: string, value: unknown, mostBytes: number): string {
  if (typeof value !== "string") badOption(name, "a string", value);
  if (/\p{Surrogate}/u.test(value)) {
    throw new TypeError(
      `Option "${name}" must be well-formed Unicode, got a string with a lone surrogate`,
    );
  }
  const bytes = utf8(value).length;
  if (bytes > mostBytes) {
    throw new TypeError(
      `Option "${name}" must have ${mostBytes} bytes of UTF-8 at most, got a text of ${bytes} bytes`,
    );
  }
  return value;
}

/** A list, each item checked by `item` and copied; `expected` says what it must be. */
export function checkList<T>(
  name: string,
  value: unknown,
  expected: string,
  item: (value: unknown, index: number) => T,
  most: number = MAX_ITEMS,
): T[] {
  const isArray = reading(`Option "${name}"`, () => Array.isArray(value));
  if (!isArray) badOption(name, expected, value);
  const list = value as readonly unknown[];
  const length: unknown = reading(`Option "${name}"`, () => list.length);
  if (typeof length !== "number" || !(length >= 0 && length <= most)) {
    throw new TypeError(
      `Option "${name}" must have ${most} items at most, got ${
        typeof length === "number" ? length : typeOf(length)
      }`,
    );
  }
  const checked: T[] = [];
  for (let i = 0; i < length; i++) {
    checked.push(item(reading(`Option "${name}"`, () => list[i]), i));
  }
  return checked;
}

/** `undefined`, or strings that are not empty. */
export function checkStrings(name: string, value: unknown): string[] {
  if (value === undefined) return [];
  return checkList(name, value, "an array of strings", (item) => {
    if (typeof item !== "string" || item === "") badOption(name, "an array of strings", item);
    return item;
  });
}

/** `undefined`, which is `false`, or a boolean. */
export function checkBoolean(name: string, value: unknown): boolean {
  if (value !== undefined && typeof value !== "boolean") badOption(name, "a boolean", value);
  return value === true;
}

/** `undefined`, or a function. Its type is the caller's word. */
// deno-lint-ignore no-explicit-any -- any function is one
export function checkFunction<F extends (...args: any[]) => unknown>(
  name: string,
  value: unknown,
): F | undefined {
  if (value !== undefined && typeof value !== "function") badOption(name, "a function", value);
  return value as F | undefined;
}

/** `undefined`, or a signal. */
export function checkSignal(name: string, value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  const isSignal = reading(
    `Option "${name}"`,
    () => value instanceof AbortSignal && typeof value.aborted === "boolean",
  );
  if (!isSignal) badOption(name, "an AbortSignal", value);
  return value as AbortSignal;
}

/** Whether a value has these methods, such as what a store is made over. */
export function hasMethods(subject: string, value: unknown, ...methods: string[]): boolean {
  const given = value as Record<string, unknown> | null | undefined;
  return reading(subject, () => methods.every((name) => typeof given?.[name] === "function"));
}

/** An integer within bounds. */
export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number") badOption(name, `an integer from ${min} to ${max}`, value);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new TypeError(`Option "${name}" must be an integer from ${min} to ${max}, got ${value}`);
  }
  return value === 0 ? 0 : value; // -0 is 0
}

/** One of a set of names. */
export function checkOneOf<T extends string>(name: string, value: unknown, set: readonly T[]): T {
  if (typeof value !== "string") badOption(name, `one of ${set.join(", ")}`, value);
  if (!set.includes(value as T)) {
    throw new TypeError(`Option "${name}" must be one of ${set.join(", ")}, got ${quoted(value)}`);
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

const typedArray = Object.getPrototypeOf(Uint8Array.prototype);
/** `undefined` for whatever is no typed array. */
const typeName: (this: unknown) => string | undefined = Object.getOwnPropertyDescriptor(
  typedArray,
  Symbol.toStringTag,
)!.get!;
/** A getter of all typed arrays, which an array's own property cannot stand before. */
function getter<T>(name: string): (this: Uint8Array) => T {
  return Object.getOwnPropertyDescriptor(typedArray, name)!.get! as (this: Uint8Array) => T;
}

const bufferOf = getter<ArrayBufferLike>("buffer");
const offsetOf = getter<number>("byteOffset");
const lengthOf = getter<number>("length");

/** Whether its memory is gone. Every method of a typed array asks that, and throws. */
function isGone(bytes: Uint8Array): boolean {
  try {
    typedArray.at.call(bytes, 0);
    return false;
  } catch {
    return true;
  }
}

/** As opposed to out of bounds: nothing can be made of its buffer any more. */
function isDetached(bytes: Uint8Array): boolean {
  try {
    new Uint8Array(bufferOf.call(bytes));
    return false;
  } catch {
    return true;
  }
}

/** Throws unless the value is a `Uint8Array` whose memory is there. It is not copied. */
export function checkBytes(
  name: string,
  value: unknown,
  naming: Naming = "Argument",
): asserts value is Uint8Array {
  if (typeName.call(value) !== "Uint8Array") badOption(name, "a Uint8Array", value, naming);
  const bytes = value as Uint8Array;
  if (!isGone(bytes)) return;
  throw new TypeError(
    isDetached(bytes)
      ? `${naming} "${name}" is a Uint8Array whose buffer was detached: it was transferred ` +
        "elsewhere, as by postMessage(), structuredClone() or transfer(). Pass a copy"
      : `${naming} "${name}" is a Uint8Array that is out of the bounds of its buffer, which was ` +
        "resized to less. Pass a copy that was made before",
  );
}

/**
 * A private copy of bytes.
 *
 * @param name What messages call the value.
 * @param naming Whether it is an argument of a call, or an option of an object.
 * @param atMost How many of its first bytes are copied. One more than are allowed is enough to see
 * that there are too many.
 * @throws {TypeError} if it is no `Uint8Array`, was detached, or is out of the bounds of its buffer.
 */
export function bytesOf(
  name: string,
  value: unknown,
  naming: Naming = "Argument",
  atMost: number = Infinity,
): Uint8Array<ArrayBuffer> {
  checkBytes(name, value, naming);
  const length = lengthOf.call(value);
  if (length <= atMost) return new Uint8Array(value);
  return new Uint8Array(new Uint8Array(bufferOf.call(value), offsetOf.call(value), atMost));
}

/**
 * A private copy of an `ArrayBuffer`, or of what a view of one sees; `undefined` for anything else.
 *
 * @throws {TypeError} if it was detached, or is out of the bounds of its buffer.
 */
export function bufferSourceBytes(
  name: string,
  value: unknown,
  naming: Naming = "Argument",
): Uint8Array<ArrayBuffer> | undefined {
  const isView = ArrayBuffer.isView(value);
  if (!isView && !(value instanceof ArrayBuffer)) return undefined;
  try {
    if (!isView) return new Uint8Array(value).slice();
    // A DataView has no method that asks; its length throws where a typed array says 0.
    const { buffer, byteOffset, byteLength } = value;
    if (!(value instanceof DataView)) typedArray.at.call(value, 0);
    return new Uint8Array(buffer, byteOffset, byteLength).slice() as Uint8Array<ArrayBuffer>;
  } catch (cause) {
    throw new TypeError(
      `${naming} "${name}" is a buffer, or a view of one, that was detached or resized to less. ` +
        "Pass a copy that was made before",
      { cause },
    );
  }
}

/**
 * What `@std/assert` is mapped to where its registry cannot be reached: the same names and meaning
 * over `node:assert/strict`.
 *
 * Rules:
 * - Only what the tests use is here, under the signatures of `@std/assert`, so that the map in
 *   `deno.json` can point to the real one without touching a test.
 * - Equality is `deepStrictEqual`'s. It is stricter than the original's in two points: `0` is not
 *   `-0`, and an object without a prototype does not equal a plain one.
 *
 * @module
 */

import nodeAssert, { AssertionError } from "node:assert/strict";
import { inspect, isDeepStrictEqual } from "node:util";

export { AssertionError };

// deno-lint-ignore no-explicit-any
type AnyConstructor = abstract new (...args: any[]) => any;
// deno-lint-ignore no-explicit-any
type ErrorConstructor<E extends Error> = abstract new (...args: any[]) => E;
type Falsy = false | 0 | 0n | "" | null | undefined;

/** Above this length a difference of bytes is told by its place, for a full diff takes minutes. */
const LARGEST_DIFF = 4096;

export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) raise(msg || "The value is falsy");
}

export function assertFalse(expr: unknown, msg?: string): asserts expr is Falsy {
  if (expr) raise(`Expected a falsy value, got ${inspect(expr)}${suffix(msg)}`);
}

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  const bytes = differenceOfBytes(actual, expected);
  if (bytes !== undefined) raise(`Values are not equal: ${bytes}${suffix(msg)}`);
  try {
    nodeAssert.deepStrictEqual(actual, expected);
  } catch (error) {
    raise(`Values are not equal${suffix(msg)}\n${(error as Error).message}`);
  }
}

export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (isDeepStrictEqual(actual, expected)) {
    raise(`Expected the values to differ, both are ${inspect(actual)}${suffix(msg)}`);
  }
}

export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (!Object.is(actual, expected)) {
    const same = isDeepStrictEqual(actual, expected) ? " (same structure, other object)" : "";
    raise(`Expected ${inspect(expected)}, got ${inspect(actual)}${same}${suffix(msg)}`);
  }
}

export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) {
    raise(`Expected a value, got ${actual}${suffix(msg)}`);
  }
}

export function assertInstanceOf<T extends AnyConstructor>(
  actual: unknown,
  expectedType: T,
  msg?: string,
): asserts actual is InstanceType<T> {
  if (!(actual instanceof expectedType)) {
    raise(`Expected an instance of ${expectedType.name}, got ${inspect(actual)}${suffix(msg)}`);
  }
}

export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) {
    raise(`Expected ${inspect(actual)} to match ${expected}${suffix(msg)}`);
  }
}

export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) {
    raise(`Expected ${inspect(actual)} to contain ${inspect(expected)}${suffix(msg)}`);
  }
}

export function assertArrayIncludes<T>(
  actual: ArrayLike<T>,
  expected: ArrayLike<T>,
  msg?: string,
): void {
  const present = Array.from(actual);
  const missing = Array.from(expected).filter((item) =>
    !present.some((candidate) => isDeepStrictEqual(candidate, item))
  );
  if (missing.length > 0) {
    raise(`Expected ${inspect(present)} to include ${inspect(missing)}${suffix(msg)}`);
  }
}

export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) raise(`Expected ${show(actual)} > ${show(expected)}${suffix(msg)}`);
}

export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) raise(`Expected ${show(actual)} >= ${show(expected)}${suffix(msg)}`);
}

export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) raise(`Expected ${show(actual)} < ${show(expected)}${suffix(msg)}`);
}

export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) raise(`Expected ${show(actual)} <= ${show(expected)}${suffix(msg)}`);
}

/** Returns what `fn` throws. With a class, also checks its type and message. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorConstructor<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMsg?: ErrorConstructor<Error> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const expected = expectation(classOrMsg, msgIncludes, msg);
  try {
    fn();
  } catch (error) {
    expected.check(error);
    return error;
  }
  raise(`Expected the function to throw${suffix(expected.msg)}`);
}

/** Resolves to what the promise of `fn` rejects with. A `fn` that throws at once is a failure. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorConstructor<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorConstructor<Error> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const expected = expectation(classOrMsg, msgIncludes, msg);
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (error) {
    raise(`Expected the function to reject, it threw ${inspect(error)}${suffix(expected.msg)}`);
  }
  try {
    await promise;
  } catch (error) {
    expected.check(error);
    return error;
  }
  raise(`Expected the function to reject${suffix(expected.msg)}`);
}

export function fail(msg?: string): never {
  raise(`Failed assertion${suffix(msg)}`);
}

export function unreachable(msg?: string): never {
  raise(`Unreachable${suffix(msg)}`);
}

function expectation(
  classOrMsg: ErrorConstructor<Error> | string | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): { msg: string | undefined; check(error: unknown): void } {
  if (typeof classOrMsg !== "function") return { msg: classOrMsg, check: () => {} };
  return {
    msg,
    check(error) {
      if (!(error instanceof Error)) {
        raise(`Expected an error object, got ${inspect(error)}${suffix(msg)}`);
      }
      if (!(error instanceof classOrMsg)) {
        raise(`Expected ${classOrMsg.name}, got ${inspect(error)}${suffix(msg)}`);
      }
      if (msgIncludes !== undefined && !error.message.includes(msgIncludes)) {
        const found = inspect(error.message);
        raise(`Expected a message with ${inspect(msgIncludes)}, got ${found}${suffix(msg)}`);
      }
    },
  };
}

/** Where two long byte arrays part, or undefined when a diff can show it. */
function differenceOfBytes(actual: unknown, expected: unknown): string | undefined {
  if (!(actual instanceof Uint8Array) || !(expected instanceof Uint8Array)) return undefined;
  if (actual.length <= LARGEST_DIFF && expected.length <= LARGEST_DIFF) return undefined;
  if (actual.length !== expected.length) {
    return `${actual.length} bytes, expected ${expected.length} bytes`;
  }
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  return `byte ${at} is ${actual[at]}, expected ${expected[at]}`;
}

function show(value: unknown): string {
  return inspect(value);
}

function suffix(msg: string | undefined): string {
  return msg ? `: ${msg}` : "";
}

function raise(message: string): never {
  throw new AssertionError({ message });
}

/**
 * What every store of this library checks before it does anything.
 *
 * Rules: a bad argument is a `TypeError` that names it (a `RangeError`, if a value is too large),
 * and nothing is stored or removed. What is checked is copied: who changes it later changes nothing.
 *
 * @module
 */

import { badOption, checkBytes } from "../options.ts";
import type { PutOptions } from "../session_store.ts";
import { MAX_LIFETIME_MS, MAX_VALUE_BYTES, MAX_VALUES } from "./bounds.ts";

/** As in the contract of `SessionStore`. */
const PARTITION = /^[\0-\x7f]{1,96}$/;

/** What is put, checked. */
export interface CheckedPut extends PutOptions {
  /** A copy. */
  value: Uint8Array<ArrayBuffer>;
}

/** The name of a partition. */
export function checkPartition(partition: unknown): string {
  if (typeof partition !== "string" || !PARTITION.test(partition)) {
    const got = typeof partition === "string"
      ? JSON.stringify(partition.slice(0, 100))
      : typeof partition;
    throw new TypeError(`Argument "partition" must be 1 to 96 ASCII characters, got ${got}`);
  }
  return partition;
}

/**
 * The arguments of a put. A limit above {@linkcode MAX_VALUES}, or `Infinity`, is that.
 *
 * @param most The largest value that the store takes, in bytes.
 */
export function checkPut(
  partition: unknown,
  value: unknown,
  options: unknown,
  most = MAX_VALUE_BYTES,
): CheckedPut {
  checkPartition(partition);
  const { expiresAt, limit } = (options ?? {}) as Partial<PutOptions>;
  return {
    value: checkValue(value, most),
    expiresAt: checkExpiry(expiresAt),
    limit: checkLimit(limit),
  };
}

function checkValue(value: unknown, most: number): Uint8Array<ArrayBuffer> {
  checkBytes("value", value);
  if (value.length > most) {
    throw new RangeError(`Argument "value" must be ${most} bytes at most, got ${value.length}`);
  }
  try {
    return new Uint8Array(value);
  } catch (cause) {
    // Its buffer was transferred away, or has shrunk.
    throw new TypeError('Argument "value" must be a Uint8Array that has its buffer', { cause });
  }
}

/** A time that has passed is one, too: what is put then has expired. */
function checkExpiry(expiresAt: unknown): number {
  if (typeof expiresAt !== "number") badOption("expiresAt", "milliseconds since 1970", expiresAt);
  if (!(expiresAt >= 0 && expiresAt <= Date.now() + MAX_LIFETIME_MS)) {
    throw new TypeError(
      `Option "expiresAt" must be milliseconds since 1970, ${MAX_LIFETIME_MS} from now at most, ` +
        `got ${expiresAt}`,
    );
  }
  return expiresAt;
}

function checkLimit(limit: unknown): number {
  if (typeof limit !== "number") badOption("limit", "an integer above 0", limit);
  if (limit === Infinity) return MAX_VALUES;
  if (!Number.isInteger(limit) || limit < 1) {
    throw new TypeError(`Option "limit" must be an integer above 0, got ${limit}`);
  }
  return Math.min(limit, MAX_VALUES);
}

/**
 * The name that keeps a pool's sessions apart from those of other names (`networkPartition`).
 *
 * Rule: two names are two partitions. A text with a lone surrogate has no UTF-8, and would become
 * that of others, so it is refused; and so is a name that does not fit what names in a store are
 * made of. Both are said when a connection is asked for, not when its first ticket comes.
 *
 * @module
 */

import { utf8 } from "./bytes.ts";
import { badOption } from "./option_errors.ts";

/** Bytes of UTF-8 that a name has at most: room for an origin or a user's id, many times over. */
export const MAX_NETWORK_PARTITION = 4096;

/** `undefined`, which is the empty name, or a name. */
export function checkNetworkPartition(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value !== "string") badOption("networkPartition", "a string", value);
  if (/\p{Surrogate}/u.test(value)) {
    throw new TypeError(
      'Option "networkPartition" must be well-formed Unicode, got a string with a lone surrogate',
    );
  }
  // Each code unit is a byte or more: nothing long is encoded only to be refused.
  if (value.length > MAX_NETWORK_PARTITION || utf8(value).length > MAX_NETWORK_PARTITION) {
    throw new TypeError(
      `Option "networkPartition" must have ${MAX_NETWORK_PARTITION} bytes of UTF-8 at most, got ` +
        `a string of ${value.length} characters`,
    );
  }
  return value;
}

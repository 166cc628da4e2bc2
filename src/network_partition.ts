/**
 * The name that keeps a pool's sessions apart from those of other names (`networkPartition`).
 *
 * Rule: two names are two partitions, and a bad one is told when a connection is asked for, not when
 * its first ticket comes.
 *
 * @module
 */

import { checkText } from "./options.ts";

/** Bytes of UTF-8 that a name has at most: room for an origin or a user's id, many times over. */
export const MAX_NETWORK_PARTITION = 4096;

/** `undefined`, which is the empty name, or a name. */
export function checkNetworkPartition(value: unknown): string {
  return value === undefined ? "" : checkText("networkPartition", value, MAX_NETWORK_PARTITION);
}

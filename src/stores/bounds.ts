/**
 * What may be in a store, and how much of it one call looks at.
 *
 * Rule: who else can write where a store keeps its values may write anything there, and any number.
 * What is not usable is passed over or removed; it is neither copied nor handed out, and it holds
 * nobody up.
 *
 * @module
 */

/** Of one value. Nothing that is sealed is larger: see `MAX_ENVELOPE` in `envelope.ts`. */
export const MAX_VALUE_BYTES = 256 * 1024;

/** Values that one partition holds, whatever limit a put names. A client's pool needs 64. */
export const MAX_VALUES = 1024;

/**
 * How long a value may live from now on: 400 days. Sessions live for 7 days at most (RFC 8446
 * §4.6.1); the rest is room for clocks that differ.
 */
export const MAX_LIFETIME_MS = 400 * 24 * 60 * 60 * 1000;

/** Values that are not usable, and that one call passes over before it says that none is there. */
export const MAX_PASSED_OVER = 256;

/** Whether an expiry, from wherever it comes, is one that lies ahead, and not too far. */
export function lives(expiresAt: unknown, now = Date.now()): expiresAt is number {
  return typeof expiresAt === "number" && expiresAt > now && expiresAt <= now + MAX_LIFETIME_MS;
}

/** Whether it is bytes, and no more than a value has. */
export function isValue(value: unknown, most = MAX_VALUE_BYTES): value is Uint8Array {
  return value instanceof Uint8Array && value.length <= most;
}

/**
 * The fingerprint of a context: what a session made under it may rely on later.
 *
 * Rules: it is the same in every build, process and runtime, and does not depend on the order in
 * which roots, suites or protocols are named. It covers what decides who is trusted and what is
 * negotiated; it leaves out what is checked anew at each resumption (time, the entries of
 * revocation lists, the `verify` callback).
 *
 * ```text
 * struct {
 *     opaque label<0..255>;
 *     opaque value<0..2^24-1>;
 * } Field;
 *
 * fingerprint = SHA-256(Field fields<..>)
 * ```
 *
 * @module
 */

import { ByteWriter, hex, utf8 } from "./bytes.ts";
import { sha256 } from "./hashes.ts";

/** One thing that a fingerprint covers. */
export type FingerprintField = readonly [label: string, value: string | number | Uint8Array];

/** The fingerprint of fields, in their order. */
export function fingerprint(fields: readonly FingerprintField[]): Uint8Array {
  const writer = new ByteWriter();
  for (const [label, value] of fields) {
    const bytes = value instanceof Uint8Array ? value : utf8(String(value));
    writer.vector(1, utf8(label)).vector(3, bytes);
  }
  return sha256(writer.finish());
}

/** A set of byte strings as one value: the same in any order, and with repeats. */
export function setOf(items: readonly (Uint8Array | string)[]): string {
  const digests = items.map((item) => hex(sha256(typeof item === "string" ? utf8(item) : item)));
  return [...new Set(digests)].sort().join(" ");
}

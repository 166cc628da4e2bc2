/**
 * The compact form in which trust anchors are bundled.
 *
 * In the presentation language of RFC 8446 §3, one after the other until the end:
 *
 * ```text
 * struct {
 *     opaque subject<1..2^16-1>;
 *     opaque public_key<1..2^16-1>;          // SubjectPublicKeyInfo
 *     opaque name_constraints<0..2^16-1>;    // empty: none
 * } TrustAnchor;
 * ```
 *
 * Each field is the contents of its DER SEQUENCE, without tag and length, as the engine takes it.
 *
 * It does not know whose roots they are.
 *
 * @module
 */

import { ByteReader } from "../bytes.ts";

/** Who is trusted: a name and a key, and the names the key may vouch for. */
export interface TrustAnchor {
  /** The contents of the subject's SEQUENCE. */
  subject: Uint8Array;
  /** The contents of the SubjectPublicKeyInfo's SEQUENCE. */
  publicKey: Uint8Array;
  /** The contents of the NameConstraints' SEQUENCE (RFC 5280 §4.2.1.10); empty: any name. */
  nameConstraints: Uint8Array;
}

/**
 * Reads all of the bytes; the fields are views of them.
 *
 * @throws {ShortRead} if they end within an anchor.
 */
export function readTrustAnchors(bytes: Uint8Array): TrustAnchor[] {
  const reader = new ByteReader(bytes);
  const anchors: TrustAnchor[] = [];
  while (reader.remaining > 0) {
    anchors.push({
      subject: reader.vector(2),
      publicKey: reader.vector(2),
      nameConstraints: reader.vector(2),
    });
  }
  return anchors;
}

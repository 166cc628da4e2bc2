/**
 * Sealing: what makes it safe to leave sessions where others can read and write.
 *
 * ```text
 * struct {
 *     uint8 version = 1;
 *     opaque key_id[16];               // derived from the key; found by it, never by trial
 *     opaque salt[32];                 // random
 *     opaque ciphertext<16..>;         // ChaCha20-Poly1305 (RFC 8439), tag at the end
 * } Envelope;
 *
 * key || nonce = HKDF-SHA256(ikm = ring key, salt = salt,
 *                            info = purpose || 0 || fingerprint || binding)
 * additional data = version || key_id
 * ```
 *
 * The engine computes it (`wasm/src/envelope.rs`). Purposes: `session` (by hand, bound to
 * nothing), `client session` (fingerprint, partition), `server session` (fingerprint, lookup id),
 * `ticket` (fingerprint, server name), `ticket key ring` (the ring's name). What is inside carries
 * its own expiry and is checked when it is opened.
 *
 * @module
 */

import { hex } from "./bytes.ts";
import { type EngineInstance, Refusal } from "./engine.ts";
import type { SessionMiss } from "./handshake_info.ts";
import { KEY_ID_LENGTH } from "./key_material.ts";
import { type SealingKeys, sealingKeysInternals } from "./sealing_keys.ts";

const VERSION = 1;
/** Version, key id, salt and tag. */
export const ENVELOPE_OVERHEAD = 1 + KEY_ID_LENGTH + 32 + 16;

/** Nothing that is sealed is larger than a session: a chain and a ticket of 64 KiB, and the rest. */
export const MAX_ENVELOPE = 160 * 1024 + ENVELOPE_OVERHEAD;

/** What an envelope is bound to: it opens under the same only. */
export interface EnvelopeBinding {
  purpose: "session" | "client session" | "server session" | "ticket key ring";
  fingerprint?: Uint8Array;
  binding?: Uint8Array;
}

/** What was opened, or the reason why it does not open. */
export type Opened =
  | { plain: Uint8Array; miss?: undefined }
  | { plain?: undefined; miss: Extract<SessionMiss, "version" | "wrong_key" | "tampered"> };

const NOTHING = new Uint8Array(0);

/** Seals under the ring's first key. */
export function seal(
  instance: EngineInstance,
  keys: SealingKeys,
  to: EnvelopeBinding,
  plain: Uint8Array,
): Uint8Array {
  const ring = sealingKeysInternals.ring(keys);
  const { purpose, fingerprint = NOTHING, binding = NOTHING } = to;
  try {
    return instance.call((exports) => exports.seal(ring, purpose, fingerprint, binding, plain));
  } finally {
    instance.wipeStack();
  }
}

/** Opens with the key of the ring that has the envelope's id. */
export function open(
  instance: EngineInstance,
  keys: SealingKeys,
  to: EnvelopeBinding,
  sealed: Uint8Array,
): Opened {
  // Nothing of that size is copied into the engine, whose memory does not shrink.
  if (sealed.length > MAX_ENVELOPE) return { miss: "tampered" };
  const ring = sealingKeysInternals.ring(keys);
  const { purpose, fingerprint = NOTHING, binding = NOTHING } = to;
  try {
    return {
      plain: instance.call((exports) => exports.open(ring, purpose, fingerprint, binding, sealed)),
    };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { miss: error.reason as "version" | "wrong_key" | "tampered" };
  } finally {
    instance.wipeStack();
  }
}

/** The id of the key that bytes were sealed under, if they look like an envelope. */
export function envelopeKeyId(bytes: Uint8Array): string | undefined {
  if (bytes.length < ENVELOPE_OVERHEAD || bytes[0] !== VERSION) return undefined;
  return hex(bytes.subarray(1, 1 + KEY_ID_LENGTH));
}

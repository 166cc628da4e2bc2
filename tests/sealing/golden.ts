/**
 * What a release sealed, in envelopes of version 1, under keys from the secret 00 01 … 1f.
 *
 * The files are never made anew: a later release must go on reading them. The sessions are those
 * of `tests/session/fixtures`; the rest is a line of text, bound to what is below.
 *
 * @module
 */

import { SealingKeys } from "../../mod.ts";
import type { EnvelopeBinding } from "../../src/envelope.ts";
import type { FixtureName } from "../session/fixtures.ts";

/** The secret of all of them. */
export const GOLDEN_SECRET = Uint8Array.from({ length: 32 }, (_, index) => index);

/** Sealed sessions, and the plain ones that are in them. */
export const SEALED_SESSIONS: [name: string, plain: FixtureName][] = [
  ["envelope1_session_tls13", "format1_tls13"],
  ["envelope1_session_tls12_ticket", "format1_tls12_ticket"],
  ["envelope1_session_tls12_session_id", "format1_tls12_session_id"],
];

/** What the texts are bound to, beside their purpose. */
export const TEXT_BINDING = {
  fingerprint: new Uint8Array(32).fill(0xf1),
  binding: new TextEncoder().encode("where it is kept"),
};

/** Sealed texts: `content of a` and the purpose. */
export const SEALED_TEXTS: [name: string, purpose: EnvelopeBinding["purpose"]][] = [
  ["envelope1_session", "session"],
  ["envelope1_client_session", "client session"],
  ["envelope1_server_session", "server session"],
  ["envelope1_ticket_key_ring", "ticket key ring"],
];

/** The bytes of a file in `fixtures`, fresh with each call. */
export function golden(name: string): Uint8Array<ArrayBuffer> {
  const text = Deno.readTextFileSync(new URL(`./fixtures/${name}.hex`, import.meta.url));
  return Uint8Array.fromHex(text.replace(/\s+/g, ""));
}

/** The keys of all of them. */
export function goldenKeys(): Promise<SealingKeys> {
  return SealingKeys.fromSecret(GOLDEN_SECRET);
}

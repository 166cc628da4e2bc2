/**
 * Real sessions of format 1, as a release wrote them: OpenSSL's `s_server` was the other side.
 *
 * They are never made anew: a later release must go on reading them. They were short-lived, of
 * a server under a root that nobody trusts.
 *
 * @module
 */

export const FIXTURES = [
  "format1_tls13",
  "format1_tls12_ticket",
  "format1_tls12_session_id",
] as const;

export type FixtureName = typeof FIXTURES[number];

/** The bytes of a session, fresh with each call. */
export function fixture(name: FixtureName): Uint8Array<ArrayBuffer> {
  const text = Deno.readTextFileSync(new URL(`./fixtures/${name}.hex`, import.meta.url));
  return Uint8Array.fromHex(text.replace(/\s+/g, ""));
}

/**
 * HMAC, HKDF and SHA-256, synchronous, of the npm package `@noble/hashes`.
 *
 * Rule: named whole, here alone. An import map is the importing program's own: by the one of
 * deno.json nobody could import `mod.ts` from another folder.
 *
 * @module
 */

// deno-lint-ignore-file no-import-prefix

export { hkdf } from "npm:@noble/hashes@2.4.0/hkdf.js";
export { hmac } from "npm:@noble/hashes@2.4.0/hmac.js";
export { sha256 } from "npm:@noble/hashes@2.4.0/sha2.js";

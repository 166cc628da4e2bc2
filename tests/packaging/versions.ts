/**
 * Versions of npm packages that only these tests need, each in one place.
 *
 * @module
 */

/** The compiler that is new from the ground up; the other one is in `tests/npm.ts`. */
export const TYPESCRIPT_7 = "typescript@7.0.2";
/** For the oldest Node that the package runs on, and for the newest. */
export const NODE_20_TYPES = "@types/node@20.19.43";
export const NODE_TYPES = "@types/node@26.6.6";
export const BUN_TYPES = "@types/bun@1.4.5";

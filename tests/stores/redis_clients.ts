/**
 * The Redis clients that stores are tested with; see `../packages.ts` for why they are named here.
 *
 * @module
 */

// deno-lint-ignore-file no-import-prefix

export { Redis } from "npm:ioredis@6.0.0";
export { createClient, RESP_TYPES } from "npm:redis@5.9.0";

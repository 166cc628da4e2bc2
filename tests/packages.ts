/**
 * Where the packages that only tests and benchmarks need come from.
 *
 * They are not in deno.json, and have a lock of their own, tests/deno.lock: what deno.json and the
 * lock beside it name is fetched for every task, the demo's included.
 *
 * @module
 */

// deno-lint-ignore-file no-import-prefix

export { default as fc } from "npm:fast-check@4.10.2";

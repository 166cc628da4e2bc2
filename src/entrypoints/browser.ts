/**
 * The entry for browsers and bundlers: the page gives the compiled wasm file to `provideEngine()`,
 * and a byte stream to `startTls()`.
 *
 * @module
 */

export { type EngineSource, provideEngine } from "../engine_pool.ts";
export * from "../api.ts";

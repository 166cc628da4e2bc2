/**
 * The layer without I/O, for embedders: TLS bytes in, TLS bytes out, plaintext, sessions.
 *
 * @module
 */

export { ClientEngine } from "../client_engine.ts";
export { EngineConnection, type Negotiated } from "../engine.ts";
export { type EngineSource, provideEngine } from "../engine_pool.ts";
export type { SessionTarget } from "../session_offer.ts";
export * from "../api.ts";

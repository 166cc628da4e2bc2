/**
 * The entry for Workers: the wasm file as a static import, `startTls()` over `cloudflare:sockets`.
 * Nothing is compiled or instantiated before the first connection.
 *
 * @module
 */

import { provideEngine } from "../engine_pool.ts";
import module from "./reprise.wasm";

provideEngine(module);

export * from "../api.ts";

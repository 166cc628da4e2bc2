/** The entry for Deno: its TCP, and the wasm file as a module import, which needs no permission. */

import { provideConnector } from "../connector.ts";
import { provideEngine } from "../engine_pool.ts";
import { provideListener } from "../listener.ts";
import { denoConnect, denoListen } from "../transport/deno.ts";
import module from "./wasm_deno.js";

provideEngine(module);
provideConnector(denoConnect);
provideListener(denoListen);

export * from "../api.ts";

/**
 * The entry that carries the wasm file in itself, as base64: for pages and bundlers that can do
 * nothing with a wasm file. About a third larger.
 *
 * @module
 */

import { provideEngine } from "../engine_pool.ts";
// Bundled as bytes by scripts/build_npm.ts.
// @ts-types="./wasm_bytes.d.ts"
import bytes from "../../wasm/pkg/reprise.wasm";

provideEngine(() => new WebAssembly.Module(bytes));

export * from "../api.ts";

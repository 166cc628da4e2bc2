/**
 * Which engine instance new connections use: one for all, replaced when it panics.
 *
 * An entry point provides the compiled wasm file, once; nothing is instantiated before the first
 * connection needs it.
 *
 * @module
 */

import { EngineInstance } from "./engine.ts";

let module: WebAssembly.Module | undefined;
let current: EngineInstance | undefined;

/** Names the wasm file, for entry points. The first one named is used. */
export function provideEngine(compiled: WebAssembly.Module): void {
  module ??= compiled;
}

/** The instance for a new connection. */
export function currentEngine(): EngineInstance {
  if (current === undefined || current.panic !== undefined) {
    if (module === undefined) {
      throw new TypeError("No engine: import an entry point, or provide the WebAssembly.Module");
    }
    current = new EngineInstance(module);
  }
  return current;
}

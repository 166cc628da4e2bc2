/**
 * Which engine instance new connections use: one for all, replaced when it panics.
 *
 * An entry point provides the compiled wasm file, once; nothing is instantiated before the first
 * connection needs it.
 *
 * @module
 */

import { EngineInstance } from "./engine.ts";

/** The compiled wasm file, or how to get it. */
export type EngineSource = WebAssembly.Module | (() => WebAssembly.Module);

let source: EngineSource | undefined;
let current: EngineInstance | undefined;

/** Names the wasm file, for entry points. The first one named is used. */
export function provideEngine(compiled: EngineSource): void {
  source ??= compiled;
}

/** The instance for a new connection. */
export function currentEngine(): EngineInstance {
  if (current === undefined || current.panic !== undefined) {
    if (source === undefined) {
      throw new TypeError("No engine: import an entry point, or provide the WebAssembly.Module");
    }
    const compiled = typeof source === "function" ? source() : source;
    source = compiled;
    current = new EngineInstance(compiled);
  }
  return current;
}

/**
 * Which engine instance a new connection lives in.
 *
 * Rules:
 * - An entry point provides the compiled wasm file, once; nothing is instantiated before the first
 *   connection needs it.
 * - Memory of wasm grows and never shrinks. So an instance takes a bounded number of connections, and
 *   none any more once its memory is large: when the last of its connections ends, nobody has it, and
 *   its memory goes back to the system.
 * - A panic ends one instance and its connections; so does memory that is out for new connections.
 *
 * @module
 */

import { EngineInstance } from "./engine.ts";
import { TlsError } from "./errors.ts";

/** The compiled wasm file, or how to get it. */
export type EngineSource = WebAssembly.Module | (() => WebAssembly.Module);

/** Connections of one instance. */
const MAX_CONNECTIONS = 1024;
/** An instance whose memory is above this takes no new connection. */
const LARGE_BYTES = 16 * 1024 * 1024;
/**
 * Instances that take connections. Beyond them a new connection goes to the emptiest: an engine of
 * JavaScript reserves up to 10 GiB of addresses for each memory, and has a TiB of them.
 */
const MAX_INSTANCES = 32;

let source: EngineSource | undefined;
/** Those that may take connections, the oldest first; the others live with their connections. */
let instances: EngineInstance[] = [];

/** Names the wasm file, for entry points. The first one named is used. */
export function provideEngine(compiled: EngineSource): void {
  source ??= compiled;
}

/** The instance for a new connection, or for what needs none. */
export function currentEngine(): EngineInstance {
  instances = instances.filter((instance) =>
    instance.panic === undefined && instance.memory.buffer.byteLength <= LARGE_BYTES
  );
  // The oldest with room: so the younger ones empty, and go.
  const roomy = instances.find(({ connections }) => connections < MAX_CONNECTIONS);
  if (roomy !== undefined) {
    instances = instances.filter((each) => each === roomy || each.connections > 0);
    return roomy;
  }
  if (instances.length >= MAX_INSTANCES) {
    return instances.reduce((a, b) => b.connections < a.connections ? b : a);
  }
  const made = instantiate();
  instances.push(made);
  return made;
}

function instantiate(): EngineInstance {
  const module = compiled();
  try {
    return new EngineInstance(module);
  } catch (cause) {
    // What the system refuses is memory; anything else is a wrong file.
    if (!(cause instanceof RangeError)) throw cause;
    throw new TlsError("ERR_TLS_OUT_OF_MEMORY", "There is no memory for the engine", {
      origin: "local",
      cause,
    });
  }
}

/** Gives an instance no new connections: its memory is out. */
export function retireEngine(instance: EngineInstance): void {
  instances = instances.filter((each) => each !== instance);
}

function compiled(): WebAssembly.Module {
  if (source === undefined) {
    throw new TypeError("No engine: import an entry point, or provide the WebAssembly.Module");
  }
  const module = typeof source === "function" ? source() : source;
  source = module;
  return module;
}

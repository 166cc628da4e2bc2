/**
 * How much wasm memory a process holds, and a lower bound on how much it may have: for victims.
 *
 * Rules: import this module before the library makes an instance. It knows nothing of the library but
 * that an instance exports `memory`, so it sees every instance, whichever package it comes from. A
 * memory that was collected no longer counts; call `gc` first where that matters.
 *
 * @module
 */

/** The size of a page of wasm memory. */
export const PAGE = 64 * 1024;

const memories = new Set<WeakRef<WebAssembly.Memory>>();
let maximum: number | undefined;

/** Bytes of wasm memory in all instances that are alive. */
export function wasmMemory(): number {
  let sum = 0;
  for (const each of memories) {
    const memory = each.deref();
    if (memory === undefined) memories.delete(each);
    else sum += memory.buffer.byteLength;
  }
  return sum;
}

/**
 * Lets modules that are compiled from now on have so many pages of memory at most: what takes 4 GiB
 * to show in a process without this is shown in a few MiB.
 */
export function limitWasmMemory(pages: number): void {
  maximum = pages;
}

WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
  construct(target, args, newTarget) {
    const instance = Reflect.construct(target, args, newTarget) as WebAssembly.Instance;
    const { memory } = instance.exports;
    if (memory instanceof WebAssembly.Memory) memories.add(new WeakRef(memory));
    return instance;
  },
});

WebAssembly.Module = new Proxy(WebAssembly.Module, {
  construct(target, [bytes, ...rest], newTarget) {
    const limited = maximum === undefined ? bytes : withMaximum(new Uint8Array(bytes), maximum);
    return Reflect.construct(target, [limited, ...rest], newTarget);
  },
});

const MEMORY_SECTION = 5;

/** A wasm file whose one memory has a maximum (WebAssembly Core §5.5.8). */
function withMaximum(wasm: Uint8Array, pages: number): Uint8Array {
  const HEADER = 8;
  for (let at = HEADER; at < wasm.length;) {
    const section = at;
    const id = wasm[at++];
    const [length, content] = readLeb(wasm, at);
    at = content + length;
    if (id !== MEMORY_SECTION) continue;
    const ONE_MEMORY = 1;
    const WITH_MAXIMUM = 1;
    const [minimum] = readLeb(wasm, content + 2);
    const limits = [ONE_MEMORY, WITH_MAXIMUM, ...leb(minimum), ...leb(pages)];
    return Uint8Array.from([
      ...wasm.subarray(0, section),
      MEMORY_SECTION,
      ...leb(limits.length),
      ...limits,
      ...wasm.subarray(at),
    ]);
  }
  throw new Error("The wasm file has no memory");
}

/** An unsigned LEB128 number, and where it ends. */
function readLeb(bytes: Uint8Array, at: number): [number, number] {
  let value = 0;
  for (let factor = 1;; factor *= 128) {
    const byte = bytes[at++];
    value += (byte & 127) * factor;
    if (byte < 128) return [value, at];
  }
}

function leb(value: number): number[] {
  return value < 128 ? [value] : [value % 128 | 128, ...leb(Math.floor(value / 128))];
}

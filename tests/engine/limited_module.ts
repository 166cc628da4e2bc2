/**
 * The engine's wasm file with a limit on its memory, as a system would have that has no more.
 *
 * @module
 */

const MEMORY_SECTION = 5;

/** The engine, whose memory grows by so many pages of 64 KiB at most. */
export async function limitedModule(pages: number): Promise<WebAssembly.Module> {
  const wasm = await Deno.readFile(new URL("../../wasm/pkg/reprise.wasm", import.meta.url));
  return new WebAssembly.Module(limited(wasm, pages));
}

function limited(wasm: Uint8Array<ArrayBuffer>, pages: number): Uint8Array<ArrayBuffer> {
  for (let at = 8; at < wasm.length;) {
    const id = wasm[at];
    const size = leb(wasm, at + 1);
    const body = size.next;
    const end = body + size.value;
    if (id === MEMORY_SECTION) {
      const count = leb(wasm, body);
      const limits = wasm[count.next];
      const least = leb(wasm, count.next + 1);
      if (count.value !== 1 || limits !== 0 || least.next !== end) {
        throw new Error("The memory section is not one memory without a limit");
      }
      const section = [1, 1, ...lebOf(least.value), ...lebOf(least.value + pages)];
      return new Uint8Array([
        ...wasm.subarray(0, at),
        MEMORY_SECTION,
        ...lebOf(section.length),
        ...section,
        ...wasm.subarray(end),
      ]);
    }
    at = end;
  }
  throw new Error("The wasm file has no memory section");
}

function leb(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0;
  for (let shift = 0;; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { value: value >>> 0, next: at };
  }
}

function lebOf(value: number): number[] {
  const bytes: number[] = [];
  do {
    const rest = value >>> 7;
    bytes.push((value & 0x7f) | (rest > 0 ? 0x80 : 0));
    value = rest;
  } while (value > 0);
  return bytes;
}

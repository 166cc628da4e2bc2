/**
 * What every runtime must be able to do with the built engine: two instances, side by side.
 *
 * Rule: nothing of any runtime is used here; the caller brings the module. Throws, or returns one line.
 */
export function probe(instantiate, wasmModule) {
  const one = instantiate(wasmModule), other = instantiate(wasmModule);
  expect(one.memory instanceof WebAssembly.Memory, "an instance has its memory");
  expect(one.memory !== other.memory, "each instance has its own memory");
  expect(one.Connection !== other.Connection, "each instance has its own classes");
  const version = one.boundary_version();
  expect(Number.isInteger(version), "an instance answers");

  const before = other.memory.buffer.byteLength;
  one.memory.grow(1);
  expect(other.memory.buffer.byteLength === before, "memory grows in one instance only");

  expect(traps(() => one.panic_for_test()), "a panic traps");
  expect(other.boundary_version() === version, "a panic leaves the other instance alone");
  return `boundary ${version}, ${Object.keys(one).length} exports, two instances`;
}

function traps(call) {
  try {
    call();
  } catch (error) {
    return error instanceof WebAssembly.RuntimeError;
  }
  return false;
}

function expect(holds, what) {
  if (!holds) throw new Error(`does not hold: ${what}`);
}

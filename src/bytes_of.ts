/**
 * Byte arrays that a caller, a callback or a store gave.
 *
 * Rule: checked and copied before anything is done with them. What was transferred to another thread,
 * or lies outside of a buffer that shrank, has no bytes; the engine must not see it.
 *
 * @module
 */

function typeOf(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? value.constructor?.name ?? "object" : typeof value;
}

/** A private copy. Throws a `TypeError` that names `name`. */
export function bytesOf(name: string, value: unknown): Uint8Array<ArrayBuffer> {
  if (!(value instanceof Uint8Array)) {
    throw new TypeError(`"${name}" must be a Uint8Array, got ${typeOf(value)}`);
  }
  try {
    // Throws where there is no buffer any more; a view that is out of bounds has no length.
    const whole = new Uint8Array(value.buffer);
    if (value.byteOffset <= whole.length) return new Uint8Array(value);
  } catch {
    // below
  }
  throw new TypeError(`"${name}" was transferred: its bytes are gone`);
}

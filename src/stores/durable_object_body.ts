/**
 * The body of a request to a Durable Object, within the bound of what its storage takes.
 *
 * @module
 */

/** A Durable Object's values are 128 KiB at most (key-value storage). */
export const MAX_VALUE_BYTES = 128 * 1024 - 512;

/** Of a body that is refused, so much is read: a sender that is cut off would see no answer. */
const MAX_DROPPED_BYTES = 1024 * 1024;

/** All of a request's body; `null`, if it is larger than a value may be. */
export async function readBody(request: Request): Promise<Uint8Array<ArrayBuffer> | null> {
  const bytes = new Uint8Array(MAX_VALUE_BYTES);
  let length = 0;
  for await (const chunk of request.body ?? []) {
    if (length + chunk.length <= bytes.length) bytes.set(chunk, length);
    length += chunk.length;
    if (length > MAX_DROPPED_BYTES) break;
  }
  return length > bytes.length ? null : bytes.slice(0, length);
}

/**
 * How WebSockets end, whichever interface they have (RFC 6455 §7.4).
 *
 * @module
 */

/** Larger chunks go in several messages: some peers and proxies take 1 MiB at most. */
export const MAX_MESSAGE_BYTES = 64 * 1024;

/** What is whole is closed with it. */
export const NORMAL = 1000;
/** What is cut off: for private use, as browsers let a program send no other code but 1000. */
export const CUT_OFF = 4000;
/** Codes that are an end: normal, going away, none given. */
const ENDS = [NORMAL, 1001, 1005];

/** What a close with this code is to who reads: `undefined`, if it is an end. */
export function errorOf(code: number, reason: string | undefined): Error | undefined {
  if (ENDS.includes(code)) return undefined;
  return new Error(`The WebSocket closed with code ${code}${reason ? `: ${reason}` : ""}`);
}

/** What a chunk that is no bytes is to who wrote it. */
export function checkChunk(chunk: unknown): asserts chunk is Uint8Array {
  if (!(chunk instanceof Uint8Array)) {
    throw new TypeError(`The stream got a chunk that is no Uint8Array: ${typeof chunk}`);
  }
}

/** What a message of text is to who reads. */
export function notBinary(): Error {
  return new Error("The WebSocket received a message that is not binary");
}

/** What an end is to who writes. */
export function closed(): Error {
  return new Error("The WebSocket was closed");
}

/** What its own abort is to who reads. */
export function aborted(): Error {
  return new Error("The WebSocket was aborted");
}

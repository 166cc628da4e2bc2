/**
 * A pair of web streams as a transport: a Workers socket, a WebSocket tunnel, a pipe of a test.
 *
 * Chunks are copied on both ways: a stream may keep or transfer what it is given, and engine
 * memory can be neither.
 *
 * @module
 */

import type { Transport } from "./transport.ts";

/** Two directions of bytes. */
export interface ByteStreams {
  /** What the peer sends. */
  readable: ReadableStream<Uint8Array>;
  /** What goes to the peer. */
  writable: WritableStream<Uint8Array>;
}

/** Locks both streams until `close()`. */
export function streamsTransport(streams: ByteStreams): Transport {
  const reader = streams.readable.getReader();
  const writer = streams.writable.getWriter();
  let rest: Uint8Array = new Uint8Array(0);
  let writing = false;
  let closed = false;
  writer.closed.catch(() => {});
  reader.closed.catch(() => {});
  return {
    async read(into) {
      while (rest.length === 0) {
        const { done, value } = await reader.read();
        if (done) return null;
        if (!(value instanceof Uint8Array)) {
          throw new TypeError(`The stream has a chunk that is no Uint8Array: ${typeof value}`);
        }
        rest = value;
      }
      const n = Math.min(rest.length, into.length);
      if (n > 0) into.set(rest.subarray(0, n));
      rest = rest.subarray(n);
      return n;
    },
    async write(bytes) {
      const chunk = bytes.slice();
      writing = true;
      await writer.ready;
      await writer.write(chunk);
      writing = false;
      return chunk.length;
    },
    close() {
      if (closed) return;
      closed = true;
      reader.cancel().catch(() => {});
      // A write that is stuck must settle: an orderly close would wait for it.
      (writing ? writer.abort() : writer.close()).catch(() => {});
    },
  };
}

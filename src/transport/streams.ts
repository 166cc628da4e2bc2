/**
 * A pair of web streams as a transport: a Workers socket, a WebSocket tunnel, a pipe of a test.
 *
 * Chunks are copied on both ways: a stream may keep or transfer what it is given, and engine
 * memory can be neither.
 *
 * @module
 */

import { deferred } from "../deferred.ts";
import { badOption, reading } from "../option_errors.ts";
import type { Transport } from "./transport.ts";

/** Empty chunks in a row that a stream may have: one that has nothing else would never end. */
const MAX_EMPTY_CHUNKS = 1000;

/** Two directions of bytes. */
export interface ByteStreams {
  /** What the peer sends. */
  readable: ReadableStream<Uint8Array>;
  /** What goes to the peer. */
  writable: WritableStream<Uint8Array>;
}

/** Reads both streams, once, and checks that they are ones and that nobody has locked them. */
export function checkStreams(streams: unknown): ByteStreams {
  const given = streams as Partial<ByteStreams> | null | undefined;
  const readable = reading('Option "readable"', () => given?.readable);
  const writable = reading('Option "writable"', () => given?.writable);
  if (!isA(readable, ReadableStream)) badOption("readable", "a ReadableStream", readable);
  if (!isA(writable, WritableStream)) badOption("writable", "a WritableStream", writable);
  for (const [name, stream] of Object.entries({ readable, writable })) {
    if (stream.locked) throw new TypeError(`Option "${name}" is locked: somebody else uses it`);
  }
  return { readable, writable };
}

/** Whether it is one, and no imitation or Proxy of one. */
function isA<T extends { locked: boolean }>(value: unknown, type: new () => T): value is T {
  try {
    return value instanceof type && typeof value.locked === "boolean";
  } catch {
    return false;
  }
}

/** Locks both streams until `close()`. */
export function streamsTransport(streams: ByteStreams): Transport {
  const reader = streams.readable.getReader();
  const writer = streams.writable.getWriter();
  let rest: Uint8Array = new Uint8Array(0);
  /** Rejects the write under way: a sink that is stuck would keep it pending for ever. */
  let abandon: ((reason: unknown) => void) | undefined;
  let closed = false;
  writer.closed.catch(() => {});
  reader.closed.catch(() => {});
  return {
    async read(room) {
      for (let empty = 0; rest.length === 0; empty++) {
        if (empty > MAX_EMPTY_CHUNKS) {
          throw new TypeError(`The stream has more than ${MAX_EMPTY_CHUNKS} empty chunks in a row`);
        }
        const { done, value } = await reader.read();
        if (done) return null;
        if (!(value instanceof Uint8Array)) {
          throw new TypeError(`The stream has a chunk that is no Uint8Array: ${typeof value}`);
        }
        rest = value;
      }
      const into = room(rest.length);
      const n = Math.min(rest.length, into.length);
      into.set(rest.subarray(0, n));
      rest = rest.subarray(n);
      return n;
    },
    write(bytes) {
      const chunk = bytes.slice(); // the sink may transfer it
      const { length } = chunk;
      const { promise, resolve, reject } = deferred<number>();
      abandon = reject;
      writer.ready.then(() => writer.write(chunk)).then(() => {
        abandon = undefined;
        resolve(length);
      }, reject);
      return promise;
    },
    close() {
      if (closed) return;
      closed = true;
      reader.cancel().catch(() => {});
      // An orderly close would wait for the write under way.
      (abandon === undefined ? writer.close() : writer.abort()).catch(() => {});
      abandon?.(new Error("The transport was closed"));
    },
  };
}

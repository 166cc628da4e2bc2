/**
 * Counts what passes through a TCP connection.
 *
 * @module
 */

import type { ByteStreams } from "../mod.ts";

/** Bytes of TCP, without what IP and TCP add. */
export interface Counts {
  sent: number;
  received: number;
  /** How often something was sent and then something received. */
  roundTrips: number;
}

/** Sent on TLS 1.3 when the ServerHello came, whether or not the rest did (RFC 8446 §D.4). */
function isLoneChangeCipherSpec(chunk: Uint8Array): boolean {
  return chunk.length === 6 && chunk[0] === 20;
}

/** The streams of a connection, and counts that grow with them. */
export function countStreams(tcp: Deno.TcpConn): { streams: ByteStreams; counts: Counts } {
  const counts: Counts = { sent: 0, received: 0, roundTrips: 0 };
  let awaiting = false;
  const received = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      counts.received += chunk.length;
      if (awaiting) counts.roundTrips++;
      awaiting = false;
      controller.enqueue(chunk);
    },
  });
  const writer = tcp.writable.getWriter();
  const writable = new WritableStream<Uint8Array>({
    async write(chunk) {
      counts.sent += chunk.length;
      if (!isLoneChangeCipherSpec(chunk)) awaiting = true;
      await writer.write(chunk as Uint8Array<ArrayBuffer>);
    },
    close: () => writer.close(),
    abort: (reason) => writer.abort(reason),
  });
  return { streams: { readable: tcp.readable.pipeThrough(received), writable }, counts };
}

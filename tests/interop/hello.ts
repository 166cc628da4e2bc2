/**
 * What the client and the server said in the clear, from the bytes that a proxy recorded.
 *
 * @module
 */

import { readRecords } from "../peers/raw.ts";

/** RFC 8446 §4.1.3: the random of a ServerHello that is a HelloRetryRequest. */
const RETRY = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c";

/**
 * The handshake messages in the clear that fill their record, without their header. An encrypted
 * Finished of TLS 1.2 has the same record type, and any first byte.
 */
function messages(bytes: Uint8Array, type: number): Uint8Array[] {
  return readRecords(bytes)
    .filter((record) => {
      if (record.type !== 22 || record.bytes[5] !== type) return false;
      const [high, middle, low] = record.bytes.subarray(6, 9);
      return (high << 16 | middle << 8 | low) === record.bytes.length - 9;
    })
    .map((record) => record.bytes.subarray(9));
}

/** How many HelloRetryRequests a server sent. */
export function retries(fromServer: Uint8Array): number {
  return messages(fromServer, 2).filter((hello) => hello.subarray(2, 34).toHex() === RETRY).length;
}

/** The ClientHello, as far as tests look at it. */
export interface ClientHello {
  sessionId: Uint8Array;
  cipherSuites: number[];
  /** By type, in their order. */
  extensions: Map<number, Uint8Array>;
}

/** Every ClientHello of a client: two where the server asked for a retry. */
export function clientHellos(fromClient: Uint8Array): ClientHello[] {
  return messages(fromClient, 1).map((hello) => {
    const view = new DataView(hello.buffer, hello.byteOffset, hello.length);
    let at = 34;
    const take = (length: number) => hello.subarray(at, at += length);
    const sessionId = take(view.getUint8(at++));
    const suites = take(view.getUint16((at += 2) - 2));
    take(view.getUint8(at++));
    const end = view.getUint16((at += 2) - 2) + at;
    const extensions = new Map<number, Uint8Array>();
    while (at < end) {
      const type = view.getUint16(at);
      at += 4;
      extensions.set(type, take(view.getUint16(at - 2)));
    }
    const cipherSuites = Array.from(
      { length: suites.length / 2 },
      (_, i) => suites[2 * i] << 8 | suites[2 * i + 1],
    );
    return { sessionId, cipherSuites, extensions };
  });
}

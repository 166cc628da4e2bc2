/**
 * A transport of which the first bytes have been read already.
 *
 * @module
 */

import type { Transport } from "./transport.ts";

/** Hands `first` out before anything else that `transport` reads. */
export function prefixed(first: Uint8Array, transport: Transport): Transport {
  let rest = first;
  return {
    async read(room) {
      if (rest.length === 0) return await transport.read(room);
      const into = room(rest.length);
      const n = Math.min(rest.length, into.length);
      into.set(rest.subarray(0, n));
      rest = rest.subarray(n);
      return n;
    },
    write: (bytes) => transport.write(bytes),
    close: () => transport.close(),
    ...(transport.closeWrite && { closeWrite: () => transport.closeWrite!() }),
  };
}

/**
 * How this runtime listens for TCP connections; provided by an entry point.
 *
 * @module
 */

import type { ListenAddress, TransportListener } from "./transport/transport.ts";

/** Begins to listen. `onRefused` is called for each connection that is closed instead of accepted. */
export type Listen = (
  address: ListenAddress,
  onRefused: () => void,
) => Promise<TransportListener>;

let provided: Listen | undefined;

/** Names the runtime's way, for entry points. */
export function provideListener(listen: Listen): void {
  provided = listen;
}

/** The runtime's way to listen. */
export function currentListener(): Listen {
  if (provided === undefined) {
    throw new TypeError("This entry point does not listen: use acceptTls() on a stream");
  }
  return provided;
}

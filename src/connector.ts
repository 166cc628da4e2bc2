/**
 * How this runtime opens a TCP connection; provided by an entry point.
 *
 * @module
 */

import type { Transport } from "./transport/transport.ts";

/** Opens a connection; rejects with the signal's reason when it aborts. */
export type Connector = (
  target: { hostname: string; port: number },
  signal: AbortSignal,
) => Promise<Transport>;

let connector: Connector | undefined;

/** Names the runtime's connector, for entry points. */
export function provideConnector(connect: Connector): void {
  connector = connect;
}

/** The runtime's connector. */
export function currentConnector(): Connector {
  if (connector === undefined) {
    throw new TypeError("This entry point opens no TCP connections: use startTls() on a stream");
  }
  return connector;
}

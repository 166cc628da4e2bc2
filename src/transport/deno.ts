/**
 * TCP of Deno. It reads into and writes from the engine's memory without a copy in between.
 *
 * @module
 */

import type { Transport } from "./transport.ts";

/** A connection of `Deno.connect` or `Deno.listen` as a transport. */
export function denoTransport(conn: Deno.Conn): Transport {
  let closed = false;
  return {
    read: (into) => conn.read(into as Uint8Array<ArrayBuffer>),
    write: (bytes) => conn.write(bytes as Uint8Array<ArrayBuffer>),
    close() {
      if (closed) return;
      closed = true;
      conn.close();
    },
  };
}

/** Opens a TCP connection. */
export async function denoConnect(
  target: { hostname: string; port: number },
  signal: AbortSignal,
): Promise<Transport> {
  const { hostname, port } = target;
  const conn = await Deno.connect({ hostname, port, signal });
  conn.setNoDelay(true);
  return denoTransport(conn);
}

/**
 * TCP of Deno. It reads into and writes from the engine's memory without a copy in between.
 *
 * @module
 */

import type { ListenAddress, Transport, TransportListener } from "./transport.ts";

/** A connection of `Deno.connect` or `Deno.listen` as a transport. */
export function denoTransport(conn: Deno.Conn): Transport {
  let closed = false;
  return {
    read: (into) => conn.read(into as Uint8Array<ArrayBuffer>),
    write: (bytes) => conn.write(bytes as Uint8Array<ArrayBuffer>),
    closeWrite: () => (conn as Deno.TcpConn).closeWrite(),
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

/** Listens on TCP. */
export function denoListen(address: ListenAddress): Promise<TransportListener> {
  const listener = Deno.listen({ hostname: address.hostname, port: address.port });
  const { hostname, port } = listener.addr;
  return Promise.resolve({
    address: { hostname, port },
    async accept() {
      try {
        const conn = await listener.accept();
        conn.setNoDelay(true);
        return denoTransport(conn);
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return null;
        throw error;
      }
    },
    close: () => listener.close(),
  });
}

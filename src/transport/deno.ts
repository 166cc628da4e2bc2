/**
 * TCP of Deno. It reads into and writes from the engine's memory without a copy in between.
 *
 * @module
 */

import {
  BACKLOG,
  type ListenAddress,
  type Transport,
  type TransportListener,
} from "./transport.ts";

/** A connection of `Deno.connect` or `Deno.listen` as a transport. */
export function denoTransport(conn: Deno.Conn): Transport {
  let closed = false;
  return {
    read(room) {
      // Deno writes where it was told to: the place is needed before there are bytes.
      let into: Uint8Array;
      try {
        into = room(0);
      } catch (error) {
        return Promise.reject(error);
      }
      return conn.read(into as Uint8Array<ArrayBuffer>);
    },
    write: (bytes) => conn.write(bytes as Uint8Array<ArrayBuffer>),
    closeWrite: () => (conn as Deno.TcpConn).closeWrite(),
    close() {
      if (closed) return;
      closed = true;
      conn.close();
    },
  };
}

/**
 * Opens a TCP connection. Rejects with the signal's reason when it aborts; a connection that is
 * established later is closed then. `Deno.connect()` is not told of the signal: it leaves sockets open
 * where it is.
 */
export function denoConnect(
  target: { hostname: string; port: number },
  signal: AbortSignal,
): Promise<Transport> {
  const { hostname, port } = target;
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    Deno.connect({ hostname, port }).then((conn) => {
      if (signal.aborted) return conn.close();
      conn.setNoDelay(true);
      resolve(denoTransport(conn));
    }).catch(reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Listens on TCP. */
export function denoListen(address: ListenAddress): Promise<TransportListener> {
  const listener = Deno.listen({ ...address, tcpBacklog: BACKLOG });
  const { hostname, port } = listener.addr;
  return Promise.resolve({
    address: { hostname, port },
    systemQueues: true,
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

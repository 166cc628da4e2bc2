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
    async write(bytes) {
      for (let sent = 0; sent < bytes.length;) {
        sent += await conn.write(bytes.subarray(sent) as Uint8Array<ArrayBuffer>);
      }
    },
    close() {
      if (closed) return;
      closed = true;
      conn.close();
    },
  };
}

/** Opens a TCP connection. A signal that aborts closes what comes too late. */
export async function denoConnect(
  target: { hostname: string; port: number },
  signal: AbortSignal,
): Promise<Transport> {
  const connecting = Deno.connect({ hostname: target.hostname, port: target.port });
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    const conn = await Promise.race([connecting, aborted.promise]);
    conn.setNoDelay(true);
    return denoTransport(conn);
  } catch (error) {
    connecting.then((conn) => conn.close(), () => {});
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * A TCP forwarder for a client that cannot take its session to another process: each of its
 * connections may go to another server.
 *
 * @module
 */

import { TcpListener } from "../peers/tcp_listener.ts";

/** A running forwarder. */
export interface SwitchProxy extends AsyncDisposable {
  port: number;
}

/** Forwards connection `index`, from 0, to the port that `target` names when it opens. */
export function startSwitchProxy(target: (index: number) => Promise<number>): SwitchProxy {
  let next = 0;
  return new TcpListener(async (client, own) => {
    const port = await target(next++);
    const server = own(await Deno.connect({ hostname: "127.0.0.1", port }));
    await Promise.all([forward(client, server), forward(server, client)]);
  });
}

async function forward(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  try {
    for (let n; (n = await from.read(buffer)) !== null;) {
      for (let sent = 0; sent < n;) sent += await to.write(buffer.subarray(sent, n));
    }
  } catch {
    // A reset is an end, too.
  }
  await to.closeWrite().catch(() => {});
}

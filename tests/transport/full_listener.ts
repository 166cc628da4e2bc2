/**
 * A listener whose queue is full and that accepts nobody: on Linux, connecting to it neither
 * succeeds nor fails for minutes.
 *
 * @module
 */

import { settledWithin } from "../peers/child.ts";

const MAX_QUEUE = 16;

/** Options of a `Deno.test` that needs one. */
export const linuxOnly = { ignore: Deno.build.os !== "linux" };

export interface FullListener extends AsyncDisposable {
  port: number;
}

/** Throws where connecting to a full queue does not wait, as on other systems. */
export async function startFullListener(): Promise<FullListener> {
  const hostname = "127.0.0.1";
  const listener = Deno.listen({ hostname, port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  const open: Deno.TcpConn[] = [];
  const dispose = () => {
    for (const conn of open) conn.close();
    listener.close();
    return Promise.resolve();
  };
  for (let i = 0; i < MAX_QUEUE; i++) {
    const controller = new AbortController();
    const connecting = Deno.connect({ hostname, port, signal: controller.signal });
    if (await settledWithin(connecting, 300)) {
      open.push(await connecting);
      continue;
    }
    controller.abort();
    await connecting.then((conn) => conn.close(), () => {});
    return { port, [Symbol.asyncDispose]: dispose };
  }
  await dispose();
  throw new Error(`${MAX_QUEUE} connections fit a queue of 1`);
}

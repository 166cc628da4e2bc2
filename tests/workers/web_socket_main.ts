/**
 * The Worker of the tests of WebSockets: its end of one, as two streams.
 *
 * @module
 */

import { type WebSocketLike, webSocketStreams } from "../../src/transport/web_socket.ts";

declare const WebSocketPair: new () => { 0: unknown; 1: WebSocketLike & { accept(): void } };

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What the last connection came to. */
let outcome = "none";

async function serve(socket: WebSocketLike, how: string): Promise<string> {
  const { readable, writable } = webSocketStreams(socket, { maxQueued: 100_000 });
  switch (how) {
    case "/echo":
      await readable.pipeTo(writable);
      return "ended";
    case "/late": {
      await pause(1_000);
      let length = 0;
      for await (const chunk of readable) length += chunk.length;
      return `read ${length}`;
    }
    case "/abort": {
      const writer = writable.getWriter();
      await writer.write(new Uint8Array([1, 2, 3]));
      await writer.abort(new Error("no more"));
      return "aborted";
    }
    case "/cancel":
      await readable.cancel();
      return "cancelled";
    default: {
      const writer = writable.getWriter();
      const chunk = new Uint8Array(200_000).fill(7);
      await writer.write(chunk);
      chunk.fill(9);
      await writer.close();
      return "closed";
    }
  }
}

export default {
  fetch(request: Request, _env: unknown, ctx: { waitUntil(promise: Promise<unknown>): void }) {
    const { pathname } = new URL(request.url);
    if (pathname === "/outcome") return new Response(outcome);
    const { 0: theirs, 1: ours } = new WebSocketPair();
    ours.accept();
    outcome = "open";
    const served = serve(ours, pathname).catch((error: Error) => error.message);
    ctx.waitUntil(served.then((what) => void (outcome = what)));
    return new Response(null, { status: 101, webSocket: theirs } as ResponseInit);
  },
};

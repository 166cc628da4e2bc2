/**
 * The other end of `web_socket_stream_cases.ts`, and of the page that runs them.
 *
 * ```text
 * WS   /echo/NAME            sends back what comes
 * WS   /flood/NAME/BYTES     sends so many bytes as fast as the socket takes them, and closes
 * WS   /tls/NAME/BYTES       the same within TLS
 * WS   /count/NAME           counts what comes
 * WS   /close/NAME/CODE      sends two bytes and closes with the code; "none": without one
 * WS   /text/NAME            sends a message of text
 * WS   /empty/NAME           sends a byte between messages without any, and closes
 * GET  /seen/NAME            what was seen of the connection, as JSON
 * POST /outcomes             what became of the cases, in the page
 * GET  ...                   the files that it was given
 * ```
 * Two more ports answer the upgrade: one is gone then, the other one reads nothing.
 *
 * @module
 */

import { acceptTls, ServerContext } from "../../mod.ts";
import { webSocketStreams } from "../../src/transport/web_socket.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { upgraded } from "./web_socket_ends.ts";
import type { Context } from "./web_socket_stream_cases.ts";

const CHUNK_BYTES = 64 * 1024;
/** The flood waits while so much is in its socket: what is beyond was taken by the client's side. */
const MAX_BUFFERED = 1024 * 1024;

interface Seen {
  received: number;
  sum: number;
  sent: number;
  code: number | null;
}

/** A running server. */
export interface StreamServer extends AsyncDisposable {
  /** What the cases are told of it. */
  places: Omit<Context, "startTls">;
  /** What the page posts. */
  outcomes: Promise<Record<string, string | null>>;
}

/** The chunk of a flood that begins so many bytes from its start. */
function chunkAt(from: number, bytes: number): Uint8Array<ArrayBuffer> {
  const length = Math.min(CHUNK_BYTES, bytes - from);
  return new Uint8Array(length).map((_, i) => (from + i) * 31 + (i >> 8));
}

function sumOf(bytes: Uint8Array, sum: number): number {
  for (const byte of bytes) sum = (sum * 31 + byte) >>> 0;
  return sum;
}

/** Hands all of it to `write`, and notes how far that came. */
async function flood(
  own: Seen,
  bytes: number,
  write: (chunk: Uint8Array<ArrayBuffer>) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < bytes; from += CHUNK_BYTES) {
    const chunk = chunkAt(from, bytes);
    own.sum = sumOf(chunk, own.sum);
    await write(chunk);
    own.sent += chunk.length;
  }
}

async function sendSlowly(socket: WebSocket, chunk: Uint8Array<ArrayBuffer>): Promise<void> {
  socket.send(chunk);
  while (socket.readyState === WebSocket.OPEN && socket.bufferedAmount > MAX_BUFFERED) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  if (socket.readyState !== WebSocket.OPEN) throw new Error("The client is gone");
}

/** What each kind of connection does once it is open. */
const KINDS: Record<string, (socket: WebSocket, own: Seen, rest: string) => unknown> = {
  echo: () => {},
  count: () => {},
  flood: async (socket, own, rest) => {
    await flood(own, Number(rest), (chunk) => sendSlowly(socket, chunk));
    socket.close(1000);
  },
  close: (socket, _own, rest) => {
    socket.send(new Uint8Array([1, 2]));
    if (rest === "none") socket.close();
    else socket.close(Number(rest), Number(rest) === 1000 ? "" : "no such backend");
  },
  text: (socket) => socket.send("text"),
  empty: (socket) => {
    for (const bytes of [[], [1], []]) socket.send(new Uint8Array(bytes));
    socket.close(1000);
  },
};

/** Starts it; `files` are what the page asks for. */
export function startStreamServer(
  files: Record<string, [type: string, body: BodyInit]> = {},
): StreamServer {
  const connections = new Map<string, Seen>();
  const outcomes = Promise.withResolvers<Record<string, string | null>>();
  const context = new ServerContext(serverCert("ec_p256"));
  const serving = new Set<Promise<unknown>>();

  function attach(kind: string, name: string, rest: string, socket: WebSocket): void {
    const own: Seen = { received: 0, sum: 0, sent: 0, code: null };
    connections.set(name, own);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("close", ({ code }) => own.code = code);
    socket.addEventListener("error", (event) => event.preventDefault());
    const serve = (work: Promise<unknown>) => {
      const done = work.catch(() => {}).finally(() => serving.delete(done));
      serving.add(done);
    };
    if (kind === "tls") {
      const accepted = acceptTls(webSocketStreams(socket), { context });
      return serve((async () => {
        const conn = await accepted;
        await flood(own, Number(rest), (chunk) => conn.write(chunk));
        await conn.close();
      })());
    }
    socket.addEventListener("message", ({ data }) => {
      const bytes = new Uint8Array(data);
      own.received += bytes.length;
      own.sum = sumOf(bytes, own.sum);
      if (kind === "echo") socket.send(bytes);
    });
    socket.addEventListener(
      "open",
      () => serve((async () => await KINDS[kind](socket, own, rest))()),
    );
  }

  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const [, kind, name, rest] = pathname.split("/");
    if (request.headers.get("upgrade") === "websocket") {
      if (kind !== "tls" && !(kind in KINDS)) return new Response(null, { status: 404 });
      const { socket, response } = Deno.upgradeWebSocket(request);
      attach(kind, name, rest, socket);
      return response;
    }
    if (kind === "seen") return Response.json(connections.get(name) ?? { sent: 0, code: null });
    if (kind === "outcomes") {
      outcomes.resolve(await request.json());
      return new Response(null, { status: 204 });
    }
    const [type, body] = files[pathname] ?? [];
    return body === undefined
      ? new Response(null, { status: 404 })
      : new Response(body, { headers: { "content-type": type! } });
  }

  const http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  const base = `http://127.0.0.1:${(http.addr as Deno.NetAddr).port}`;
  const lost = raw((conn) => conn.close());
  const stuck = raw(() => {});
  const places = { base, lose: lost.url, stuck: stuck.url, ca: caCert("ec") };
  files["/places.json"] = ["application/json", JSON.stringify(places)];
  return {
    places,
    outcomes: outcomes.promise,
    async [Symbol.asyncDispose]() {
      await Promise.all([lost.close(), stuck.close(), http.shutdown()]);
      await Promise.all(serving);
    },
  };
}

/** A port that answers upgrades and then does this; the connections end with it. */
function raw(then: (conn: Deno.Conn) => void) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conns: Deno.Conn[] = [];
  const accepting = (async () => {
    for (;;) {
      const conn = await upgraded(listener);
      conns.push(conn);
      then(conn);
    }
  })().catch(() => {}); // The listener is closed.
  return {
    url: `ws://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/`,
    async close() {
      listener.close();
      await accepting;
      for (const conn of conns) {
        try {
          conn.close();
        } catch {
          // It is.
        }
      }
    },
  };
}

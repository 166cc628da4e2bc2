/**
 * A Worker with TLS of its own.
 *
 * ```text
 * GET /backend       asks a server under a private authority, with a client certificate
 * WebSocket /tunnel  ends the TLS of whoever tunnels it here: no one in between reads it
 * ```
 *
 * The sessions of the one and the ticket keys of the other are in Durable Objects, sealed: what one
 * isolate began, any other resumes.
 *
 * @module
 */

import { connect } from "cloudflare:sockets";
import {
  acceptTls,
  type ByteStreams,
  ClientContext,
  SealingKeys,
  ServerContext,
  startTls,
  TicketKeys,
  type TlsConn,
  TlsError,
} from "@reprise/tls";
import { durableObjectKeyRing, durableObjectStore } from "@reprise/tls/stores/durable_object";
import { webSocketStreams } from "@reprise/tls/web_socket";

export { SessionStoreObject } from "@reprise/tls/stores/durable_object";

/** Bindings, as `wrangler.jsonc` names them; what is PEM or base64 is a secret. */
interface Env {
  SESSIONS: DurableObjectNamespace;
  /** `host:port` */
  BACKEND: string;
  BACKEND_CA: string;
  CLIENT_CERT: string;
  CLIENT_KEY: string;
  SERVER_CERT: string;
  SERVER_KEY: string;
  /** The base64 of 32 random bytes or more. */
  SEALING_SECRET: string;
}

// Made by the first request that needs them, and kept: `env` is there in a request only, and what a
// module does when it is loaded counts towards the start of every isolate. Kept are the contexts,
// not promises of them: one that a cancelled request left behind would never settle.
let client: ClientContext | undefined;
let server: ServerContext | undefined;

async function clientContext(env: Env): Promise<ClientContext> {
  return client ??= new ClientContext({
    caCerts: [env.BACKEND_CA],
    cert: env.CLIENT_CERT,
    key: env.CLIENT_KEY,
    resumption: { store: durableObjectStore(env.SESSIONS), keys: await sealingKeys(env) },
  });
}

async function serverContext(env: Env): Promise<ServerContext> {
  if (server !== undefined) return server;
  const ring = durableObjectKeyRing(env.SESSIONS);
  const ticketKeys = await TicketKeys.shared(ring, { keys: await sealingKeys(env) });
  return server = new ServerContext({
    cert: env.SERVER_CERT,
    key: env.SERVER_KEY,
    resumption: { mode: "tickets", ticketKeys },
  });
}

function sealingKeys(env: Env): Promise<SealingKeys> {
  return SealingKeys.fromSecret(Uint8Array.from(atob(env.SEALING_SECRET), (c) => c.charCodeAt(0)));
}

/** Asks the backend, and says how the connection came about. */
async function askBackend(env: Env, ctx: ExecutionContext): Promise<Response> {
  const context = await clientContext(env);
  const [hostname, port] = env.BACKEND.split(":");
  const socket = connect({ hostname, port: Number(port) }, {
    secureTransport: "off",
    allowHalfOpen: false,
  });
  try {
    const conn = await startTls(socket, { hostname, port: Number(port), context });
    // Neither the end of the connection nor the store holds the response up.
    try {
      await conn.write(new TextEncoder().encode(`GET / HTTP/1.0\r\nhost: ${hostname}\r\n\r\n`));
      const answer = await new Response(conn.readable).text();
      const { protocol, resumed } = await conn.handshake();
      return Response.json({ protocol, resumed, miss: conn.sessionMiss, answer });
    } finally {
      ctx.waitUntil(conn.close());
    }
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
    const { code, alert, message } = error;
    return Response.json({ code, alert, message }, { status: 502 });
  } finally {
    // Without this what was received is lost with the request: the next one begins anew.
    ctx.waitUntil(context.settled());
  }
}

/** Takes a WebSocket whose messages are TLS. */
async function tunnel(env: Env, ctx: ExecutionContext): Promise<Response> {
  const context = await serverContext(env);
  const { 0: theirs, 1: ours } = new WebSocketPair();
  ours.accept();
  ctx.waitUntil(serve(webSocketStreams(ours), context));
  return new Response(null, { status: 101, webSocket: theirs });
}

/** Serves one connection: a request, and how the connection came about. */
async function serve(streams: ByteStreams, context: ServerContext): Promise<void> {
  try {
    await using conn = await acceptTls(streams, { context });
    // Who says nothing does not hold the tunnel for ever.
    const timer = setTimeout(() => conn.close(), 10_000);
    await readHead(conn).finally(() => clearTimeout(timer));
    const { protocol, resumed } = await conn.handshake();
    const said = JSON.stringify({ protocol, resumed, miss: conn.sessionMiss });
    await conn.write(new TextEncoder().encode(`HTTP/1.0 200 OK\r\n\r\n${said}\n`));
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
    // deno-lint-ignore no-console -- `wrangler tail` shows it
    console.warn(`No tunnel: ${error.code}: ${error.message}`);
  }
}

/** Reads a request to its empty line; one that is too long, or ends before, is cut off there. */
async function readHead(conn: TlsConn): Promise<string> {
  const buffer = new Uint8Array(4096);
  let head = "";
  while (!head.includes("\r\n\r\n") && head.length < 16_384) {
    const n = await conn.read(buffer);
    if (n === null) break;
    head += new TextDecoder().decode(buffer.subarray(0, n));
  }
  return head;
}

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/backend") return await askBackend(env, ctx);
    if (pathname === "/tunnel" && request.headers.get("upgrade") === "websocket") {
      return await tunnel(env, ctx);
    }
    return new Response("Not found\n", { status: 404 });
  },
};

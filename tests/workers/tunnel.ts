/**
 * Clients of the example's tunnel: Reprise over a WebSocket, and TCP programs by a relay.
 *
 * @module
 */

import { caCert } from "../testdata/mod.ts";
import { startTls, type TlsConn } from "../../mod.ts";
import type { ProtocolVersion } from "../../src/registry.ts";
import { webSocketStreams } from "../../src/transport/web_socket.ts";
import { within } from "../engine/bounded.ts";
import { TcpListener } from "../peers/tcp_listener.ts";
import { relay } from "../runtimes/relay.ts";

const GET = new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n");

/** What the Worker says of a connection. */
export interface Served {
  protocol: string;
  resumed: boolean;
  miss: string | null;
}

/** What came of a visit, at both ends. */
export interface Visit {
  worker: Served;
  client: Served;
  session: Uint8Array | null;
}

/** What the Worker said, in what a client received. */
export function served(answer: string): Served {
  return JSON.parse(answer.match(/^\{.*\}$/m)![0]);
}

/** Reprise tunnels TLS to the Worker, with a session or without. */
export async function visitTunnel(
  tunnel: string,
  version: ProtocolVersion,
  session?: Uint8Array,
): Promise<Visit> {
  const socket = new WebSocket(tunnel);
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  try {
    return await within(visit(socket, version, session), "the visit");
  } finally {
    socket.close();
    await within(closed, "the socket is closed");
  }
}

async function visit(
  socket: WebSocket,
  version: ProtocolVersion,
  session: Uint8Array | undefined,
): Promise<Visit> {
  await using conn: TlsConn = await startTls(webSocketStreams(socket), {
    hostname: "localhost",
    caCerts: [caCert("ec")],
    minVersion: version,
    maxVersion: version,
    session,
  });
  await conn.write(GET);
  const answer = await new Response(conn.readable).text();
  const { protocol, resumed } = await conn.handshake();
  const next = await conn.getSession();
  return {
    worker: served(answer),
    client: { protocol, resumed, miss: conn.sessionMiss },
    session: next?.toBytes() ?? null,
  };
}

/** Listens on TCP; what comes goes through a WebSocket. */
export function startRelay(tunnel: string): TcpListener {
  return new TcpListener((tcp) => relay(tcp, new WebSocket(tunnel)));
}

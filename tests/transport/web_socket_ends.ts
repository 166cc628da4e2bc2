/**
 * Ends of WebSockets: Deno's at both sides, a server that does no more than the upgrade, and a
 * socket that does what a test says.
 *
 * @module
 */

import type { WebSocketLike } from "../../src/transport/web_socket.ts";
import { within } from "../engine/bounded.ts";

/** A connection. */
export interface Ends extends AsyncDisposable {
  client: WebSocket;
  /** Made when the client's request arrives. */
  server: WebSocket;
  /** Waits until both are open. */
  opened(): Promise<unknown>;
}

/** Two ends of one connection; `serverSide` is called in the turn that made the server's end. */
export async function ends(serverSide: (socket: WebSocket) => void = () => {}): Promise<Ends> {
  const arrived = Promise.withResolvers<WebSocket>();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    serverSide(socket);
    arrived.resolve(socket);
    return response;
  });
  const client = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
  const socket = await within(arrived.promise, "the request");
  return {
    client,
    server: socket,
    opened: () => within(Promise.all([opening(client), opening(socket)]), "both ends open"),
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>();
      if (client.readyState === WebSocket.CLOSED) closed.resolve();
      client.addEventListener("close", () => closed.resolve());
      for (const each of [client, socket]) {
        each.onerror = (event) => event.preventDefault();
        each.close();
      }
      await within(closed.promise, "the client's end closes");
      await server.shutdown();
    },
  };
}

function opening(socket: WebSocket): Promise<void> {
  if (socket.readyState === WebSocket.OPEN) return Promise.resolve();
  return new Promise((resolve) => socket.addEventListener("open", () => resolve(), { once: true }));
}

/** Accepts one connection, answers its upgrade, and neither reads nor writes after that. */
export async function upgraded(listener: Deno.Listener): Promise<Deno.Conn> {
  const conn = await listener.accept();
  const buffer = new Uint8Array(4096);
  const request = new TextDecoder().decode(buffer.subarray(0, (await conn.read(buffer))!));
  const key = request.match(/sec-websocket-key: (.+)\r\n/i)![1];
  const accept = new TextEncoder().encode(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", accept)).toBase64();
  const answer = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n" +
    `connection: upgrade\r\nsec-websocket-accept: ${digest}\r\n\r\n`;
  await conn.write(new TextEncoder().encode(answer));
  return conn;
}

/** An open socket that does what a test says. */
export class FakeSocket implements WebSocketLike {
  binaryType = "blob";
  readyState = 1;
  bufferedAmount = 0;
  readonly sent: Uint8Array[] = [];
  closed: number | undefined;
  // deno-lint-ignore no-explicit-any
  readonly #listeners = new Map<string, (event: any) => void>();

  send(data: Uint8Array): void {
    this.sent.push(data);
  }

  close(code?: number): void {
    this.closed ??= code;
    this.readyState = 3;
  }

  // deno-lint-ignore no-explicit-any
  addEventListener(type: string, listener: (event: any) => void): void {
    this.#listeners.set(type, listener);
  }

  emit(type: string, event: object): void {
    this.#listeners.get(type)!(event);
  }
}

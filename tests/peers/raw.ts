/**
 * TCP peers for fault tests: servers that know no TLS, and a proxy that hurts a connection.
 *
 * Rules:
 * - A server here ends its side with a FIN and keeps reading until the client is done, so that an
 *   end is an end. Only `startResettingServer` makes an RST.
 * - `await using` closes the listener and every connection, and waits for all that was under way.
 * - The proxy takes its faults and its target when it accepts: change `fromClient`, `fromServer` and
 *   `targetPort` between connections. Offsets count the bytes of one direction of one connection.
 * - The proxy knows the five bytes of a record's header, and nothing else of TLS.
 *
 * @module
 */

import net from "node:net";
import { TcpListener } from "./tcp_listener.ts";
import { type Faults, Faulty } from "./faults.ts";

export type { Faults, TlsRecord } from "./faults.ts";
export { readRecords } from "./faults.ts";

/** Kept of each direction of a proxied connection. */
const RECORDED = 4 * 1024 * 1024;

export interface RawServer extends AsyncDisposable {
  port: number;
  /** How many connections were accepted. */
  accepted(): number;
}

/** Accepts, reads, and never answers. */
export function startSilentServer(): RawServer {
  return new TcpListener(async (conn) => await discard(conn));
}

/** Sends the bytes as soon as a connection opens, then ends it. */
export function startSendingServer(bytes: Uint8Array): RawServer {
  return new TcpListener(async (conn) => {
    await writeAll(conn, bytes);
    await conn.closeWrite();
    await discard(conn);
  });
}

/** Answers what is no TLS to the first bytes, and leaves the connection open. */
export function startGarbageServer(garbage: Uint8Array = noise(1024)): RawServer {
  return new TcpListener(async (conn) => {
    await conn.read(new Uint8Array(16 * 1024));
    await writeAll(conn, garbage);
    await discard(conn);
  });
}

/** Ends a connection at once, or once the first bytes of the client are there. */
export function startClosingServer(
  { when = "accepted" }: { when?: "accepted" | "first_bytes" } = {},
): RawServer {
  return new TcpListener(async (conn) => {
    if (when === "first_bytes") await conn.read(new Uint8Array(16 * 1024));
    await conn.closeWrite();
    await discard(conn);
  });
}

/** Resets a connection once the first bytes of the client are there. */
export async function startResettingServer(): Promise<RawServer> {
  let accepted = 0;
  // Deno.TcpConn cannot send an RST.
  const server = net.createServer((socket) => {
    accepted++;
    socket.on("error", () => {});
    socket.once("data", () => socket.resetAndDestroy());
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const sockets = new Set<net.Socket>();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    accepted: () => accepted,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export interface TcpProxyOptions {
  targetPort: number;
  fromClient?: Faults;
  fromServer?: Faults;
}

export interface ProxiedConnection {
  /** What each side sent, before any fault; no more than 4 MiB. */
  fromClient(): Uint8Array;
  fromServer(): Uint8Array;
}

export interface TcpProxy extends RawServer {
  fromClient: Faults;
  fromServer: Faults;
  /** Another one is another server at the same address. */
  targetPort: number;
  /** In the order of their opening. They stay here after their end. */
  readonly connections: ProxiedConnection[];
}

export function startTcpProxy(
  { targetPort, fromClient = {}, fromServer = {} }: TcpProxyOptions,
): TcpProxy {
  const connections: ProxiedConnection[] = [];
  const listener = new TcpListener(async (client, own, signal) => {
    const up = new Recording();
    const down = new Recording();
    connections.push({ fromClient: () => up.bytes(), fromServer: () => down.bytes() });
    const faults = { up: new Faulty(proxy.fromClient), down: new Faulty(proxy.fromServer) };
    const server = own(await Deno.connect({ hostname: "127.0.0.1", port: proxy.targetPort }));
    server.setNoDelay(true);
    await Promise.all([
      forward(client, server, up, faults.up, signal),
      forward(server, client, down, faults.down, signal),
    ]);
  });
  const proxy: TcpProxy = {
    port: listener.port,
    accepted: () => listener.accepted(),
    fromClient,
    fromServer,
    targetPort,
    connections,
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
  return proxy;
}

/** Ends when the source ends. What a fault or a gone sink keeps back is read all the same. */
async function forward(
  source: Deno.TcpConn,
  sink: Deno.TcpConn,
  recording: Recording,
  faulty: Faulty,
  signal: AbortSignal,
): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  let open = true;
  while (true) {
    // A reset source has ended, too.
    const length = await source.read(buffer).catch(() => null);
    if (length === null) break;
    recording.append(buffer.subarray(0, length));
    if (!open) continue;
    try {
      for (const bytes of faulty.pass(buffer.slice(0, length))) {
        if (faulty.delay > 0) await pause(faulty.delay, signal);
        await writeAll(sink, bytes);
      }
      if (faulty.state !== "open") open = false;
      if (faulty.state === "closed") await sink.closeWrite();
    } catch {
      open = false;
    }
  }
  if (open) {
    const rest = faulty.flush();
    await writeAll(sink, rest).then(() => sink.closeWrite()).catch(() => {});
  }
}

class Recording {
  #chunks: Uint8Array[] = [];
  #length = 0;

  append(bytes: Uint8Array): void {
    const kept = bytes.slice(0, RECORDED - this.#length);
    this.#length += kept.length;
    if (kept.length > 0) this.#chunks.push(kept);
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#length);
    let offset = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, offset);
      offset += chunk.length;
    }
    return all;
  }
}

async function discard(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  while (await conn.read(buffer) !== null);
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
}

/** The same bytes each time. The first one is the type of no record. */
function noise(length: number): Uint8Array {
  let state = 0x9e3779b9;
  return Uint8Array.from({ length }, (_, index) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return index === 0 ? 0xff : state >>> 24;
  });
}

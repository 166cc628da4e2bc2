/**
 * What the attacker speaks over: TCP, or a pair of web streams.
 *
 * Rules: reading happens only when it is asked for, so that "takes nothing" is true of the process
 * (the system's buffers fill, and the chunk that was under way). Closing is safe at any time, and
 * ends reads and writes under way.
 *
 * @module
 */

import net from "node:net";
import { within } from "../../engine/bounded.ts";

/** A stream of bytes with two ends. */
export interface ByteStream {
  /** The next bytes; `null` at the end. Rejects when the stream was reset. */
  read(): Promise<Uint8Array | null>;
  /** Resolves when the stream has taken all of them. */
  write(bytes: Uint8Array): Promise<void>;
  /** Says that nothing more comes (a FIN of TCP), and can still read. */
  closeWrite(): Promise<void>;
  /** Ends both directions. */
  close(): void;
  /** Ends with a reset (an RST of TCP). */
  reset(): void;
}

/** A TCP connection as a stream. */
export function tcpStream(socket: net.Socket): ByteStream {
  const chunks: Uint8Array[] = [];
  let ended = false;
  let failure: Error | undefined;
  let changed = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const announce = () => {
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };
  socket.setNoDelay(true);
  socket.pause();
  socket.on("data", (chunk) => {
    socket.pause();
    chunks.push(chunk);
    announce();
  });
  socket.on("end", () => {
    ended = true;
    announce();
  });
  socket.on("error", (error) => {
    failure ??= error;
    announce();
  });
  socket.on("close", () => {
    ended = true;
    announce();
    closed.resolve();
  });
  /** A write settles with the socket's end, if not before. */
  const done = (begin: (callback: (error?: Error | null) => void) => void) =>
    Promise.race([
      new Promise<void>((resolve, reject) => begin((error) => error ? reject(error) : resolve())),
      closed.promise.then(() => {
        throw failure ?? new Error("The connection is closed");
      }),
    ]);
  return {
    async read() {
      while (chunks.length === 0) {
        if (failure !== undefined) throw failure;
        if (ended) return null;
        const next = changed.promise;
        socket.resume();
        await next;
      }
      return chunks.shift()!;
    },
    write: (bytes) => done((callback) => socket.write(bytes, callback)),
    closeWrite: () => done((callback) => socket.end(callback)),
    close: () => void socket.destroy(),
    reset: () => void socket.resetAndDestroy(),
  };
}

/** Opens a TCP connection on loopback. */
export async function connectTcp(port: number): Promise<ByteStream> {
  const socket = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  const connected = new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  await within(connected, "a TCP connection");
  return tcpStream(socket);
}

/** A TCP listener that hands its connections out. */
export interface TcpAcceptor extends AsyncDisposable {
  port: number;
  /** The next connection. */
  accept(): Promise<ByteStream>;
}

/** Listens on loopback; disposing ends the connections, too. */
export async function listenTcp(): Promise<TcpAcceptor> {
  const waiting: ByteStream[] = [];
  const sockets = new Set<net.Socket>();
  let changed = Promise.withResolvers<void>();
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    waiting.push(tcpStream(socket));
    changed.resolve();
    changed = Promise.withResolvers<void>();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    async accept() {
      while (waiting.length === 0) await within(changed.promise, "a client of the attacker");
      return waiting.shift()!;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A pair of web streams as a stream, such as one end of {@linkcode pipe}. */
export function webStream(
  { readable, writable }: {
    readable: ReadableStream<Uint8Array>;
    writable: WritableStream<Uint8Array>;
  },
): ByteStream {
  const reader = readable.getReader();
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  reader.closed.catch(() => {});
  const end = (how: () => Promise<void>) => {
    reader.cancel().catch(() => {});
    how().catch(() => {});
  };
  return {
    async read() {
      const { done, value } = await reader.read();
      return done ? null : value;
    },
    write: (bytes) => writer.write(bytes),
    closeWrite: () => writer.close(),
    close: () => end(() => writer.close()),
    reset: () => end(() => writer.abort(new Error("The attacker resets the stream"))),
  };
}

/**
 * Two ends of a stream that holds one chunk in each direction at most: what one end does not take,
 * the other end notices at once.
 */
export function pipe(): [ByteStream, {
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
}] {
  const up = new TransformStream<Uint8Array, Uint8Array>();
  const down = new TransformStream<Uint8Array, Uint8Array>();
  const attacker = webStream({ readable: down.readable, writable: up.writable });
  return [attacker, { readable: up.readable, writable: down.writable }];
}

/**
 * TCP of Node and Bun, by `node:net`.
 *
 * Bytes are copied on both ways: a runtime other than V8 may move wasm memory when it grows, and
 * a socket keeps what it is given to write until the system has taken it. A socket that waits for the
 * peer holds no memory of the engine.
 *
 * @module
 */

import { connect, createServer, type Socket } from "node:net";
import {
  BACKLOG,
  type ListenAddress,
  type Transport,
  type TransportListener,
} from "./transport.ts";

/**
 * Connections that wait for `accept()`; more are closed, and told. `node:net` cannot leave them with
 * the system. Whoever listens accepts at once: these are those of a few turns of the event loop.
 */
const MAX_WAITING = 4096;

/** A socket of `node:net` as a transport. */
export function nodeTransport(socket: Socket): Transport {
  let rest: Uint8Array = new Uint8Array(0);
  let ended = false;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const settle = () => {
    wake?.();
    wake = undefined;
  };
  socket.setNoDelay(true);
  socket.pause();
  socket.on("data", (chunk: Uint8Array) => {
    // One chunk at a time: what is not read stays with the system.
    socket.pause();
    rest = rest.length === 0 ? chunk : concat(rest, chunk);
    settle();
  });
  socket.on("error", (error: Error) => {
    failure = error;
    settle();
  });
  for (const event of ["end", "close"] as const) {
    socket.on(event, () => {
      ended = true;
      settle();
    });
  }
  return {
    async read(room) {
      while (rest.length === 0) {
        if (failure !== undefined) throw failure;
        if (ended) return null;
        const woken = new Promise<void>((resolve) => wake = resolve);
        socket.resume();
        await woken;
      }
      const into = room(rest.length);
      const n = Math.min(rest.length, into.length);
      into.set(rest.subarray(0, n));
      rest = rest.subarray(n);
      return n;
    },
    write(bytes) {
      const { length } = bytes; // 0 once the engine's memory has grown
      return new Promise((resolve, reject) => {
        socket.write(bytes.slice(), (error) => {
          if (error) reject(error);
          else resolve(length);
        });
      });
    },
    closeWrite() {
      return new Promise((resolve) => socket.end(resolve));
    },
    close() {
      ended = true;
      socket.destroy();
      settle();
    },
  };
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Opens a TCP connection. */
export function nodeConnect(
  target: { hostname: string; port: number },
  signal: AbortSignal,
): Promise<Transport> {
  return new Promise((resolve, reject) => {
    // A peer that ends its direction can still be written to.
    const socket = connect({ host: target.hostname, port: target.port, allowHalfOpen: true });
    const onAbort = () => {
      socket.destroy();
      reject(signal.reason);
    };
    const onError = (error: Error) => {
      signal.removeEventListener("abort", onAbort);
      reject(error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", onError);
    socket.once("connect", () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      resolve(nodeTransport(socket));
    });
  });
}

/** Listens on TCP. */
export function nodeListen(
  address: ListenAddress,
  onRefused: () => void,
): Promise<TransportListener> {
  const waiting: Transport[] = [];
  let wake: (() => void) | undefined;
  let closed = false;
  const settle = () => {
    wake?.();
    wake = undefined;
  };
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      if (closed) return socket.destroy();
      if (waiting.length < MAX_WAITING) {
        waiting.push(nodeTransport(socket));
        settle();
      } else {
        socket.destroy();
        onRefused();
      }
    });
    server.once("error", reject);
    const { hostname: host, port } = address;
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off("error", reject);
      server.on("error", () => {});
      const bound = server.address() as { address: string; port: number };
      resolve({
        address: { hostname: bound.address, port: bound.port },
        systemQueues: false,
        async accept() {
          for (;;) {
            const next = waiting.shift();
            if (next !== undefined) return next;
            if (closed) return null;
            await new Promise<void>((resolve) => wake = resolve);
          }
        },
        close() {
          if (closed) return;
          closed = true;
          server.close();
          for (const transport of waiting.splice(0)) transport.close();
          settle();
        },
      });
    });
  });
}

/**
 * TCP of Node and Bun, by `node:net`.
 *
 * Bytes are copied on both ways: a runtime other than V8 may move wasm memory when it grows, and
 * a socket keeps what it is given to write until the system has taken it.
 *
 * @module
 */

import { connect, createServer, type Socket } from "node:net";
import type { ListenAddress, Transport, TransportListener } from "./transport.ts";

/**
 * Connections that wait for `accept()`; more are closed. `node:net` cannot leave them with the
 * system, so the bound is one on memory, not back-pressure.
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
    async read(into) {
      while (rest.length === 0) {
        if (failure !== undefined) throw failure;
        if (ended) return null;
        const woken = new Promise<void>((resolve) => wake = resolve);
        socket.resume();
        await woken;
      }
      const n = Math.min(rest.length, into.length);
      if (n === 0) return 0; // the engine's memory grew: the bytes stay here
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
    const socket = connect({ host: target.hostname, port: target.port });
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
export function nodeListen(address: ListenAddress): Promise<TransportListener> {
  const waiting: Transport[] = [];
  let wake: (() => void) | undefined;
  let closed = false;
  const settle = () => {
    wake?.();
    wake = undefined;
  };
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      if (closed || waiting.length >= MAX_WAITING) {
        socket.destroy();
        return;
      }
      waiting.push(nodeTransport(socket));
      settle();
    });
    server.once("error", reject);
    server.listen(address.port, address.hostname, () => {
      server.off("error", reject);
      server.on("error", () => {});
      const bound = server.address() as { address: string; port: number };
      resolve({
        address: { hostname: bound.address, port: bound.port },
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

/**
 * The TLS clients that are compared, behind one face.
 *
 * Rules:
 * - Each is used as its documentation says, with what it can keep between connections made once:
 *   Reprise's context, `node:tls`'s secure context. `Deno.connectTls` keeps nothing.
 * - Each verifies the server's chain and name against the same root.
 * - Each offers what it offers by default, so the server may agree on other suites with each; the
 *   benchmark prints which.
 *
 * It does not measure anything.
 *
 * @module
 */

import tls from "node:tls";
import { ClientContext, connectTls, type TlsConn } from "../mod.ts";

/** One connection after its handshake. */
export interface Opened {
  write(bytes: Uint8Array): Promise<unknown>;
  /** Hands over what arrives until `onBytes` says that it was enough, or the peer ends. */
  receive(onBytes: (bytes: Uint8Array) => boolean): Promise<void>;
  /** Lets go of it. What the peer still sends is lost. */
  close(): Promise<void> | void;
}

/** A way to open connections. */
export interface Client {
  name: string;
  /** Resolves when the handshake is complete. */
  open(port: number): Promise<Opened>;
}

/** What `read()` is given: as much as fits four records. */
const READ_BUFFER = 64 * 1024;
/** In the server's certificate. An address: a name costs a thread that asks the system for it. */
const HOSTNAME = "127.0.0.1";

interface Readable {
  read(into: Uint8Array): Promise<number | null>;
}

async function receive(conn: Readable, onBytes: (bytes: Uint8Array) => boolean): Promise<void> {
  const buffer = new Uint8Array(READ_BUFFER);
  for (;;) {
    const n = await conn.read(buffer);
    if (n === null || onBytes(buffer.subarray(0, n))) return;
  }
}

/** A connection of Reprise, which the others have no counterpart for. */
export interface RepriseOpened extends Opened {
  conn: TlsConn;
}

/** Reprise can be given a session. */
export interface RepriseClient extends Client {
  open(port: number, session?: Uint8Array): Promise<RepriseOpened>;
}

/** Reprise with one context for all connections. */
export function repriseClient(ca: string): RepriseClient {
  const context = new ClientContext({ caCerts: [ca] });
  return {
    name: "Reprise",
    async open(port, session) {
      const conn = await connectTls({ hostname: HOSTNAME, port, context, session });
      return {
        conn,
        write: (bytes) => conn.write(bytes),
        receive: (onBytes) => receive(conn, onBytes),
        close: () => conn.close(),
      };
    },
  };
}

/** `Deno.connectTls`. It leaves Nagle's algorithm on, and there is no way to turn it off. */
export function denoClient(ca: string): Client {
  return denoNative(
    "Deno.connectTls",
    (port) => Deno.connectTls({ hostname: HOSTNAME, port, caCerts: [ca] }),
  );
}

/** The same, which has to look the server's name up. */
export function denoByNameClient(ca: string): Client {
  return denoNative(
    "Deno.connectTls by name",
    (port) => Deno.connectTls({ hostname: "localhost", port, caCerts: [ca] }),
  );
}

/** The same engine by `Deno.startTls`, with Nagle's algorithm off. */
export function denoStartClient(ca: string): Client {
  return denoNative("Deno.startTls", async (port) => {
    const conn = await Deno.connect({ hostname: HOSTNAME, port });
    conn.setNoDelay(true);
    return await Deno.startTls(conn, { hostname: HOSTNAME, caCerts: [ca] });
  });
}

function denoNative(name: string, connect: (port: number) => Promise<Deno.TlsConn>): Client {
  return {
    name,
    async open(port) {
      const conn = await connect(port);
      await conn.handshake();
      return {
        write: (bytes) => conn.write(bytes as Uint8Array<ArrayBuffer>),
        receive: (onBytes) =>
          receive({ read: (into) => conn.read(into as Uint8Array<ArrayBuffer>) }, onBytes),
        close: () => conn.close(),
      };
    },
  };
}

/** Deno's `node:tls`, read by its events: nothing is faster there. */
export function nodeClient(ca: string): Client {
  const secureContext = tls.createSecureContext({ ca });
  return {
    name: "node:tls",
    async open(port) {
      const socket = tls.connect({ host: HOSTNAME, port, secureContext });
      await new Promise<void>((resolve, reject) => {
        socket.once("secureConnect", resolve);
        socket.once("error", reject);
      });
      // Late resets are no concern of whoever closed.
      socket.on("error", () => {});
      return {
        write: (bytes) =>
          new Promise<void>((resolve, reject) =>
            socket.write(bytes, (error) => error ? reject(error) : resolve())
          ),
        receive: (onBytes) =>
          new Promise((resolve) => {
            socket.once("close", () => resolve());
            socket.once("end", () => resolve());
            socket.on("data", (bytes: Uint8Array) => {
              if (!onBytes(bytes)) return;
              socket.pause();
              resolve();
            });
          }),
        close: () => {
          socket.destroy();
        },
      };
    },
  };
}

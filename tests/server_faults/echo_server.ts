/**
 * An echo server of this library in the test's process, and visits to it.
 *
 * Rules: it waits for no store by itself; it remembers what each connection said of its session.
 * `await using` ends the listener and every connection.
 *
 * @module
 */

import {
  ClientContext,
  connectTls,
  listenTls,
  type ListenTlsOptions,
  SealingKeys,
  ServerContext,
  type ServerContextOptions,
  type SessionStore,
  type StatefulResumption,
  type TlsConn,
} from "../../mod.ts";
import { within } from "../engine/bounded.ts";
import { caCert, serverCert } from "../testdata/mod.ts";

/** The versions, each with how its sessions are looked up. */
export const VERSIONS = [
  { version: "TLSv1.2", lookup: "peek" },
  { version: "TLSv1.3", lookup: "take" },
] as const;

/** A protocol version. */
export type Version = typeof VERSIONS[number]["version"];

/** Keys for every context of a test file. */
export const keys = await SealingKeys.generate();

/** A context with a store; the memory in front is off, so that each lookup reaches the store. */
export function statefulContext(
  store: SessionStore,
  resumption: Partial<StatefulResumption> = {},
  options: Partial<ServerContextOptions> = {},
): ServerContext {
  return new ServerContext({
    ...serverCert("ec_p256"),
    resumption: { mode: "stateful", store, keys, memory: 0, ...resumption },
    ...options,
  });
}

/** A running server. */
export interface EchoServer extends AsyncDisposable {
  port: number;
  context: ServerContext;
  /** Connections in the order of their handshakes. */
  conns: TlsConn[];
  /** What `onError` was given. */
  errors: (Error & { code?: string })[];
}

async function echo(conn: TlsConn): Promise<void> {
  const buffer = new Uint8Array(4096);
  try {
    for (let n; (n = await conn.read(buffer)) !== null;) await conn.write(buffer.subarray(0, n));
  } catch {
    // Clients of these tests go away at any time.
  }
  await conn.close();
}

/** Starts a server. */
export async function startEchoServer(
  context: ServerContext,
  options: Partial<ListenTlsOptions> = {},
): Promise<EchoServer> {
  const errors: Error[] = [];
  const conns: TlsConn[] = [];
  const listener = listenTls({
    hostname: "127.0.0.1",
    port: 0,
    ...options,
    context,
    onError: (error) => errors.push(error),
  });
  const { port } = await listener.listening;
  const echoes: Promise<void>[] = [];
  const serving = (async () => {
    for await (const conn of listener) {
      conns.push(conn);
      echoes.push(echo(conn));
    }
  })();
  return {
    port,
    context,
    conns,
    errors,
    async [Symbol.asyncDispose]() {
      await within(listener.close(), "the listener's end");
      await Promise.all(conns.map((conn) => conn.close()));
      await within(Promise.all([serving, ...echoes]), "the connections' end");
    },
  };
}

const clients = new Map<Version, ClientContext>();

/** The client's context for a version. */
export function clientContext(version: Version): ClientContext {
  let context = clients.get(version);
  if (context === undefined) {
    const versions = { minVersion: version, maxVersion: version };
    clients.set(version, context = new ClientContext({ caCerts: [caCert("ec")], ...versions }));
  }
  return context;
}

/** What became of a visit. */
export interface Visit {
  reused: boolean;
  /** The newest session's bytes. */
  session: Uint8Array | undefined;
}

/** Connects, has a byte echoed, gets a session if there is one, and closes. */
export async function visit(
  port: number,
  version: Version,
  session?: Uint8Array,
  options: { timeout?: number } = {},
): Promise<Visit> {
  const conn = await connectTls({
    hostname: "localhost",
    port,
    context: clientContext(version),
    handshakeTimeout: 20_000,
    ...(session && { session }),
  });
  try {
    await conn.write(new Uint8Array([7]));
    const n = await within(conn.read(new Uint8Array(10)), "the echo");
    if (n !== 1) throw new Error(`Expected one byte, got ${n}`);
    const next = await conn.getSession(options);
    return { reused: conn.sessionReused, session: next?.toBytes() };
  } finally {
    await within(conn.close(), "the client's close");
  }
}

/** A visit that must bring a session, which is in the store when this resolves. */
export async function firstVisit(server: EchoServer, version: Version): Promise<Uint8Array> {
  const { session } = await visit(server.port, version);
  if (session === undefined) throw new Error("The server gave no session");
  await within(server.context.settled(), "the session is put");
  return session;
}

/** What the newest connection of a server says of its session. */
export function newest(server: EchoServer): [boolean, string | null] {
  const conn = server.conns[server.conns.length - 1];
  return [conn.sessionReused, conn.sessionMiss];
}

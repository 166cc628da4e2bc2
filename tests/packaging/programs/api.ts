/**
 * The public API as programs use it, rightly and wrongly: for compilers alone, it is never run.
 * Nothing of any runtime is in it but what all of them have.
 */

import {
  acceptTls,
  type AcceptTlsOptions,
  type ByteStreams,
  callbackStore,
  type CipherSuite,
  ClientContext,
  type ClientContextOptions,
  connectTls,
  type ConnectTlsOptions,
  type DiagnosticEvent,
  type HandshakeInfo,
  inspectSession,
  type KeyExchangeGroup,
  type KeyRingStore,
  type ListenAddress,
  listenTls,
  type ListenTlsOptions,
  memoryStore,
  type PoolResumption,
  type ProtocolVersion,
  type PutOptions,
  SealingKeys,
  type ServerCertificate,
  ServerContext,
  type ServerContextOptions,
  Session,
  type SessionInspection,
  type SessionMiss,
  type SessionStore,
  startTls,
  type StartTlsOptions,
  type StatefulResumption,
  type Stats,
  TicketKeys,
  type TicketResumption,
  TlsConn,
  TlsError,
  type TlsErrorCode,
  TlsListener,
  type VerifyClientInput,
  type VerifyInput,
} from "@reprise/tls";
import { ClientEngine, EngineConnection, provideEngine } from "@reprise/tls/engine";
import { storeContract } from "@reprise/tls/stores/contract";
import { type DenoKv, denoKvStore } from "@reprise/tls/stores/deno_kv";
import { durableObjectStore, SessionStoreObject } from "@reprise/tls/stores/durable_object";
import { fileStore } from "@reprise/tls/stores/file";
import { memoryStore as sameStore } from "@reprise/tls/stores/memory";
import { type NodeRedisClient, redisStore } from "@reprise/tls/stores/redis";
import { type SqliteDatabase, sqliteStore } from "@reprise/tls/stores/sqlite";
import { type WorkersKv, workersKvStore } from "@reprise/tls/stores/workers_kv";

declare const pem: string;
declare const bytes: Uint8Array;
declare const streams: ByteStreams;

export async function client(kept: Uint8Array | null, signal: AbortSignal): Promise<Session> {
  const options: ConnectTlsOptions = { hostname: "example.com", port: 443, signal };
  await using conn = await connectTls({ ...options, session: kept ?? undefined });
  const info: HandshakeInfo = await conn.handshake();
  const protocol: ProtocolVersion = info.protocol;
  const suite: CipherSuite = info.cipherSuite;
  const miss: SessionMiss | null = conn.sessionMiss;
  const n: number | null = await conn.read(new Uint8Array(16));
  const written: number = await conn.write(bytes);
  const readable: ReadableStream<Uint8Array> = conn.readable;
  const writable: WritableStream<Uint8Array> = conn.writable;
  for await (const each of conn.sessions()) return each;
  const session: Session | null = await conn.getSession({ timeout: 100, signal });
  if (session === null) {
    throw new TlsError("ERR_TLS_CLOSED", `${protocol} ${suite} ${miss}`, { origin: "local" });
  }
  using held = Session.fromBytes(session.toBytes());
  const sealed: Uint8Array = await held.seal(await SealingKeys.generate());
  const inspection: SessionInspection = await inspectSession(sealed);
  const at: Date = held.expiresAt;
  void [n, written, readable, writable, inspection, at];
  return session;
}

export async function servers(store: SessionStore, ring: KeyRingStore): Promise<TlsListener> {
  const keys: SealingKeys = await SealingKeys.fromSecret(bytes);
  const ticketKeys: TicketKeys = await TicketKeys.shared(ring, { keys });
  const stateful: StatefulResumption = { mode: "stateful", store, keys };
  const tickets: TicketResumption = { mode: "tickets", ticketKeys };
  const certificate: ServerCertificate = { cert: pem, key: pem };
  const options: ServerContextOptions = {
    ...certificate,
    resumption: stateful,
    clientAuth: "optional",
    caCerts: [pem],
    sni: { "a.example": certificate },
    verify: (input: VerifyClientInput) => input.peerCertificates.length > 0,
  };
  const context = new ServerContext(options);
  const other = new ServerContext({ ...certificate, resumption: tickets });
  const accepting: AcceptTlsOptions = { context: other };
  const conn: TlsConn = await acceptTls(streams, accepting);
  const data: Uint8Array | null = conn.sessionData;
  const listening: ListenTlsOptions = { port: 0, context, onError: (error: Error) => void error };
  const listener: TlsListener = listenTls(listening);
  const address: ListenAddress = await listener.listening;
  for await (const each of listener) await each.close();
  const stats: Stats = context.stats();
  void [data, address, stats];
  return listener;
}

export async function contexts(): Promise<ClientContext> {
  const keys = await SealingKeys.generate();
  const pool: PoolResumption = { store: memoryStore({ maxPartitions: 10 }), keys };
  const options: ClientContextOptions = {
    caCerts: [pem] as const,
    resumption: pool,
    verify: async (input: VerifyInput) => input.serverName === await Promise.resolve("a"),
    onDiagnostic: (event: DiagnosticEvent) => void event.type,
  };
  const context = new ClientContext(options);
  const start: StartTlsOptions = { hostname: "example.com", context };
  const outer: TlsConn = await startTls(streams, start);
  // TLS in TLS.
  await using inner = await startTls(outer, { hostname: "inner.example" });
  await context.settled();
  void inner;
  return context;
}

/** An entry of a store of one's own. */
export class OwnStore implements SessionStore {
  readonly capabilities = { atomicTake: true, consistency: "strong" } as const;
  put(_partition: string, _value: Uint8Array, options: PutOptions): Promise<void> {
    return Promise.resolve(void options.expiresAt);
  }
  take(_partition: string): Promise<Uint8Array | null> {
    return Promise.resolve(null);
  }
  peek(_partition: string): Promise<Uint8Array | null> {
    return Promise.resolve(null);
  }
  delete(_partition: string): Promise<void> {
    return Promise.resolve();
  }
}

export function stores(
  kv: DenoKv,
  workersKv: WorkersKv,
  redis: NodeRedisClient,
  sqlite: SqliteDatabase,
): SessionStore[] {
  const namespace = null as unknown as Parameters<typeof durableObjectStore>[0];
  const cases: { name: string; fn: () => Promise<void> }[] = storeContract(() =>
    Promise.resolve({ store: new OwnStore(), close() {} })
  );
  void [cases, SessionStoreObject];
  return [
    callbackStore(new Map()),
    sameStore(),
    fileStore("sessions"),
    denoKvStore(kv, { prefix: ["a"] }),
    workersKvStore(workersKv),
    redisStore(redis, { prefix: "a" }),
    sqliteStore(sqlite, { table: "a" }),
    durableObjectStore(namespace),
  ];
}

export async function engine(context: ClientContext): Promise<EngineConnection> {
  provideEngine(() => null as never);
  const target = { context, serverName: "a", port: 1, networkPartition: "" };
  const { connection } = await ClientEngine.begin(target);
  const space: Uint8Array = connection.inputSpace();
  connection.receiveTls(space.length);
  return connection;
}

export function codes(error: TlsError): boolean {
  const code: TlsErrorCode = error.code;
  const group: KeyExchangeGroup = "x25519";
  return code === "ERR_TLS_TRUNCATED" || group === "x25519";
}

export function wrong(conn: TlsConn, context: ClientContext, keys: SealingKeys): void {
  // @ts-expect-error the host is needed
  void connectTls({ port: 443 });
  // @ts-expect-error the port is needed
  void connectTls({ hostname: "example.com" });
  // @ts-expect-error an option that does not exist
  void connectTls({ hostname: "example.com", port: 443, rejectUnauthorized: false });
  // @ts-expect-error a session is bytes or a Session
  void connectTls({ hostname: "example.com", port: 443, session: "base64" });
  // @ts-expect-error streams of bytes
  void startTls(new TransformStream<string, string>(), { hostname: "example.com" });
  // @ts-expect-error a version that is not spoken
  void new ClientContext({ minVersion: "TLSv1.1" });
  // @ts-expect-error a store needs keys
  void new ClientContext({ resumption: { store: memoryStore() } });
  // @ts-expect-error tickets need no store
  void new ServerContext({ resumption: { mode: "tickets", store: memoryStore(), keys } });
  // @ts-expect-error a context does not change
  context.fingerprint = "";
  // @ts-expect-error bytes
  void conn.write("text");
  // @ts-expect-error keys are made by their functions
  void new SealingKeys();
  // @ts-expect-error a code that does not exist
  void new TlsError("ERR_UNKNOWN", "message", { origin: "local" });
  // @ts-expect-error a store is needed
  void denoKvStore();
  // @ts-expect-error a store without `take`
  const store: SessionStore = { capabilities: { atomicTake: true, consistency: "strong" } };
  void store;
}

/**
 * Everything an entry point exports.
 *
 * @module
 */

export { acceptTls, type AcceptTlsOptions } from "./accept.ts";
export { ClientContext } from "./context.ts";
export type { ClientContextOptions, PoolResumption, VerifyInput } from "./context_options.ts";
export type { DiagnosticEvent, OnDiagnostic } from "./diagnostics.ts";
export { inspectSession, type SessionInspection } from "./inspect_session.ts";
export { connectTls, type ConnectTlsOptions, startTls, type StartTlsOptions } from "./connect.ts";
export { TlsError, type TlsErrorCode, type TlsErrorInit, type TlsErrorOrigin } from "./errors.ts";
export type { HandshakeInfo, SessionMiss } from "./handshake_info.ts";
export type { Opaque, Uncloneable } from "./opaque.ts";
export type { CipherSuite, KeyExchangeGroup, ProtocolVersion } from "./registry.ts";
export { Session } from "./session.ts";
export { TlsConn } from "./tls_conn.ts";
export type { ByteStreams } from "./transport/streams.ts";
export type { KeyRingStore } from "./key_ring_store.ts";
export { listenTls, type ListenTlsOptions, TlsListener } from "./listen.ts";
export { SealingKeys } from "./sealing_keys.ts";
export { ServerContext } from "./server_context.ts";
export type { ServerCertificate, ServerCertificates } from "./server_certificates.ts";
export type {
  ServerContextOptions,
  SessionDataInput,
  StatefulResumption,
  TicketResumption,
  VerifyClientInput,
} from "./server_options.ts";
export type { PutOptions, SessionStore, SessionStoreCapabilities } from "./session_store.ts";
export type { Stats } from "./stats.ts";
export { callbackStore, type MapLike, type SessionCallbacks } from "./stores/callback.ts";
export { memoryStore, type MemoryStoreOptions } from "./stores/memory.ts";
export type { OnTicketKeyEvent, RingRefusal, TicketKeyEvent } from "./ticket_key_events.ts";
export { type SharedTicketKeyOptions, TicketKeys } from "./ticket_keys.ts";
export type { TicketKeyOptions } from "./ticket_schedule.ts";
export type { ListenAddress } from "./transport/transport.ts";

/**
 * Everything an entry point exports.
 *
 * @module
 */

export { ClientContext, type ClientContextOptions, type VerifyInput } from "./context.ts";
export { connectTls, type ConnectTlsOptions, startTls, type StartTlsOptions } from "./connect.ts";
export { TlsError, type TlsErrorCode, type TlsErrorInit, type TlsErrorOrigin } from "./errors.ts";
export type { HandshakeInfo, SessionMiss } from "./handshake_info.ts";
export type { CipherSuite, KeyExchangeGroup, ProtocolVersion } from "./registry.ts";
export { Session } from "./session.ts";
export { TlsConn } from "./tls_conn.ts";
export type { ByteStreams } from "./transport/streams.ts";

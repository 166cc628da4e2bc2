/**
 * Guards: the types of the public API, as checks and other people's code are written against them.
 * It is checked by `deno check`, and by `deno test` before anything runs; nothing here connects.
 *
 * @module
 */

import { assert, assertThrows } from "@std/assert";
import type {
  ClientEngine,
  EngineConnection,
  SessionTarget,
} from "../../src/entrypoints/engine.ts";
import * as engineEntry from "../../src/entrypoints/engine.ts";
import * as api from "../../mod.ts";
import {
  type ByteStreams,
  type CipherSuite,
  ClientContext,
  type ClientContextOptions,
  connectTls,
  type ConnectTlsOptions,
  type HandshakeInfo,
  type KeyExchangeGroup,
  type ProtocolVersion,
  Session,
  type SessionMiss,
  startTls,
  type StartTlsOptions,
  type TlsConn,
  TlsError,
  type TlsErrorCode,
  type TlsErrorOrigin,
  type VerifyInput,
} from "../../mod.ts";

/** True where two types are the same, `any` and modifiers included. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;
type Extends<A, B> = A extends B ? true : false;

/** Does not compile unless it is `true`. */
function holds<_ extends true>(): void {}

/** Does not compile unless it is `false`. */
function fails<_ extends false>(): void {}

/** Never called: its body is there for the compiler. */
function compiles(_body: () => unknown): void {}

Deno.test("connectTls takes what design and documentation say", () => {
  holds<Same<Parameters<typeof connectTls>, [options: ConnectTlsOptions]>>();
  holds<Same<ReturnType<typeof connectTls>, Promise<TlsConn>>>();
  holds<Same<ConnectTlsOptions["hostname"], string>>();
  holds<Same<ConnectTlsOptions["port"], number>>();
  holds<Same<ConnectTlsOptions["session"], Session | Uint8Array | undefined>>();
  holds<Same<ConnectTlsOptions["context"], ClientContext | undefined>>();
  holds<Same<ConnectTlsOptions["serverName"], string | undefined>>();
  holds<Same<ConnectTlsOptions["handshakeTimeout"], number | undefined>>();
  holds<Same<ConnectTlsOptions["signal"], AbortSignal | undefined>>();
  holds<Extends<ConnectTlsOptions, ClientContextOptions>>();
  // @ts-expect-error the host is needed
  compiles(() => connectTls({ port: 443 }));
  // @ts-expect-error the port is needed
  compiles(() => connectTls({ hostname: "example.com" }));
  // @ts-expect-error an option that does not exist
  compiles(() => connectTls({ hostname: "example.com", port: 443, hostName: "other" }));
  // @ts-expect-error a session is no text
  compiles(() => connectTls({ hostname: "example.com", port: 443, session: "base64" }));
});

Deno.test("startTls takes any pair of byte streams, and needs no port", () => {
  holds<Same<Parameters<typeof startTls>, [streams: ByteStreams, options: StartTlsOptions]>>();
  holds<Same<ReturnType<typeof startTls>, Promise<TlsConn>>>();
  holds<Same<StartTlsOptions["port"], number | undefined>>();
  holds<Extends<ConnectTlsOptions, StartTlsOptions>>();
  // What people have: Deno's sockets, transforms, a connection of this library (TLS in TLS).
  holds<Extends<Deno.TcpConn, ByteStreams>>();
  holds<Extends<TransformStream<Uint8Array, Uint8Array>, ByteStreams>>();
  holds<Extends<TlsConn, ByteStreams>>();
  fails<Extends<TransformStream<string, string>, ByteStreams>>();
  compiles(() => startTls({} as Deno.TcpConn, { hostname: "example.com" }));
  // @ts-expect-error the host is needed
  compiles(() => startTls({} as Deno.TcpConn, {}));
});

Deno.test("a context's options are closed sets where they can be", () => {
  holds<Same<ClientContextOptions["minVersion"], ProtocolVersion | undefined>>();
  holds<Same<ClientContextOptions["maxVersion"], ProtocolVersion | undefined>>();
  holds<Same<ProtocolVersion, "TLSv1.2" | "TLSv1.3">>();
  holds<Extends<readonly CipherSuite[], ClientContextOptions["cipherSuites"]>>();
  holds<Extends<"TLS_AES_128_GCM_SHA256", CipherSuite>>();
  holds<Extends<readonly string[], ClientContextOptions["caCerts"]>>();
  holds<Extends<() => Promise<boolean>, ClientContextOptions["verify"]>>();
  holds<Extends<(input: VerifyInput) => boolean, ClientContextOptions["verify"]>>();
  holds<Extends<(line: string) => void, ClientContextOptions["keyLog"]>>();
  holds<Same<VerifyInput["peerCertificates"], Uint8Array[]>>();
  holds<Same<VerifyInput["serverName"], string>>();
  holds<Same<VerifyInput["resumed"], boolean>>();
  holds<Same<ClientContext["fingerprint"], string>>();
  // @ts-expect-error a version that is not spoken
  compiles(() => new ClientContext({ minVersion: "TLSv1.1" }));
  // @ts-expect-error a suite that is not spoken
  compiles(() => new ClientContext({ cipherSuites: ["TLS_RSA_WITH_RC4_128_MD5"] }));
  // @ts-expect-error certificates are a list
  compiles(() => new ClientContext({ caCerts: "pem" }));
  // @ts-expect-error a callback that answers neither yes nor no
  compiles(() => new ClientContext({ verify: () => "yes" }));
  // @ts-expect-error a context does not change
  compiles(() => new ClientContext().fingerprint = "");
});

Deno.test("a connection reads, writes and waits as documented", () => {
  holds<Same<TlsConn["read"], (into: Uint8Array) => Promise<number | null>>>();
  holds<Same<TlsConn["write"], (bytes: Uint8Array) => Promise<number>>>();
  holds<Same<ReturnType<TlsConn["close"]>, Promise<void>>>();
  holds<Same<ReturnType<TlsConn["closeWrite"]>, Promise<void>>>();
  holds<Same<ReturnType<TlsConn["handshake"]>, Promise<HandshakeInfo>>>();
  holds<Same<ReturnType<TlsConn["getSession"]>, Promise<Session | null>>>();
  holds<Same<ReturnType<TlsConn["sessions"]>, AsyncGenerator<Session, void, void>>>();
  holds<Same<TlsConn["session"], Session | null>>();
  holds<Same<TlsConn["sessionReused"], boolean>>();
  holds<Same<TlsConn["sessionMiss"], SessionMiss | null>>();
  holds<Same<TlsConn["readable"], ReadableStream<Uint8Array<ArrayBuffer>>>>();
  holds<Same<TlsConn["writable"], WritableStream<Uint8Array>>>();
  holds<Extends<TlsConn, AsyncDisposable>>();
  compiles(async () => {
    await using conn = await connectTls({ hostname: "example.com", port: 443 });
    for await (const session of conn.sessions()) return session.toBytes();
    return await conn.getSession({ timeout: 100, signal: AbortSignal.timeout(50) });
  });
  // @ts-expect-error text is not sent as it is
  compiles(() => ({} as TlsConn).write("text"));
  // @ts-expect-error what was negotiated does not change
  compiles(() => ({} as TlsConn).sessionReused = true);
});

Deno.test("what a handshake negotiated is told in closed sets", () => {
  holds<Same<HandshakeInfo["protocol"], ProtocolVersion>>();
  holds<Same<HandshakeInfo["cipherSuite"], CipherSuite>>();
  holds<Same<HandshakeInfo["keyExchangeGroup"], KeyExchangeGroup | null>>();
  holds<Same<HandshakeInfo["alpnProtocol"], string | null>>();
  holds<Same<HandshakeInfo["serverName"], string | null>>();
  holds<Same<HandshakeInfo["resumed"], boolean>>();
  holds<Same<HandshakeInfo["earlyData"], "none" | "accepted" | "rejected">>();
  holds<Same<HandshakeInfo["peerCertificates"], Uint8Array[]>>();
  holds<
    Same<
      SessionMiss,
      | "none_stored"
      | "expired"
      | "not_yet_valid"
      | "other_context"
      | "other_server"
      | "wrong_key"
      | "tampered"
      | "version"
      | "used_already"
      | "chain_invalid"
      | "verify_refused"
      | "suite_unavailable"
      | "store_error"
      | "store_timeout"
      | "declined_by_peer"
    >
  >();
});

Deno.test("a session is opaque, and its bytes are the caller's", () => {
  holds<Same<ReturnType<Session["toBytes"]>, Uint8Array<ArrayBuffer>>>();
  holds<Same<Parameters<typeof Session.fromBytes>, [bytes: Uint8Array]>>();
  holds<Same<ReturnType<typeof Session.fromBytes>, Session>>();
  holds<Same<Session["id"], string>>();
  holds<Same<Session["protocol"], ProtocolVersion>>();
  holds<Same<Session["cipherSuite"], CipherSuite | undefined>>();
  holds<Same<Session["serverName"], string>>();
  holds<Same<Session["alpnProtocol"], string | null>>();
  holds<Same<Session["createdAt"], Date>>();
  holds<Same<Session["expiresAt"], Date>>();
  holds<Same<Session["ticketLifetimeHint"], number>>();
  holds<Same<Session["hasTicket"], boolean>>();
  holds<Same<Session["maxEarlyData"], number>>();
  holds<Same<Session["contextFingerprint"], string>>();
  holds<Extends<Session, Disposable>>();
  // @ts-expect-error it is made by a connection, or of bytes
  assertThrows(() => new Session());
  // @ts-expect-error it does not change
  compiles(() => ({} as Session).serverName = "other.example");
});

Deno.test("errors have a code to switch over", () => {
  holds<Same<TlsError["code"], TlsErrorCode>>();
  holds<Same<TlsError["origin"], TlsErrorOrigin>>();
  holds<Same<TlsErrorOrigin, "local" | "peer" | "transport" | "store">>();
  holds<Same<TlsError["alert"], string | undefined>>();
  holds<Extends<TlsError, Error>>();
  compiles((error = new TlsError("ERR_TLS_CLOSED", "closed", { origin: "local" })) => {
    switch (error.code) {
      case "ERR_TLS_TRUNCATED":
        return error.alert;
      // @ts-expect-error a code that does not exist
      case "ERR_TLS_TRUNCATION":
        return undefined;
    }
  });
  assert(new TlsError("ERR_TLS_CLOSED", "closed", { origin: "local" }) instanceof Error);
});

Deno.test("the engine's entry has the layer without I/O besides", () => {
  holds<Same<Parameters<typeof ClientEngine.begin>[0], SessionTarget>>();
  holds<Same<ClientEngine["connection"], EngineConnection>>();
  holds<Same<ReturnType<EngineConnection["pollTransmit"]>, Uint8Array | undefined>>();
  holds<Same<ReturnType<EngineConnection["inputSpace"]>, Uint8Array>>();
  holds<Same<ReturnType<EngineConnection["readPlaintext"]>, number>>();
  holds<Same<EngineConnection["error"], TlsError | undefined>>();
  // @ts-expect-error connections are made by `ClientEngine.begin()`
  compiles(() => new engineEntry.EngineConnection());
});

Deno.test("the entries export these names", () => {
  type Names = "ClientContext" | "Session" | "TlsConn" | "TlsError" | "connectTls" | "startTls";
  // Names are added here when they are added there; the ones above stay.
  holds<Extends<Names, keyof typeof api>>();
  type EngineNames = "ClientEngine" | "EngineConnection" | "provideEngine";
  holds<Extends<EngineNames | Names, keyof typeof engineEntry>>();
});

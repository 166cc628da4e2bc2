/**
 * The handshake messages beside the hellos (RFC 8446 §4.3 to §4.6, RFC 5246 §7.4, RFC 5077 §3.3).
 *
 * @module
 */

import { type GroupName, HandshakeType, NamedGroup, type SchemeName } from "./codes.ts";
import { SignatureScheme } from "./codes.ts";
import { certificateVerifyInput, type Credential } from "./credential.ts";
import { decodeExtensions, encodeExtensions, type Extension, handshakeMessage } from "./hello.ts";
import type { CipherSuite } from "./suites.ts";
import type { Transcript } from "./transcript.ts";
import { concat, Reader, u16, u32, u8, vector16, vector24, vector8 } from "./wire.ts";

const NONE = new Uint8Array(0);

/** TLS 1.3. */
export function encryptedExtensions(extensions: readonly Extension[]): Uint8Array<ArrayBuffer> {
  return handshakeMessage(HandshakeType.encrypted_extensions, encodeExtensions(extensions));
}

/** TLS 1.3: the certificates, each without extensions. */
export function certificate13(chain: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const entries = chain.map((certificate) => concat(vector24(certificate), vector16()));
  return handshakeMessage(HandshakeType.certificate, vector8(), vector24(...entries));
}

/** TLS 1.2. */
export function certificate12(chain: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const entries = chain.map((certificate) => vector24(certificate));
  return handshakeMessage(HandshakeType.certificate, vector24(...entries));
}

function signed(scheme: SchemeName, signature: Uint8Array): Uint8Array {
  return concat(u16(SignatureScheme[scheme]), vector16(signature));
}

/** TLS 1.3: proves the key over the transcript up to the Certificate. */
export function certificateVerify13(
  side: "client" | "server",
  credential: Credential,
  scheme: SchemeName,
  transcriptHash: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const signature = credential.sign(scheme, certificateVerifyInput(side, transcriptHash));
  return handshakeMessage(HandshakeType.certificate_verify, signed(scheme, signature));
}

/** TLS 1.2: a client proves its key over all messages so far. */
export function certificateVerify12(
  credential: Credential,
  scheme: SchemeName,
  transcript: Transcript,
): Uint8Array<ArrayBuffer> {
  const signature = credential.sign(scheme, transcript.bytes());
  return handshakeMessage(HandshakeType.certificate_verify, signed(scheme, signature));
}

/** TLS 1.3: asks for a client's certificate. */
export function certificateRequest13(): Uint8Array<ArrayBuffer> {
  const schemes = vector16(...Object.values(SignatureScheme).map(u16));
  const extensions = [{ type: 13, data: schemes }];
  return handshakeMessage(
    HandshakeType.certificate_request,
    vector8(),
    encodeExtensions(extensions),
  );
}

/** TLS 1.2: asks for a client's certificate; ECDSA or RSA, of any authority. */
export function certificateRequest12(): Uint8Array<ArrayBuffer> {
  const schemes = vector16(...Object.values(SignatureScheme).map(u16));
  const types = vector8(u8(64), u8(1));
  return handshakeMessage(HandshakeType.certificate_request, types, schemes, vector16());
}

/** Either version: its content is computed by the key schedule. */
export function finished(verifyData: Uint8Array): Uint8Array<ArrayBuffer> {
  return handshakeMessage(HandshakeType.finished, verifyData);
}

/** TLS 1.3 (RFC 8446 §4.6.3); anything but 0 and 1 is illegal. */
export function keyUpdate(requested: boolean | number): Uint8Array<ArrayBuffer> {
  return handshakeMessage(HandshakeType.key_update, u8(Number(requested)));
}

/** TLS 1.3: the end of early data (RFC 8446 §4.5). */
export function endOfEarlyData(): Uint8Array<ArrayBuffer> {
  return handshakeMessage(HandshakeType.end_of_early_data);
}

/** A NewSessionTicket of TLS 1.3. */
export interface Ticket13 {
  /** Seconds. */
  lifetime: number;
  ageAdd: number;
  nonce: Uint8Array;
  ticket: Uint8Array;
  extensions: Extension[];
}

/** TLS 1.3. */
export function newSessionTicket13(ticket: Ticket13): Uint8Array<ArrayBuffer> {
  return handshakeMessage(
    HandshakeType.new_session_ticket,
    u32(ticket.lifetime),
    u32(ticket.ageAdd),
    vector8(ticket.nonce),
    vector16(ticket.ticket),
    encodeExtensions(ticket.extensions),
  );
}

/** TLS 1.3. */
export function readTicket13(body: Uint8Array): Ticket13 {
  const reader = new Reader(body);
  return {
    lifetime: reader.u32(),
    ageAdd: reader.u32(),
    nonce: reader.vector8(),
    ticket: reader.vector16(),
    extensions: decodeExtensions(reader),
  };
}

/** TLS 1.2 (RFC 5077 §3.3). */
export function newSessionTicket12(lifetime: number, ticket: Uint8Array): Uint8Array<ArrayBuffer> {
  return handshakeMessage(HandshakeType.new_session_ticket, u32(lifetime), vector16(ticket));
}

/** TLS 1.2. */
export function readTicket12(body: Uint8Array): { lifetime: number; ticket: Uint8Array } {
  const reader = new Reader(body);
  return { lifetime: reader.u32(), ticket: reader.vector16() };
}

/** TLS 1.2: the server's part of the key exchange, signed (RFC 8422 §5.4). */
export function serverKeyExchange(
  credential: Credential,
  scheme: SchemeName,
  randoms: { client: Uint8Array; server: Uint8Array },
  share: { group: GroupName; publicKey: Uint8Array },
): Uint8Array<ArrayBuffer> {
  const NAMED_CURVE = 3;
  const params = concat(u8(NAMED_CURVE), u16(NamedGroup[share.group]), vector8(share.publicKey));
  const signature = credential.sign(scheme, concat(randoms.client, randoms.server, params));
  return handshakeMessage(HandshakeType.server_key_exchange, params, signed(scheme, signature));
}

/** TLS 1.2: the group and the key of the server; the signature is not looked at. */
export function readServerKeyExchange(body: Uint8Array): { group: number; key: Uint8Array } {
  const reader = new Reader(body);
  reader.u8();
  return { group: reader.u16(), key: reader.vector8() };
}

/** TLS 1.2: the client's part of the key exchange (RFC 8422 §5.7). */
export function clientKeyExchange(publicKey: Uint8Array): Uint8Array<ArrayBuffer> {
  return handshakeMessage(HandshakeType.client_key_exchange, vector8(publicKey));
}

/** TLS 1.2. */
export const readClientKeyExchange = (body: Uint8Array): Uint8Array => new Reader(body).vector8();

/** TLS 1.2. */
export function serverHelloDone(): Uint8Array<ArrayBuffer> {
  return handshakeMessage(HandshakeType.server_hello_done, NONE);
}

/** TLS 1.2: asks for a renegotiation (RFC 5246 §7.4.1.1). */
export function helloRequest(): Uint8Array<ArrayBuffer> {
  return handshakeMessage(HandshakeType.hello_request, NONE);
}

/** What a session is: of TLS 1.3 a PSK with its ticket, of TLS 1.2 a master secret with an id. */
export interface Session {
  suite: CipherSuite;
  /** The PSK, or the master secret. */
  secret: Uint8Array;
  /** The ticket; empty where a TLS 1.2 session goes by its id. */
  ticket: Uint8Array;
  sessionId: Uint8Array;
  /** Whether the master secret is an extended one. */
  extendedMasterSecret: boolean;
  /** Seconds, as the server announced them. */
  lifetime: number;
  ageAdd: number;
  /** When the ticket came, in milliseconds since 1970. */
  receivedAt: number;
  maxEarlyData: number;
}

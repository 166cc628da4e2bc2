/**
 * ClientHello and ServerHello as structures that a script can change before they are encoded
 * (RFC 8446 §4.1.2 and §4.1.3, RFC 5246 §7.4.1). A HelloRetryRequest is a ServerHello.
 *
 * Rule: extensions are a list, not a map, so that they can be doubled, reordered or left out.
 *
 * @module
 */

import { HandshakeType } from "./codes.ts";
import { concat, Reader, u16, u8, vector16, vector24, vector8 } from "./wire.ts";

/** An extension; its content is encoded. */
export interface Extension {
  type: number;
  data: Uint8Array;
}

/** A ClientHello. */
export interface ClientHello {
  version: number;
  random: Uint8Array;
  sessionId: Uint8Array;
  suites: number[];
  compressions: number[];
  extensions: Extension[];
}

/** A ServerHello or a HelloRetryRequest. */
export interface ServerHello {
  version: number;
  random: Uint8Array;
  sessionId: Uint8Array;
  suite: number;
  compression: number;
  extensions: Extension[];
}

/** The random of a HelloRetryRequest (RFC 8446 §4.1.3). */
export const RETRY_RANDOM = Uint8Array.fromHex(
  "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c",
);

/** The end of the random of a TLS 1.3 server that negotiates TLS 1.2 (RFC 8446 §4.1.3). */
export const DOWNGRADE_SENTINEL = Uint8Array.fromHex("444f574e47524401");

/** A handshake message: its header, and the body. */
export function handshakeMessage(type: number, ...body: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concat(u8(type), vector24(...body));
}

/** The content of a list of extensions, with its length in front. */
export function encodeExtensions(extensions: readonly Extension[]): Uint8Array {
  return vector16(...extensions.map(({ type, data }) => concat(u16(type), vector16(data))));
}

/** Takes a list of extensions; where the message ends before it, there are none. */
export function decodeExtensions(reader: Reader): Extension[] {
  if (reader.left === 0) return [];
  return new Reader(reader.vector16()).list((item) => ({
    type: item.u16(),
    data: item.vector16(),
  }));
}

/** The content of the first extension of a type. */
export function findExtension(
  { extensions }: { extensions: readonly Extension[] },
  type: number,
): Uint8Array | undefined {
  return extensions.find((extension) => extension.type === type)?.data;
}

/** Replaces the extensions of a type by this one, in the place of the first; or appends it. */
export function setExtension(
  hello: { extensions: Extension[] },
  type: number,
  data: Uint8Array,
): void {
  const at = hello.extensions.findIndex((extension) => extension.type === type);
  const kept = hello.extensions.filter((extension) => extension.type !== type);
  kept.splice(at < 0 ? kept.length : at, 0, { type, data });
  hello.extensions = kept;
}

/** Takes the extensions of a type away. */
export function dropExtension(hello: { extensions: Extension[] }, type: number): void {
  hello.extensions = hello.extensions.filter((extension) => extension.type !== type);
}

/** The message. */
export function encodeClientHello(hello: ClientHello): Uint8Array<ArrayBuffer> {
  return handshakeMessage(
    HandshakeType.client_hello,
    u16(hello.version),
    hello.random,
    vector8(hello.sessionId),
    vector16(...hello.suites.map(u16)),
    vector8(...hello.compressions.map(u8)),
    encodeExtensions(hello.extensions),
  );
}

/** From the body of the message. */
export function decodeClientHello(body: Uint8Array): ClientHello {
  const reader = new Reader(body);
  return {
    version: reader.u16(),
    random: reader.take(32),
    sessionId: reader.vector8(),
    suites: new Reader(reader.vector16()).list((item) => item.u16()),
    compressions: new Reader(reader.vector8()).list((item) => item.u8()),
    extensions: decodeExtensions(reader),
  };
}

/** The message. */
export function encodeServerHello(hello: ServerHello): Uint8Array<ArrayBuffer> {
  return handshakeMessage(
    HandshakeType.server_hello,
    u16(hello.version),
    hello.random,
    vector8(hello.sessionId),
    u16(hello.suite),
    u8(hello.compression),
    encodeExtensions(hello.extensions),
  );
}

/** From the body of the message. */
export function decodeServerHello(body: Uint8Array): ServerHello {
  const reader = new Reader(body);
  return {
    version: reader.u16(),
    random: reader.take(32),
    sessionId: reader.vector8(),
    suite: reader.u16(),
    compression: reader.u8(),
    extensions: decodeExtensions(reader),
  };
}

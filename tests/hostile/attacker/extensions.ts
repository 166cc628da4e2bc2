/**
 * The contents of extensions (RFC 8446 §4.2, RFC 6066 §3, RFC 7301 §3.1).
 *
 * @module
 */

import { ExtensionType, type GroupName, NamedGroup, SignatureScheme } from "./codes.ts";
import type { Extension } from "./hello.ts";
import { ascii, concat, Reader, u16, u32, u8, vector16, vector8 } from "./wire.ts";

function extension(type: keyof typeof ExtensionType, ...data: Uint8Array[]): Extension {
  return { type: ExtensionType[type], data: concat(...data) };
}

/** A list of host names (RFC 6066 §3); honest clients send one. */
export function serverName(...names: string[]): Extension {
  const entries = names.map((name) => concat(u8(0), vector16(ascii(name))));
  return extension("server_name", vector16(...entries));
}

/** All groups that the attacker has, or these. */
export function supportedGroups(groups: readonly GroupName[]): Extension {
  return extension("supported_groups", vector16(...groups.map((name) => u16(NamedGroup[name]))));
}

/** All schemes that the attacker knows. */
export function signatureAlgorithms(): Extension {
  const schemes = Object.values(SignatureScheme).map(u16);
  return extension("signature_algorithms", vector16(...schemes));
}

/** Uncompressed points (RFC 8422 §5.1.2). */
export function pointFormats(): Extension {
  return extension("ec_point_formats", vector8(u8(0)));
}

/** No renegotiation has taken place (RFC 5746 §3.4). */
export function renegotiationInfo(): Extension {
  return extension("renegotiation_info", vector8());
}

/** RFC 7627 §5.1. */
export function extendedMasterSecret(): Extension {
  return extension("extended_master_secret");
}

/** A ticket of TLS 1.2, or an empty one, which asks for one (RFC 5077 §3.2). */
export function sessionTicket(ticket: Uint8Array): Extension {
  return extension("session_ticket", ticket);
}

/** Application protocols. */
export function alpn(protocols: readonly string[]): Extension {
  const names = protocols.map((name) => vector8(ascii(name)));
  return extension("application_layer_protocol_negotiation", vector16(...names));
}

/** The versions of a ClientHello (RFC 8446 §4.2.1). */
export function supportedVersions(versions: readonly number[]): Extension {
  return extension("supported_versions", vector8(...versions.map(u16)));
}

/** The version of a ServerHello. */
export function selectedVersion(version: number): Extension {
  return extension("supported_versions", u16(version));
}

/** One entry of a key_share. */
export interface KeyShareEntry {
  group: number;
  key: Uint8Array;
}

const keyShareEntry = ({ group, key }: KeyShareEntry) => concat(u16(group), vector16(key));

/** The shares of a client (RFC 8446 §4.2.8). */
export function clientKeyShares(entries: readonly KeyShareEntry[]): Extension {
  return extension("key_share", vector16(...entries.map(keyShareEntry)));
}

/** The share of a server. */
export function serverKeyShare(entry: KeyShareEntry): Extension {
  return extension("key_share", keyShareEntry(entry));
}

/** The group that a HelloRetryRequest asks for. */
export function retryGroup(group: number): Extension {
  return extension("key_share", u16(group));
}

/** From a ClientHello. */
export function readClientKeyShares(data: Uint8Array): KeyShareEntry[] {
  return new Reader(new Reader(data).vector16()).list(readKeyShare);
}

/** From a ServerHello. */
export function readKeyShare(data: Uint8Array | Reader): KeyShareEntry {
  const reader = data instanceof Reader ? data : new Reader(data);
  return { group: reader.u16(), key: reader.vector16() };
}

/** psk_dhe_ke alone (RFC 8446 §4.2.9). */
export function pskModes(): Extension {
  return extension("psk_key_exchange_modes", vector8(u8(1)));
}

/** A PSK that a client offers (RFC 8446 §4.2.11). */
export interface PskIdentity {
  identity: Uint8Array;
  obfuscatedAge: number;
}

/** The PSKs of a client; binders are as long as the hash, and are zeros until they are known. */
export function preSharedKey(
  identities: readonly PskIdentity[],
  binders: readonly Uint8Array[],
): Extension {
  const offered = identities.map(({ identity, obfuscatedAge }) =>
    concat(vector16(identity), u32(obfuscatedAge))
  );
  const bound = binders.map((binder) => vector8(binder));
  return extension("pre_shared_key", vector16(...offered), vector16(...bound));
}

/** From a ClientHello. */
export function readPreSharedKey(data: Uint8Array): {
  identities: PskIdentity[];
  binders: Uint8Array[];
} {
  const reader = new Reader(data);
  const identities = new Reader(reader.vector16()).list((item) => ({
    identity: item.vector16(),
    obfuscatedAge: item.u32(),
  }));
  const binders = new Reader(reader.vector16()).list((item) => item.vector8());
  return { identities, binders };
}

/** The PSK that a server chose. */
export function selectedPsk(index: number): Extension {
  return extension("pre_shared_key", u16(index));
}

/** In hellos and EncryptedExtensions (RFC 8446 §4.2.10). */
export function earlyData(): Extension {
  return extension("early_data");
}

/** In tickets: how much of it may be sent. */
export function maxEarlyData(size: number): Extension {
  return extension("early_data", u32(size));
}

/** Of a type that no peer knows. */
export function unknownExtension(length: number, type = 0xfafa): Extension {
  return { type, data: new Uint8Array(length) };
}

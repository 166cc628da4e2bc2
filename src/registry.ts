/**
 * Names of protocol versions, cipher suites and groups, from the IANA TLS registries.
 *
 * @module
 */

/** A protocol version. */
export type ProtocolVersion = "TLSv1.2" | "TLSv1.3";

/** A cipher suite by its IANA name; the ones this library speaks. */
export type CipherSuite =
  | "TLS_CHACHA20_POLY1305_SHA256"
  | "TLS_AES_128_GCM_SHA256"
  | "TLS_AES_256_GCM_SHA384"
  | "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
  | "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
  | "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
  | "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
  | "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
  | "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";

/** A key exchange group by its IANA name. */
export type KeyExchangeGroup = "x25519" | "secp256r1" | "secp384r1";

/** Code points of protocol versions. */
export const PROTOCOL_VERSIONS: Readonly<Record<ProtocolVersion, number>> = {
  "TLSv1.2": 0x0303,
  "TLSv1.3": 0x0304,
};

/** Code points of cipher suites. */
export const CIPHER_SUITES: Readonly<Record<CipherSuite, number>> = {
  TLS_CHACHA20_POLY1305_SHA256: 0x1303,
  TLS_AES_128_GCM_SHA256: 0x1301,
  TLS_AES_256_GCM_SHA384: 0x1302,
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 0xcca9,
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 0xcca8,
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 0xc02b,
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 0xc02f,
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 0xc02c,
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 0xc030,
};

const GROUPS: Readonly<Record<KeyExchangeGroup, number>> = {
  x25519: 0x001d,
  secp256r1: 0x0017,
  secp384r1: 0x0018,
};

function reverse<Name extends string>(table: Readonly<Record<Name, number>>): Map<number, Name> {
  return new Map(Object.entries(table).map(([name, code]) => [code as number, name as Name]));
}

const VERSION_NAMES = reverse(PROTOCOL_VERSIONS);
const SUITE_NAMES = reverse(CIPHER_SUITES);
const GROUP_NAMES = reverse(GROUPS);

/** The name of a protocol version, if this library speaks it. */
export function protocolName(code: number): ProtocolVersion | undefined {
  return VERSION_NAMES.get(code);
}

/** The name of a cipher suite, if this library speaks it. */
export function cipherSuiteName(code: number): CipherSuite | undefined {
  return SUITE_NAMES.get(code);
}

/** The name of a group, if this library speaks it. */
export function groupName(code: number): KeyExchangeGroup | undefined {
  return GROUP_NAMES.get(code);
}

/**
 * What is negotiated, of options that clients and servers share: versions, cipher suites, and
 * application protocols.
 *
 * @module
 */

import { utf8 } from "./bytes.ts";
import { checkOneOf, checkStrings, checkText } from "./options.ts";
import {
  CIPHER_SUITES,
  type CipherSuite,
  PROTOCOL_VERSIONS,
  type ProtocolVersion,
} from "./registry.ts";

/**
 * Bytes that the list of application protocols has at most on the wire. RFC 7301 §3.1 has room for
 * 65,535, but so has the block of all extensions together, and servers take a ClientHello of some
 * thousand bytes. All protocols that are registered come to a few hundred.
 */
export const MAX_ALPN_LIST = 8192;
/** Bytes of one name (RFC 7301 §3.1). */
const MAX_ALPN_NAME = 255;

/** The options that are checked here, as they were read. */
export interface SuiteOptions {
  minVersion: unknown;
  maxVersion: unknown;
  cipherSuites: unknown;
}

/** The versions between `minVersion` and `maxVersion`. */
export function checkVersions(options: SuiteOptions): ProtocolVersion[] {
  const names = Object.keys(PROTOCOL_VERSIONS) as ProtocolVersion[];
  const { minVersion = "TLSv1.2", maxVersion = "TLSv1.3" } = options;
  const min = checkOneOf("minVersion", minVersion, names);
  const max = checkOneOf("maxVersion", maxVersion, names);
  if (names.indexOf(min) > names.indexOf(max)) {
    throw new TypeError(`Option "minVersion" is above "maxVersion": ${min}, ${max}`);
  }
  return names.slice(names.indexOf(min), names.indexOf(max) + 1);
}

/** Whether a suite is one of TLS 1.3. */
export function isTls13(suite: CipherSuite): boolean {
  return CIPHER_SUITES[suite] >> 8 === 0x13;
}

/** The suites that were named, each once, of which one must be usable; empty: all. */
export function checkSuites(options: SuiteOptions, versions: ProtocolVersion[]): CipherSuite[] {
  const all = Object.keys(CIPHER_SUITES) as CipherSuite[];
  if (options.cipherSuites === undefined) return [];
  const names = checkStrings("cipherSuites", options.cipherSuites);
  const suites = new Set(names.map((name) => checkOneOf("cipherSuites", name, all)));
  const usable = [...suites].some((suite) =>
    versions.includes(isTls13(suite) ? "TLSv1.3" : "TLSv1.2")
  );
  if (!usable) {
    throw new TypeError(`Option "cipherSuites" has no suite of ${versions.join(" or ")}`);
  }
  return [...suites];
}

/** The names of application protocols in bytes; each must fit its field, and all of them theirs. */
export function checkAlpn(value: unknown): Uint8Array[] {
  const option = "alpnProtocols";
  let bytes = 0;
  return checkStrings(option, value).map((name) => {
    const protocol = utf8(checkText(option, name, MAX_ALPN_NAME));
    bytes += 1 + protocol.length;
    if (bytes > MAX_ALPN_LIST) {
      throw new TypeError(
        `Option "${option}" has names of more than ${MAX_ALPN_LIST} bytes together`,
      );
    }
    return protocol;
  });
}

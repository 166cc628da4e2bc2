/**
 * Limits on versions and cipher suites, which clients and servers share.
 *
 * @module
 */

import { checkOneOf, checkStrings } from "./options.ts";
import {
  CIPHER_SUITES,
  type CipherSuite,
  PROTOCOL_VERSIONS,
  type ProtocolVersion,
} from "./registry.ts";

/** The options that are checked here. */
export interface SuiteOptions {
  minVersion?: ProtocolVersion;
  maxVersion?: ProtocolVersion;
  cipherSuites?: readonly CipherSuite[];
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

/** The suites that were named, of which one must be usable; empty: all. */
export function checkSuites(options: SuiteOptions, versions: ProtocolVersion[]): CipherSuite[] {
  const all = Object.keys(CIPHER_SUITES) as CipherSuite[];
  if (options.cipherSuites === undefined) return [];
  const names = checkStrings("cipherSuites", options.cipherSuites);
  const suites = names.map((name) => checkOneOf("cipherSuites", name, all));
  const usable = suites.some((suite) => versions.includes(isTls13(suite) ? "TLSv1.3" : "TLSv1.2"));
  if (!usable) {
    throw new TypeError(`Option "cipherSuites" has no suite of ${versions.join(" or ")}`);
  }
  return suites;
}

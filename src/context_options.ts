/**
 * The options of a client's context, and their checks.
 *
 * @module
 */

import { fromBase64, utf8 } from "./bytes.ts";
import type { OnDiagnostic } from "./diagnostics.ts";
import {
  badOption,
  checkBoolean,
  checkFunction,
  checkInteger,
  checkKnown,
  checkString,
  checkStrings,
  checkTimeout,
} from "./options.ts";
import { pemCertificates, pemCrls, pemPrivateKey, type PrivateKeyDer } from "./pem.ts";
import type { CipherSuite, ProtocolVersion } from "./registry.ts";
import { SealingKeys, sealingKeysInternals } from "./sealing_keys.ts";
import { checkStore, type SessionStore } from "./session_store.ts";
import { memoryStore } from "./stores/memory.ts";
import { checkSuites, checkVersions } from "./suite_options.ts";

/** What a `verify` callback is asked about. */
export interface VerifyInput {
  /** The peer's chain in DER, end entity first. It verified against the roots already. */
  peerCertificates: Uint8Array[];
  /** The server's name. */
  serverName: string;
  /** Whether the chain is that of a stored session, about to be offered. */
  resumed: boolean;
}

/** How a context resumes by itself: sessions are drawn from a store, and put into it. */
export interface PoolResumption {
  /** Where sessions are kept. */
  store: SessionStore;
  /** What they are sealed under. */
  keys: SealingKeys;
  /** How many tickets are kept for each server, 4 by default; 1 to 64. */
  ticketsPerServer?: number;
  /**
   * Milliseconds for which a session is offered, counted from its full handshake; 1 hour by
   * default, 7 days at most. A server that sees one again knows the client.
   */
  maxAge?: number;
  /** Milliseconds to wait for the store, 250 by default; then a full handshake. */
  timeout?: number;
  /**
   * Sessions that an observer cannot link to each other: TLS 1.3 alone, whose tickets are offered
   * once and encrypted on their way to the client. `false` by default.
   */
  unlinkable?: boolean;
}

/** Options of `ClientContext`; each may also be given to `connectTls()` directly. */
export interface ClientContextOptions {
  /** Trusted certificates in PEM, each string one or more. Without it: the bundled Mozilla set. */
  caCerts?: readonly string[];
  /** Whether the bundled Mozilla set is trusted; `true` unless `caCerts` is there. */
  defaultRoots?: boolean;
  /** The client's certificate chain in PEM, end entity first; needs `key`. */
  cert?: string;
  /** The client's private key in PEM: PKCS#8, SEC1 or PKCS#1; EC, RSA or Ed25519. */
  key?: string;
  /** Application protocols to offer (RFC 7301), the preferred one first. */
  alpnProtocols?: readonly string[];
  /** The lowest version to take; `"TLSv1.2"` by default. */
  minVersion?: ProtocolVersion;
  /** The highest version to take; `"TLSv1.3"` by default. */
  maxVersion?: ProtocolVersion;
  /** Cipher suites to offer; all by default. The engine orders them by its speed. */
  cipherSuites?: readonly CipherSuite[];
  /**
   * Asked after a chain verified, and before a session is offered, with the chain stored in it.
   * Anything but `true` refuses: the handshake fails with `ERR_TLS_CERT_INVALID`; a session is
   * not offered.
   */
  verify?: (input: VerifyInput) => boolean | Promise<boolean>;
  /**
   * Certificate revocation lists in PEM. With any, every certificate of a chain must be covered
   * by one that is not outdated.
   */
  crls?: readonly string[];
  /**
   * Public keys of which the server's must be one: `sha256/` and the base64 of the SHA-256 of its
   * SubjectPublicKeyInfo (the form of RFC 7469 pins).
   */
  pinnedKeys?: readonly string[];
  /**
   * Resumes by itself: from a store, or `"memory"`, this process's own. Not at all by default:
   * sessions are taken and given by hand.
   */
  resumption?: "memory" | PoolResumption;
  /** Sessions of a context with another number are not offered. 0 by default. */
  revocationEpoch?: number;
  /** Told what becomes of sessions, and why. */
  onDiagnostic?: OnDiagnostic;
  /** Gets lines in the NSS key log format, which let others decrypt the traffic. */
  keyLog?: (line: string) => void;
  /** Takes any chain of anyone. Nothing protects against an impostor then. */
  dangerDisableVerification?: boolean;
  /** Takes a chain that verifies for any name. */
  dangerDisableHostnameVerification?: boolean;
}

/** The names of `ClientContextOptions`. */
export const CLIENT_CONTEXT_OPTIONS: readonly (keyof ClientContextOptions)[] = [
  "caCerts",
  "defaultRoots",
  "cert",
  "key",
  "alpnProtocols",
  "minVersion",
  "maxVersion",
  "cipherSuites",
  "verify",
  "crls",
  "pinnedKeys",
  "resumption",
  "revocationEpoch",
  "onDiagnostic",
  "keyLog",
  "dangerDisableVerification",
  "dangerDisableHostnameVerification",
];

/** All options but the callbacks and the pool, checked. */
export interface CheckedClientOptions {
  roots: Uint8Array[];
  defaultRoots: boolean;
  chain: Uint8Array[];
  key: PrivateKeyDer | undefined;
  alpn: Uint8Array[];
  versions: ProtocolVersion[];
  suites: CipherSuite[];
  crls: Uint8Array[];
  pins: Uint8Array[];
  revocationEpoch: number;
  dangerDisableVerification: boolean;
  dangerDisableHostnameVerification: boolean;
}

const HOUR_MS = 60 * 60 * 1000;
/** RFC 8446 §4.6.1: no ticket lives longer. */
export const WEEK_MS = 7 * 24 * HOUR_MS;

/** Checks the pool's options; `undefined`: there is none. */
export function checkPool(given: unknown): Required<PoolResumption> | undefined {
  if (given === undefined) return undefined;
  const pool = given === "memory"
    ? { store: memoryStore(), keys: sealingKeysInternals.generate() }
    : given as PoolResumption;
  const known = ["store", "keys", "ticketsPerServer", "maxAge", "timeout", "unlinkable"];
  checkKnown(pool, known, '"resumption"');
  const store = checkStore("resumption.store", pool.store);
  if (!(pool.keys instanceof SealingKeys)) badOption("resumption.keys", "SealingKeys", pool.keys);
  const maxAge = checkTimeout("resumption.maxAge", pool.maxAge, HOUR_MS);
  if (maxAge > WEEK_MS) {
    throw new TypeError(`Option "resumption.maxAge" must be 7 days at most, got ${maxAge} ms`);
  }
  const tickets = pool.ticketsPerServer ?? 4;
  return {
    store,
    keys: pool.keys,
    ticketsPerServer: checkInteger("resumption.ticketsPerServer", tickets, 1, 64),
    maxAge,
    timeout: checkTimeout("resumption.timeout", pool.timeout, 250),
    unlinkable: checkBoolean("resumption.unlinkable", pool.unlinkable),
  };
}

function pin(text: string): Uint8Array {
  const expected = 'an array of "sha256/" and base64 of 32 bytes';
  if (!text.startsWith("sha256/")) badOption("pinnedKeys", expected, text);
  try {
    const digest = fromBase64(text.slice("sha256/".length));
    if (digest.length === 32) return digest;
  } catch {
    // not base64: below
  }
  return badOption("pinnedKeys", expected, text);
}

function alpnProtocol(protocol: string): Uint8Array {
  const bytes = utf8(protocol);
  if (bytes.length > 255) {
    throw new TypeError(`Option "alpnProtocols" has a name of ${bytes.length} bytes; 255 at most`);
  }
  return bytes;
}

/** Checks all options but the callbacks and the pool together. */
export function checkClientOptions(options: ClientContextOptions): CheckedClientOptions {
  checkKnown(options, CLIENT_CONTEXT_OPTIONS, "ClientContext options");
  const caCerts = checkStrings("caCerts", options.caCerts);
  checkBoolean("defaultRoots", options.defaultRoots);
  const danger = checkBoolean("dangerDisableVerification", options.dangerDisableVerification);
  const defaultRoots = options.defaultRoots ?? (options.caCerts === undefined && !danger);
  const roots = caCerts.flatMap((pem) => pemCertificates("caCerts", pem));
  if (roots.length === 0 && !defaultRoots && !danger) {
    throw new TypeError('Option "caCerts" is empty and "defaultRoots" is false: nobody is trusted');
  }
  if ((options.cert === undefined) !== (options.key === undefined)) {
    throw new TypeError('Options "cert" and "key" go together');
  }
  let chain: Uint8Array[] = [];
  let key: PrivateKeyDer | undefined;
  if (options.cert !== undefined) {
    checkString("cert", options.cert);
    checkString("key", options.key);
    chain = pemCertificates("cert", options.cert);
    key = pemPrivateKey("key", options.key);
  }
  checkFunction("verify", options.verify);
  checkFunction("keyLog", options.keyLog);
  const versions = checkVersions(options);
  return {
    roots,
    defaultRoots,
    chain,
    key,
    alpn: checkStrings("alpnProtocols", options.alpnProtocols).map(alpnProtocol),
    versions,
    suites: checkSuites(options, versions),
    crls: checkStrings("crls", options.crls).flatMap((pem) => pemCrls("crls", pem)),
    pins: checkStrings("pinnedKeys", options.pinnedKeys).map(pin),
    revocationEpoch: checkInteger(
      "revocationEpoch",
      options.revocationEpoch === undefined ? 0 : options.revocationEpoch,
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    dangerDisableVerification: danger,
    dangerDisableHostnameVerification: checkBoolean(
      "dangerDisableHostnameVerification",
      options.dangerDisableHostnameVerification,
    ),
  };
}

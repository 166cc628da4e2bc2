/**
 * A client's context: its options, checked once, and their fingerprint.
 *
 * Rules: immutable; built without an engine, and given to as many engine instances as come and
 * go. It knows nothing of transports or connections.
 *
 * @module
 */

import type { ClientContext as EngineContext, ClientOptions } from "../wasm/pkg/reprise.js";
import { fromBase64, hex, utf8 } from "./bytes.ts";
import type { OnDiagnostic } from "./diagnostics.ts";
import type { EngineInstance } from "./engine.ts";
import { fingerprint, setOf } from "./fingerprint.ts";
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
import { CIPHER_SUITES, type CipherSuite, type ProtocolVersion } from "./registry.ts";
import { SealingKeys, sealingKeysInternals } from "./sealing_keys.ts";
import { canonicalServerName } from "./server_name.ts";
import { SessionPool } from "./session_pool.ts";
import { checkStore, type SessionStore } from "./session_store.ts";
import { Counters, type Stats } from "./stats.ts";
import { memoryStore } from "./stores/memory.ts";
import { checkSuites, checkVersions, isTls13 } from "./suite_options.ts";

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

/** Options of {@linkcode ClientContext}; each may also be given to `connectTls()` directly. */
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

/** The names of {@linkcode ClientContextOptions}. */
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

interface CheckedOptions {
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
const WEEK_MS = 7 * 24 * HOUR_MS;

function checkResumption(given: unknown): Required<PoolResumption> | undefined {
  if (given === undefined) return undefined;
  const pool = given === "memory"
    ? { store: memoryStore(), keys: sealingKeysInternals.generate() }
    : given as PoolResumption;
  const known = ["store", "keys", "ticketsPerServer", "maxAge", "timeout", "unlinkable"];
  checkKnown(pool, known, '"resumption"');
  checkStore("resumption.store", pool.store);
  if (!(pool.keys instanceof SealingKeys)) badOption("resumption.keys", "SealingKeys", pool.keys);
  const maxAge = checkTimeout("resumption.maxAge", pool.maxAge, HOUR_MS);
  if (maxAge > WEEK_MS) {
    throw new TypeError(`Option "resumption.maxAge" must be 7 days at most, got ${maxAge} ms`);
  }
  const tickets = pool.ticketsPerServer ?? 4;
  return {
    store: pool.store,
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

function check(options: ClientContextOptions): CheckedOptions {
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

function fingerprintOf(options: CheckedOptions): Uint8Array {
  const enabled = (Object.keys(CIPHER_SUITES) as CipherSuite[]).filter((suite) =>
    (options.suites.length === 0 || options.suites.includes(suite)) &&
    options.versions.includes(isTls13(suite) ? "TLSv1.3" : "TLSv1.2")
  );
  return fingerprint([
    ["format", "reprise client context 1"],
    ["roots", setOf(options.roots)],
    ["default_roots", String(options.defaultRoots)],
    ["verification", String(!options.dangerDisableVerification)],
    ["hostname_verification", String(!options.dangerDisableHostnameVerification)],
    ["pinned_keys", setOf(options.pins)],
    ["crls", String(options.crls.length > 0)],
    ["revocation_epoch", options.revocationEpoch],
    ["certificate", options.chain.map((der) => setOf([der])).join(" ")],
    ["versions", options.versions.join(" ")],
    ["cipher_suites", setOf(enabled)],
    ["alpn_protocols", setOf(options.alpn)],
  ]);
}

/** For modules of this library: what {@linkcode ClientContext} does not show to others. */
export interface ClientContextInternals {
  /** The context in an engine instance, built when first asked for. */
  engine(context: ClientContext, instance: EngineInstance): Promise<EngineContext>;
  fingerprint(context: ClientContext): Uint8Array;
  verify(context: ClientContext): ClientContextOptions["verify"];
  keyLog(context: ClientContext): ClientContextOptions["keyLog"];
  counters(context: ClientContext): Counters;
  pool(context: ClientContext): SessionPool | undefined;
  /** Seconds for which a session may be offered after its full handshake. */
  maxAge(context: ClientContext): number;
  onDiagnostic(context: ClientContext): OnDiagnostic | undefined;
}

/** Access to a context's insides, for modules of this library. */
export let clientContextInternals: ClientContextInternals;

/**
 * What a client's connections have in common: whom it trusts, who it is, what it offers.
 *
 * Built once and used for any number of connections; it never changes. Sessions are bound to its
 * {@linkcode ClientContext.fingerprint}: a session taken under one context is not offered under
 * another that trusts others or offers other things.
 *
 * @example
 * ```ts
 * import { ClientContext } from "./mod.ts";
 *
 * const a = new ClientContext({ alpnProtocols: ["h2", "http/1.1"] });
 * const b = new ClientContext({ alpnProtocols: ["http/1.1", "h2"] });
 * console.assert(a.fingerprint === b.fingerprint);
 * ```
 */
export class ClientContext {
  readonly #options: CheckedOptions;
  readonly #fingerprint: Uint8Array;
  readonly #verify: ClientContextOptions["verify"];
  readonly #keyLog: ClientContextOptions["keyLog"];
  readonly #onDiagnostic: OnDiagnostic | undefined;
  readonly #counters = new Counters();
  readonly #pool: SessionPool | undefined;
  readonly #maxAge: number;
  /** How many tickets servers are asked for (RFC 9149); 0: not asked. */
  readonly #tickets: number;
  readonly #built = new WeakMap<EngineInstance, Promise<EngineContext>>();

  static {
    clientContextInternals = {
      engine(context, instance) {
        let built = context.#built.get(instance);
        if (built === undefined) {
          built = context.#build(instance);
          context.#built.set(instance, built);
        }
        return built;
      },
      fingerprint: (context) => context.#fingerprint,
      verify: (context) => context.#verify,
      keyLog: (context) => context.#keyLog,
      counters: (context) => context.#counters,
      pool: (context) => context.#pool,
      maxAge: (context) => context.#maxAge,
      onDiagnostic: (context) => context.#onDiagnostic,
    };
  }

  /**
   * Checks the options.
   *
   * @throws {TypeError} if one is unknown or bad; it names the option. What only the engine can
   * parse (DER of certificates, keys and lists) is checked at the first connection.
   */
  constructor(options: ClientContextOptions = {}) {
    this.#options = check(options);
    this.#fingerprint = fingerprintOf(this.#options);
    this.#verify = options.verify;
    this.#keyLog = options.keyLog;
    checkFunction("onDiagnostic", options.onDiagnostic);
    this.#onDiagnostic = options.onDiagnostic;
    const resumption = checkResumption(options.resumption);
    this.#maxAge = (resumption?.maxAge ?? WEEK_MS) / 1000;
    this.#tickets = resumption?.ticketsPerServer ?? 0;
    if (resumption !== undefined) {
      this.#pool = new SessionPool({
        ...resumption,
        fingerprint: this.#fingerprint,
        versions: this.#options.versions,
        counters: this.#counters,
        onDiagnostic: options.onDiagnostic,
      });
    }
  }

  /** SHA-256 in hexadecimal of what sessions are bound to; the same in every build and runtime. */
  get fingerprint(): string {
    return hex(this.#fingerprint);
  }

  /** What was counted since the context was made. */
  stats(): Stats {
    return this.#counters.snapshot();
  }

  /**
   * Forgets the sessions of a server that the context keeps.
   *
   * @param server `port` is 0 for connections that did not know it; `networkPartition` as given to
   * `connectTls()`.
   */
  async forget(
    server: { hostname: string; port?: number; networkPartition?: string },
  ): Promise<void> {
    checkKnown(server, ["hostname", "port", "networkPartition"], "forget()");
    await this.#pool?.forget({
      serverName: canonicalServerName("hostname", server.hostname),
      port: checkInteger("port", server.port ?? 0, 0, 65_535),
      networkPartition: server.networkPartition ?? "",
    });
  }

  /** Waits until every session on its way to the store is there, or has failed. */
  async settled(): Promise<void> {
    await this.#pool?.settled();
  }

  /** Removes expired sessions from a store that does not do so by itself. */
  async purge(): Promise<void> {
    await this.#pool?.purge();
  }

  async #build(instance: EngineInstance): Promise<EngineContext> {
    const options = this.#options;
    const anchors = options.defaultRoots
      ? (await import("./roots/mozilla.ts")).mozillaTrustAnchors()
      : [];
    return instance.call((exports) => {
      const builder = new exports.ClientOptions();
      this.#describe(builder, options);
      for (const { subject, publicKey, nameConstraints } of anchors) {
        builder.add_trust_anchor(subject, publicKey, nameConstraints);
      }
      return builder.build();
    });
  }

  #describe(builder: ClientOptions, options: CheckedOptions): void {
    for (const der of options.roots) builder.add_root(der);
    for (const der of options.crls) builder.add_crl(der);
    for (const digest of options.pins) builder.add_pinned_key(digest);
    for (const der of options.chain) builder.add_certificate(der);
    if (options.key !== undefined) builder.set_key(options.key.kind, options.key.der);
    for (const protocol of options.alpn) builder.add_alpn(protocol);
    for (const suite of options.suites) builder.add_suite(CIPHER_SUITES[suite]);
    builder.set_versions(
      options.versions.includes("TLSv1.2"),
      options.versions.includes("TLSv1.3"),
    );
    if (this.#keyLog !== undefined) builder.set_key_log();
    if (options.dangerDisableVerification) builder.danger_disable_verification();
    if (options.dangerDisableHostnameVerification) {
      builder.danger_disable_hostname_verification();
    }
  }
}

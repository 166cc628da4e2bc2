/**
 * A client's context: its options, checked once, and their fingerprint.
 *
 * Rules: immutable; built without an engine, and given to as many engine instances as come and
 * go. It knows nothing of transports or connections.
 *
 * @module
 */

import type { ClientContext as EngineContext, ClientOptions } from "../wasm/pkg/reprise.js";
import { hex } from "./bytes.ts";
import {
  checkClientOptions,
  type CheckedClientOptions,
  type ClientContextOptions,
  WEEK_MS,
} from "./context_options.ts";
import type { OnDiagnostic } from "./diagnostics.ts";
import type { EngineInstance } from "./engine.ts";
import { fingerprint, setOf } from "./fingerprint.ts";
import { checkNetworkPartition } from "./network_partition.ts";
import { nameKind, Opaque } from "./opaque.ts";
import { checkInteger } from "./options.ts";
import { type KnownOptions, readOptions } from "./read_options.ts";
import { CIPHER_SUITES, type CipherSuite } from "./registry.ts";
import { canonicalServerName } from "./server_name.ts";
import { SessionPool } from "./session_pool.ts";
import { Counters, type Stats } from "./stats.ts";
import { isTls13 } from "./suite_options.ts";

const FORGET_OPTIONS = {
  hostname: "anywhere",
  port: "anywhere",
  networkPartition: "anywhere",
} as const satisfies KnownOptions<Parameters<ClientContext["forget"]>[0]>;

function fingerprintOf(options: CheckedClientOptions): Uint8Array {
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
 * import { ClientContext } from "@reprise/tls";
 *
 * const a = new ClientContext({ alpnProtocols: ["h2", "http/1.1"] });
 * const b = new ClientContext({ alpnProtocols: ["http/1.1", "h2"] });
 * console.assert(a.fingerprint === b.fingerprint);
 * ```
 */
export class ClientContext extends Opaque {
  readonly #options: CheckedClientOptions;
  readonly #fingerprint: Uint8Array;
  readonly #counters = new Counters();
  readonly #pool: SessionPool | undefined;
  readonly #maxAge: number;
  /** How many tickets servers are asked for (RFC 9149); 0: not asked. */
  readonly #tickets: number;
  readonly #built = new WeakMap<EngineInstance, Promise<EngineContext>>();

  static {
    nameKind(ClientContext, "ClientContext");
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
      verify: (context) => context.#options.verify,
      keyLog: (context) => context.#options.keyLog,
      counters: (context) => context.#counters,
      pool: (context) => context.#pool,
      maxAge: (context) => context.#maxAge,
      onDiagnostic: (context) => context.#options.onDiagnostic,
    };
  }

  /**
   * Checks the options.
   *
   * @throws {TypeError} if one is unknown or bad; it names the option. What only the engine can
   * parse (DER of certificates, keys and lists) is checked at the first connection.
   */
  constructor(options: ClientContextOptions = {}) {
    super();
    this.#options = checkClientOptions(options);
    this.#fingerprint = fingerprintOf(this.#options);
    const { resumption, onDiagnostic } = this.#options;
    this.#maxAge = (resumption?.maxAge ?? WEEK_MS) / 1000;
    this.#tickets = resumption?.ticketsPerServer ?? 0;
    if (resumption !== undefined) {
      this.#pool = new SessionPool({
        ...resumption,
        fingerprint: this.#fingerprint,
        versions: this.#options.versions,
        counters: this.#counters,
        onDiagnostic,
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
   * @throws {TypeError} if one of them is bad.
   */
  async forget(
    server: { hostname: string; port?: number; networkPartition?: string },
  ): Promise<void> {
    const { hostname, port = 0, networkPartition } = readOptions(
      server,
      FORGET_OPTIONS,
      "forget() options",
    );
    const target = {
      serverName: canonicalServerName("hostname", hostname),
      port: checkInteger("port", port, 0, 65_535),
      networkPartition: checkNetworkPartition(networkPartition),
    };
    await this.#pool?.forget(target);
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

  #describe(builder: ClientOptions, options: CheckedClientOptions): void {
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
    // One for the one that was used, and one to make up for what got lost.
    if (this.#tickets > 0) builder.set_ticket_request(this.#tickets, Math.min(2, this.#tickets));
    if (options.keyLog !== undefined) builder.set_key_log();
    if (options.dangerDisableVerification) builder.danger_disable_verification();
    if (options.dangerDisableHostnameVerification) {
      builder.danger_disable_hostname_verification();
    }
  }
}

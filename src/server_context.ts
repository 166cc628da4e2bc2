/**
 * A server's context: its options, checked once, and their fingerprint.
 *
 * Rules: immutable, but for the keys and the store that it was given; built without an engine, and
 * given to as many engine instances as come and go. It knows nothing of transports.
 *
 * @module
 */

import type {
  ServerContext as EngineContext,
  ServerCredentials as EngineCredentials,
} from "../wasm/pkg/reprise.js";
import { hex } from "./bytes.ts";
import type { EngineInstance } from "./engine.ts";
import { fingerprint, setOf } from "./fingerprint.ts";
import { HalfOpen } from "./half_open.ts";
import { nameKind, Opaque } from "./opaque.ts";
import { CIPHER_SUITES } from "./registry.ts";
import { checkCertificates, type Credential } from "./server_certificates.ts";
import {
  type CheckedServerOptions,
  checkServerOptions,
  type ServerContextOptions,
} from "./server_options.ts";
import { ServerSessionCache } from "./server_sessions.ts";
import { Counters, type Stats } from "./stats.ts";
import type { TicketKeys } from "./ticket_keys.ts";

function fingerprintOf(options: CheckedServerOptions): Uint8Array {
  const names = options.resolve === undefined ? setOf([...options.names.keys()]) : "resolver";
  return fingerprint([
    ["format", "reprise server context 1"],
    ["server_names", names],
    ["client_auth", options.clientAuth],
    ["roots", setOf(options.roots)],
    ["crls", String(options.crls.length > 0)],
    ["alpn_protocols", setOf(options.alpn)],
    ["revocation_epoch", options.revocationEpoch],
    ...(options.sessionContext === undefined
      ? []
      : [["session_context", options.sessionContext] as const]),
  ]);
}

/** For modules of this library: what {@linkcode ServerContext} does not show to others. */
export interface ServerContextInternals {
  /** The context in an engine instance, built when first asked for. */
  engine(context: ServerContext, instance: EngineInstance): EngineContext;
  /** The certificates for a name, or `null` where none is served. */
  credentials(
    context: ServerContext,
    instance: EngineInstance,
    serverName: string,
  ): Promise<EngineCredentials | null>;
  fingerprint(context: ServerContext): Uint8Array;
  sessions(context: ServerContext): ServerSessionCache | undefined;
  ticketKeys(context: ServerContext): TicketKeys | undefined;
  counters(context: ServerContext): Counters;
  callbacks(context: ServerContext): CheckedServerOptions["callbacks"];
  halfOpen(context: ServerContext): HalfOpen;
  maxPending(context: ServerContext): number;
  takesTls13(context: ServerContext): boolean;
  takesEarlyData(context: ServerContext): boolean;
}

/** Access to a context's insides, for modules of this library. */
export let serverContextInternals: ServerContextInternals;

/** What is built in one engine instance. */
interface Built {
  context: EngineContext;
  credentials: Map<string, EngineCredentials>;
}

/**
 * What a server's connections have in common: its certificates, whom it lets in, and how sessions
 * are resumed.
 *
 * Sessions are bound to its {@linkcode ServerContext.fingerprint}: one made under other virtual
 * hosts, another policy on client certificates or another configuration never resumes here. They are
 * also bound to the names of the certificate that the full handshake showed: a server resumes only
 * where it would show one for the same names, whatever its key. So a renewed certificate keeps its
 * sessions; after a key was stolen raise `revocationEpoch`.
 *
 * @example
 * ```ts ignore
 * const server = new ServerContext({
 *   cert,
 *   key,
 *   resumption: { mode: "stateful", store: denoKvStore(kv), keys },
 * });
 * for await (const conn of listenTls({ port: 8443, context: server })) serve(conn);
 * ```
 */
export class ServerContext extends Opaque {
  readonly #options: CheckedServerOptions;
  readonly #fingerprint: Uint8Array;
  readonly #counters = new Counters();
  readonly #halfOpen: HalfOpen;
  readonly #sessions: ServerSessionCache | undefined;
  readonly #built = new WeakMap<EngineInstance, Built>();

  static {
    nameKind(ServerContext, "ServerContext");
    serverContextInternals = {
      engine: (context, instance) => context.#inEngine(instance).context,
      credentials: (context, instance, serverName) => context.#credentials(instance, serverName),
      fingerprint: (context) => context.#fingerprint,
      sessions: (context) => context.#sessions,
      ticketKeys(context) {
        const { resumption } = context.#options;
        return resumption.mode === "tickets" ? resumption.ticketKeys : undefined;
      },
      counters: (context) => context.#counters,
      callbacks: (context) => context.#options.callbacks,
      halfOpen: (context) => context.#halfOpen,
      maxPending: (context) => context.#options.maxPending,
      takesTls13: (context) => context.#options.versions.includes("TLSv1.3"),
      takesEarlyData: (context) => context.#options.maxEarlyDataSize > 0,
    };
  }

  /**
   * Checks the options.
   *
   * @throws {TypeError} if one is unknown or bad; it names the option. What only the engine can
   * parse (DER of certificates, keys and lists) is checked at the first connection.
   */
  constructor(options: ServerContextOptions) {
    super();
    this.#options = checkServerOptions(options);
    this.#fingerprint = fingerprintOf(this.#options);
    this.#halfOpen = new HalfOpen(
      this.#options.maxPending,
      () => this.#counters.add("refused"),
    );
    const { resumption, callbacks: { onDiagnostic } } = this.#options;
    if (resumption.mode === "stateful") {
      this.#sessions = new ServerSessionCache({
        ...resumption,
        fingerprint: this.#fingerprint,
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
    return { ...this.#counters.snapshot(), number: this.#sessions?.size ?? 0 };
  }

  /** Waits until every session on its way to the store is there, or has failed. */
  async settled(): Promise<void> {
    await this.#sessions?.settled();
  }

  #inEngine(instance: EngineInstance): Built {
    let built = this.#built.get(instance);
    if (built === undefined) {
      built = { context: this.#build(instance), credentials: new Map() };
      this.#built.set(instance, built);
    }
    return built;
  }

  #build(instance: EngineInstance): EngineContext {
    const options = this.#options;
    return instance.call((exports) => {
      const builder = new exports.ServerOptions(this.#fingerprint);
      for (const der of options.roots) builder.add_root(der);
      for (const der of options.crls) builder.add_crl(der);
      if (options.clientAuth !== "none") {
        builder.set_client_auth(options.clientAuth === "required");
      }
      for (const protocol of options.alpn) builder.add_alpn(protocol);
      for (const suite of options.suites) builder.add_suite(CIPHER_SUITES[suite]);
      builder.set_versions(
        options.versions.includes("TLSv1.2"),
        options.versions.includes("TLSv1.3"),
      );
      if (options.callbacks.keyLog !== undefined) builder.set_key_log();
      builder.set_max_early_data(options.maxEarlyDataSize);
      builder.set_tickets(options.resumption.tickets);
      builder.set_max_age(Math.floor(options.resumption.maxAge / 1000));
      return builder.build();
    });
  }

  async #credentials(
    instance: EngineInstance,
    serverName: string,
  ): Promise<EngineCredentials | null> {
    const { credentials } = this.#inEngine(instance);
    const { names, resolve } = this.#options;
    if (resolve !== undefined && serverName !== "") {
      const given = await resolve(serverName);
      if (given !== null && given !== undefined) {
        return build(instance, checkCertificates("sni", given));
      }
    }
    const wildcard = serverName.replace(/^[^.]+/, "*");
    const name = [serverName, wildcard].find((each) => names.has(each)) ?? "";
    const found = names.get(name) ?? this.#options.credentials;
    if (found.length === 0) return null;
    let built = credentials.get(name);
    if (built === undefined) credentials.set(name, built = build(instance, found));
    return built;
  }
}

function build(instance: EngineInstance, list: Credential[]): EngineCredentials {
  return instance.call((exports) => {
    const credentials = new exports.ServerCredentials();
    for (const { chain, key, ocsp } of list) {
      for (const der of chain) credentials.add_certificate(der);
      credentials.add_key(key.kind, key.der, ocsp);
    }
    return credentials;
  });
}

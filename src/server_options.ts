/**
 * The options of a server's context, and their checks.
 *
 * @module
 */

import type { OnDiagnostic } from "./diagnostics.ts";
import { checkInstance } from "./opaque.ts";
import {
  checkFunction,
  checkInteger,
  checkOneOf,
  checkString,
  checkStrings,
  checkText,
  checkTimeout,
} from "./options.ts";
import { pemCertificates, pemCrls } from "./pem.ts";
import { type KnownOptions, type Read, readOptions } from "./read_options.ts";
import type { CipherSuite, ProtocolVersion } from "./registry.ts";
import { SealingKeys } from "./sealing_keys.ts";
import {
  CERTIFICATE_OPTIONS,
  checkDefaults,
  type CheckedSni,
  checkSni,
  type Credential,
  type ServerCertificate,
  type ServerCertificates,
} from "./server_certificates.ts";
import { checkStore, type SessionStore } from "./session_store.ts";
import { checkAlpn, checkSuites, checkVersions } from "./suite_options.ts";
import { TicketKeys } from "./ticket_keys.ts";

/** What a server's `verify` callback is asked about. */
export interface VerifyClientInput {
  /** The client's chain in DER, end entity first. It verified against `caCerts` already. */
  peerCertificates: Uint8Array[];
  /** The name that the client asked for, or `null`. */
  serverName: string | null;
  /** Whether the chain is that of a stored session, about to be resumed. */
  resumed: boolean;
}

/** What the `sessionData` callback is asked about. */
export interface SessionDataInput {
  /** The name that the client asked for, or `null`. */
  serverName: string | null;
  /** The application protocols that the client offered. */
  alpnProtocols: string[];
  /** The data of the session that may be resumed, or `null`. */
  previous: Uint8Array | null;
}

/** Sessions in a store: TLS 1.2 by session id, TLS 1.3 by PSK identity. */
export interface StatefulResumption {
  /** Stateful. */
  mode: "stateful";
  /** Where sessions are kept. */
  store: SessionStore;
  /** What they are sealed under. */
  keys: SealingKeys;
  /** Milliseconds to wait for the store, 250 by default; then a full handshake. */
  timeout?: number;
  /** Milliseconds for which a session may be resumed; 24 hours by default, 7 days at most. */
  maxAge?: number;
  /** TLS 1.3 tickets after a handshake, 2 by default, unless the client asks for others. */
  tickets?: number;
  /** How many TLS 1.2 sessions are kept in memory too, 1,000 by default. */
  memory?: number;
}

/** Sessions in tickets: the client keeps them. */
export interface TicketResumption {
  /** Stateless. */
  mode: "tickets";
  /** What tickets are sealed under. */
  ticketKeys: TicketKeys;
  /** Milliseconds for which a ticket may be used; 24 hours by default, 7 days at most. */
  maxAge?: number;
  /** TLS 1.3 tickets after a handshake, 2 by default, unless the client asks for others. */
  tickets?: number;
}

/** Options of `ServerContext`. */
export interface ServerContextOptions extends Partial<ServerCertificate> {
  /** Further certificates for the same names, such as RSA beside EC. */
  certificates?: readonly ServerCertificate[];
  /**
   * Certificates by server name, with `*.` for one label; or who is asked for them. A name that
   * is not there gets `cert`, or the alert unrecognized_name where there is none. Names are DNS
   * names in any case, in ASCII or not; two spellings of one name are refused.
   */
  sni?:
    | Readonly<Record<string, ServerCertificates>>
    | ((
      serverName: string,
    ) => ServerCertificates | null | undefined | Promise<ServerCertificates | null | undefined>);
  /** Application protocols to take (RFC 7301), the preferred one first; as long as a client's. */
  alpnProtocols?: readonly string[];
  /** Whether clients are asked for a certificate, and must have one. */
  clientAuth?: "none" | "optional" | "required";
  /** Certificates in PEM under which clients' chains are trusted. */
  caCerts?: readonly string[];
  /** Certificate revocation lists in PEM, for clients' chains. */
  crls?: readonly string[];
  /** Asked after a client's chain verified, and before one is taken from a session. */
  verify?: (input: VerifyClientInput) => boolean | Promise<boolean>;
  /** The lowest version to take; `"TLSv1.2"` by default. */
  minVersion?: ProtocolVersion;
  /** The highest version to take; `"TLSv1.3"` by default. */
  maxVersion?: ProtocolVersion;
  /** Cipher suites to take; all by default. */
  cipherSuites?: readonly CipherSuite[];
  /** How sessions are resumed; not at all by default. */
  resumption?: StatefulResumption | TicketResumption;
  /**
   * Names what sessions are for, as OpenSSL's session id context does: servers that share a store and
   * keys, or ticket keys, resume each other's sessions only where it is the same. Up to 255 bytes of
   * UTF-8.
   */
  sessionContext?: string;
  /**
   * Handshakes that may be under way at a time, over all listeners and calls of `acceptTls()` that use
   * the context; 1,000 by default. Beyond them a client that has sent nothing goes for the next one.
   */
  maxPending?: number;
  /** Bytes of early data to take (RFC 8446 §2.3); 0, the default: none. Stateful mode only. */
  maxEarlyDataSize?: number;
  /**
   * What is kept with a connection's sessions, sealed: up to 2,048 bytes. Nothing, where the client
   * offered a session that was found and then not resumed: it may have named somebody else's.
   */
  sessionData?: (
    input: SessionDataInput,
  ) => Uint8Array | null | Promise<Uint8Array | null>;
  /** Sessions of a context with another number are not resumed. 0 by default. */
  revocationEpoch?: number;
  /** Told what becomes of sessions, and why. */
  onDiagnostic?: OnDiagnostic;
  /**
   * Gets lines in the NSS key log format, which let others decrypt the traffic. It has to be a
   * property of the options themselves: inherited, it is refused.
   */
  keyLog?: (line: string) => void;
}

const OPTIONS = {
  ...CERTIFICATE_OPTIONS,
  certificates: "anywhere",
  sni: "anywhere",
  alpnProtocols: "anywhere",
  clientAuth: "anywhere",
  caCerts: "anywhere",
  crls: "anywhere",
  verify: "anywhere",
  minVersion: "anywhere",
  maxVersion: "anywhere",
  cipherSuites: "anywhere",
  resumption: "anywhere",
  sessionContext: "anywhere",
  maxPending: "anywhere",
  maxEarlyDataSize: "anywhere",
  sessionData: "anywhere",
  revocationEpoch: "anywhere",
  onDiagnostic: "anywhere",
  keyLog: "own",
} as const satisfies KnownOptions<ServerContextOptions>;

const STATEFUL_OPTIONS = {
  mode: "anywhere",
  maxAge: "anywhere",
  tickets: "anywhere",
  store: "anywhere",
  keys: "anywhere",
  timeout: "anywhere",
  memory: "anywhere",
} as const satisfies KnownOptions<StatefulResumption>;

const TICKET_OPTIONS = {
  mode: "anywhere",
  maxAge: "anywhere",
  tickets: "anywhere",
  ticketKeys: "anywhere",
} as const satisfies KnownOptions<TicketResumption>;

const RESUMPTION_OPTIONS = { ...STATEFUL_OPTIONS, ...TICKET_OPTIONS };

const DAY_MS = 24 * 60 * 60 * 1000;

/** How sessions are resumed, checked. */
export type Resumption =
  & { maxAge: number; tickets: number }
  & (
    | { mode: "off" }
    | {
      mode: "stateful";
      store: SessionStore;
      keys: SealingKeys;
      timeout: number;
      memory: number;
    }
    | { mode: "tickets"; ticketKeys: TicketKeys }
  );

function checkResumption(given: unknown): Resumption {
  if (given === undefined) return { mode: "off", maxAge: DAY_MS, tickets: 0 };
  const read = readOptions(given, RESUMPTION_OPTIONS, '"resumption"', "resumption.");
  const mode = checkOneOf("resumption.mode", read.mode, ["stateful", "tickets"]);
  const known = mode === "stateful" ? STATEFUL_OPTIONS : TICKET_OPTIONS;
  for (const [name, value] of Object.entries(read)) {
    if (value === undefined || Object.hasOwn(known, name)) continue;
    throw new TypeError(`Option "${name}" is unknown to "resumption" of mode "${mode}"`);
  }
  const maxAge = checkTimeout("resumption.maxAge", read.maxAge, DAY_MS);
  if (maxAge > 7 * DAY_MS) {
    throw new TypeError(`Option "resumption.maxAge" must be 7 days at most, got ${maxAge} ms`);
  }
  const { tickets: wanted = 2, memory = 1000 } = read;
  const tickets = checkInteger("resumption.tickets", wanted, 0, 8);
  const { ticketKeys, keys } = read;
  if (mode === "tickets") {
    checkInstance("resumption.ticketKeys", ticketKeys, TicketKeys);
    return { mode, maxAge, tickets, ticketKeys };
  }
  const store = checkStore("resumption.store", read.store);
  checkInstance("resumption.keys", keys, SealingKeys);
  return {
    mode,
    maxAge,
    tickets,
    store,
    keys,
    timeout: checkTimeout("resumption.timeout", read.timeout, 250),
    memory: checkInteger("resumption.memory", memory, 0, 1_000_000),
  };
}

/** All options, checked. */
export interface CheckedServerOptions extends CheckedSni {
  credentials: Credential[];
  alpn: Uint8Array[];
  clientAuth: "none" | "optional" | "required";
  roots: Uint8Array[];
  crls: Uint8Array[];
  versions: ProtocolVersion[];
  suites: CipherSuite[];
  resumption: Resumption;
  sessionContext: string | undefined;
  maxPending: number;
  maxEarlyDataSize: number;
  revocationEpoch: number;
  callbacks: Pick<ServerContextOptions, "verify" | "sessionData" | "keyLog" | "onDiagnostic">;
}

/** Whether clients are asked for a certificate, and under which roots. */
function checkClientAuth(
  options: Read<typeof OPTIONS>,
): Pick<CheckedServerOptions, "clientAuth" | "roots"> {
  const { clientAuth: wanted = "none" } = options;
  const clientAuth = checkOneOf("clientAuth", wanted, ["none", "optional", "required"]);
  const roots = checkStrings("caCerts", options.caCerts).flatMap((pem) =>
    pemCertificates("caCerts", pem)
  );
  if ((clientAuth === "none") !== (roots.length === 0)) {
    throw new TypeError('Options "clientAuth" and "caCerts" go together');
  }
  return { clientAuth, roots };
}

/** Reads the options of a server's context, and checks them together. */
export function checkServerOptions(given: unknown): CheckedServerOptions {
  const options = readOptions(given, OPTIONS, "ServerContext options");
  const credentials = checkDefaults(options);
  const { names, resolve } = checkSni(options.sni);
  if (credentials.length === 0 && names.size === 0 && resolve === undefined) {
    throw new TypeError(
      'Option "cert" and "key", "certificates" or "sni" must be there, and have a certificate',
    );
  }
  const resumption = checkResumption(options.resumption);
  const { maxEarlyDataSize: earlyData = 0, revocationEpoch = 0, maxPending = 1000 } = options;
  const maxEarlyDataSize = checkInteger("maxEarlyDataSize", earlyData, 0, 16 * 1024 * 1024);
  checkEarlyData(maxEarlyDataSize, resumption);
  const versions = checkVersions(options);
  return {
    credentials,
    names,
    resolve,
    alpn: checkAlpn(options.alpnProtocols),
    ...checkClientAuth(options),
    crls: checkStrings("crls", options.crls).flatMap((pem) => pemCrls("crls", pem)),
    versions,
    suites: checkSuites(options, versions),
    resumption,
    sessionContext: checkSessionContext(options.sessionContext),
    maxPending: checkInteger("maxPending", maxPending, 1, 1_000_000),
    maxEarlyDataSize,
    revocationEpoch: checkInteger(
      "revocationEpoch",
      revocationEpoch,
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    callbacks: {
      verify: checkFunction("verify", options.verify),
      sessionData: checkFunction("sessionData", options.sessionData),
      keyLog: checkFunction("keyLog", options.keyLog),
      onDiagnostic: checkFunction("onDiagnostic", options.onDiagnostic),
    },
  };
}

/** Bytes of UTF-8. */
const MAX_SESSION_CONTEXT = 255;

function checkSessionContext(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  checkString("sessionContext", value);
  return checkText("sessionContext", value, MAX_SESSION_CONTEXT);
}

/** RFC 8446 §8: a replay is refused by a `take` that has one winner, or not at all. */
function checkEarlyData(maxEarlyDataSize: number, resumption: Resumption): void {
  if (maxEarlyDataSize === 0) return;
  if (resumption.mode !== "stateful") {
    throw new TypeError('Option "maxEarlyDataSize" needs "resumption" of mode "stateful"');
  }
  const { atomicTake, consistency } = resumption.store.capabilities;
  if (!atomicTake || consistency !== "strong") {
    throw new TypeError(
      'Option "maxEarlyDataSize" needs a store with an atomic take and strong consistency',
    );
  }
}

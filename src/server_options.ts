/**
 * The options of a server's context, and their checks.
 *
 * @module
 */

import { utf8 } from "./bytes.ts";
import type { OnDiagnostic } from "./diagnostics.ts";
import {
  badOption,
  checkFunction,
  checkInteger,
  checkKnown,
  checkOneOf,
  checkString,
  checkStrings,
  checkTimeout,
} from "./options.ts";
import { pemCertificates, pemCrls, pemPrivateKey, type PrivateKeyDer } from "./pem.ts";
import type { CipherSuite, ProtocolVersion } from "./registry.ts";
import { SealingKeys } from "./sealing_keys.ts";
import { checkStore, type SessionStore } from "./session_store.ts";
import { checkSuites, checkVersions } from "./suite_options.ts";
import { TicketKeys } from "./ticket_keys.ts";

/** A certificate that a server answers with. */
export interface ServerCertificate {
  /** The chain in PEM, end entity first. */
  cert: string;
  /** Its private key in PEM: PKCS#8, SEC1 or PKCS#1; EC, RSA or Ed25519. */
  key: string;
  /** An OCSP response in DER (RFC 6960), passed to clients that ask for one. */
  ocspResponse?: Uint8Array;
}

/** What `sni` maps to: one certificate, or one for each key type. */
export type ServerCertificates = ServerCertificate | readonly ServerCertificate[];

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
   * is not there gets `cert`, or the alert unrecognized_name where there is none.
   */
  sni?:
    | Readonly<Record<string, ServerCertificates>>
    | ((
      serverName: string,
    ) => ServerCertificates | null | undefined | Promise<ServerCertificates | null | undefined>);
  /** Application protocols to take (RFC 7301), the preferred one first. */
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
  /** Gets lines in the NSS key log format, which let others decrypt the traffic. */
  keyLog?: (line: string) => void;
}

const OPTIONS: readonly (keyof ServerContextOptions)[] = [
  "cert",
  "key",
  "ocspResponse",
  "certificates",
  "sni",
  "alpnProtocols",
  "clientAuth",
  "caCerts",
  "crls",
  "verify",
  "minVersion",
  "maxVersion",
  "cipherSuites",
  "resumption",
  "sessionContext",
  "maxPending",
  "maxEarlyDataSize",
  "sessionData",
  "revocationEpoch",
  "onDiagnostic",
  "keyLog",
];

const DAY_MS = 24 * 60 * 60 * 1000;

/** A checked certificate in DER. */
export interface Credential {
  chain: Uint8Array[];
  key: PrivateKeyDer;
  ocsp: Uint8Array;
}

/** Checks one name's certificates. */
export function checkCertificates(name: string, given: ServerCertificates): Credential[] {
  const list = Array.isArray(given) ? given : [given];
  if (list.length === 0) throw new TypeError(`Option "${name}" has no certificate`);
  return list.map((each: ServerCertificate) => {
    checkKnown(each, ["cert", "key", "ocspResponse"], `"${name}"`);
    checkString(`${name}.cert`, each.cert);
    checkString(`${name}.key`, each.key);
    const { ocspResponse } = each;
    if (ocspResponse !== undefined && !(ocspResponse instanceof Uint8Array)) {
      badOption(`${name}.ocspResponse`, "a Uint8Array", ocspResponse);
    }
    return {
      chain: pemCertificates(`${name}.cert`, each.cert),
      key: pemPrivateKey(`${name}.key`, each.key),
      ocsp: ocspResponse ?? new Uint8Array(0),
    };
  });
}

function checkServerName(name: string): string {
  if (!/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(name)) {
    throw new TypeError(`Option "sni" has a key that is no DNS name: "${name}"`);
  }
  return name.toLowerCase();
}

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

function checkResumption(given: ServerContextOptions["resumption"]): Resumption {
  if (given === undefined) return { mode: "off", maxAge: DAY_MS, tickets: 0 };
  const stateful = ["store", "keys", "timeout", "memory"];
  const mode = checkOneOf("resumption.mode", given?.mode, ["stateful", "tickets"]);
  const own = mode === "stateful" ? stateful : ["ticketKeys"];
  checkKnown(given, ["mode", "maxAge", "tickets", ...own], '"resumption"');
  const maxAge = checkTimeout("resumption.maxAge", given.maxAge, DAY_MS);
  if (maxAge > 7 * DAY_MS) {
    throw new TypeError(`Option "resumption.maxAge" must be 7 days at most, got ${maxAge} ms`);
  }
  const tickets = checkInteger("resumption.tickets", given.tickets ?? 2, 0, 8);
  if (given.mode === "tickets") {
    if (!(given.ticketKeys instanceof TicketKeys)) {
      badOption("resumption.ticketKeys", "TicketKeys", given.ticketKeys);
    }
    return { mode: "tickets", maxAge, tickets, ticketKeys: given.ticketKeys };
  }
  const store = checkStore("resumption.store", given.store);
  if (!(given.keys instanceof SealingKeys)) {
    badOption("resumption.keys", "SealingKeys", given.keys);
  }
  return {
    mode: "stateful",
    maxAge,
    tickets,
    store,
    keys: given.keys,
    timeout: checkTimeout("resumption.timeout", given.timeout, 250),
    memory: checkInteger("resumption.memory", given.memory ?? 1000, 0, 1_000_000),
  };
}

/** All options, checked. */
export interface CheckedServerOptions {
  credentials: Credential[];
  names: Map<string, Credential[]>;
  resolve: ((name: string) => unknown) | undefined;
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
}

/** Checks all options together. */
export function checkServerOptions(options: ServerContextOptions): CheckedServerOptions {
  checkKnown(options, OPTIONS, "ServerContext options");
  const { cert, key, ocspResponse, sni } = options;
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError('Options "cert" and "key" go together');
  }
  const own: ServerCertificate[] = cert === undefined
    ? []
    : [{ cert, key: key!, ...(ocspResponse && { ocspResponse }) }];
  const all = [...own, ...(options.certificates ?? [])];
  const credentials = all.length === 0 ? [] : checkCertificates("certificates", all);
  const names = new Map<string, Credential[]>();
  if (typeof sni === "object" && sni !== null) {
    for (const [name, certificates] of Object.entries(sni)) {
      names.set(checkServerName(name), checkCertificates("sni", certificates));
    }
  } else checkFunction("sni", sni);
  if (credentials.length === 0 && sni === undefined) {
    throw new TypeError('Option "cert" and "key", "certificates" or "sni" must be there');
  }
  const auths = ["none", "optional", "required"] as const;
  const clientAuth = checkOneOf("clientAuth", options.clientAuth ?? "none", auths);
  const roots = checkStrings("caCerts", options.caCerts).flatMap((pem) =>
    pemCertificates("caCerts", pem)
  );
  if ((clientAuth === "none") !== (roots.length === 0)) {
    throw new TypeError('Options "clientAuth" and "caCerts" go together');
  }
  checkFunction("verify", options.verify);
  checkFunction("sessionData", options.sessionData);
  checkFunction("onDiagnostic", options.onDiagnostic);
  checkFunction("keyLog", options.keyLog);
  const resumption = checkResumption(options.resumption);
  const maxEarlyDataSize = checkInteger(
    "maxEarlyDataSize",
    options.maxEarlyDataSize ?? 0,
    0,
    16 * 1024 * 1024,
  );
  checkEarlyData(maxEarlyDataSize, resumption);
  const versions = checkVersions(options);
  return {
    credentials,
    names,
    resolve: typeof sni === "function" ? sni : undefined,
    alpn: checkStrings("alpnProtocols", options.alpnProtocols).map((name) => utf8(name)),
    clientAuth,
    roots,
    crls: checkStrings("crls", options.crls).flatMap((pem) => pemCrls("crls", pem)),
    versions,
    suites: checkSuites(options, versions),
    resumption,
    sessionContext: checkSessionContext(options.sessionContext),
    maxPending: checkInteger("maxPending", options.maxPending ?? 1000, 1, 1_000_000),
    maxEarlyDataSize,
    revocationEpoch: checkInteger(
      "revocationEpoch",
      options.revocationEpoch ?? 0,
      0,
      Number.MAX_SAFE_INTEGER,
    ),
  };
}

function checkSessionContext(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  checkString("sessionContext", value);
  const { length } = utf8(value);
  if (length > 255) {
    throw new TypeError(`Option "sessionContext" must have 255 bytes at most, got ${length}`);
  }
  return value;
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

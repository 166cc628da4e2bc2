/**
 * One process of the demo: it connects once. The first one keeps the session's bytes in Deno KV,
 * the next one takes them from there and resumes.
 *
 * Rules: it gets one object of JSON on stdin and answers with one on stdout. What goes wrong is an
 * answer too.
 *
 * @module
 */

import {
  ClientContext,
  type HandshakeInfo,
  type ProtocolVersion,
  type SessionMiss,
  startTls,
  TlsError,
} from "../mod.ts";
import { type Counts, countStreams } from "./counted.ts";

/** The most that Deno KV takes as one value, in bytes. */
const MAX_KV_VALUE = 65_536;
const CONNECT_TIMEOUT_MS = 10_000;
/** How long a session is waited for, and once more after the server was asked for something. */
const QUIET_MS = 1_000;

/** What the process is to do. */
export interface ClientInput {
  task: "keep" | "resume";
  hostname: string;
  port: number;
  /** PEM; `undefined`: Mozilla's roots. */
  caCerts: string[] | undefined;
  /** The one version to speak. */
  protocol: ProtocolVersion;
  /** Path of the Deno KV file. */
  kv: string;
}

/** What it did. */
export interface ClientReport {
  handshake: HandshakeInfo;
  /** Milliseconds from the open TCP connection to the end of the handshake. */
  milliseconds: number;
  counts: Counts;
  /** Bytes of the session that was kept or taken; `undefined`: none. */
  sessionLength: number | undefined;
  /** Why nothing was kept. */
  notKept: "no_session" | "too_big" | undefined;
  sessionMiss: SessionMiss | null;
}

/** Why it came to no connection. */
export interface ClientFailure {
  /** A `TlsError`'s code, or an error's name. */
  code: string;
  alert?: string;
  message: string;
}

export type ClientAnswer = { report: ClientReport } | { failure: ClientFailure };

async function connectTcp(hostname: string, port: number): Promise<Deno.TcpConn> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`No TCP connection within ${CONNECT_TIMEOUT_MS} ms`)),
    CONNECT_TIMEOUT_MS,
  );
  try {
    const tcp = await Promise.race([Deno.connect({ hostname, port }), late.promise]);
    tcp.setNoDelay(true);
    return tcp;
  } finally {
    clearTimeout(timer);
  }
}

/** Gets and removes in one: a session of TLS 1.3 is offered once, by whoever took it. */
async function take(kv: Deno.Kv, key: Deno.KvKey): Promise<Uint8Array | undefined> {
  const entry = await kv.get<Uint8Array>(key);
  const { ok } = await kv.atomic().check(entry).delete(key).commit();
  return ok && entry.value !== null ? entry.value : undefined;
}

async function run(input: ClientInput): Promise<ClientReport> {
  const { task, hostname, port, caCerts, protocol } = input;
  using kv = await Deno.openKv(input.kv);
  const key = ["session", hostname, port, protocol];

  const session = task === "resume" ? await take(kv, key) : undefined;
  // A session is bound to the options of its context: they are the same in both processes.
  const context = new ClientContext({ caCerts, minVersion: protocol, maxVersion: protocol });
  const tcp = await connectTcp(hostname, port);
  const { streams, counts } = countStreams(tcp);
  const started = performance.now();
  await using conn = await startTls(streams, { hostname, port, context, session });
  const milliseconds = performance.now() - started;
  const report: ClientReport = {
    handshake: { ...await conn.handshake(), peerCertificates: [] },
    milliseconds,
    counts: { ...counts },
    sessionLength: session?.length,
    notKept: undefined,
    sessionMiss: conn.sessionMiss,
  };
  if (task === "resume") return report;

  let newest = await conn.getSession({ timeout: QUIET_MS });
  if (newest === null) {
    // Some servers send their tickets with the first answer. Most servers know this question.
    const question = `HEAD / HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`;
    await conn.write(new TextEncoder().encode(question)).catch(() => {});
    newest = await conn.getSession({ timeout: QUIET_MS });
  }
  if (newest === null) return { ...report, notKept: "no_session" };
  const bytes = newest.toBytes();
  report.sessionLength = bytes.length;
  if (bytes.length > MAX_KV_VALUE) return { ...report, notKept: "too_big" };
  await kv.set(key, bytes, { expireIn: Math.max(1, newest.expiresAt.getTime() - Date.now()) });
  return report;
}

function failure(error: unknown): ClientFailure {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  if (!(error instanceof TlsError)) return { code: name, message };
  return { code: error.code, alert: error.alert, message };
}

const input = await new Response(Deno.stdin.readable).json() as ClientInput;
const answer: ClientAnswer = await run(input)
  .then((report) => ({ report }), (error) => ({ failure: failure(error) }));
// deno-lint-ignore no-console -- stdout is how it is spoken with
console.log(JSON.stringify(answer));
// A TCP connection that came too late would keep the process.
Deno.exit(0);

/**
 * One connection to a server that answers a GET: what both ends say of it.
 *
 * Rules: `visit` is the same in the test's own process and, by `visitInNewProcess`, in another one,
 * so that sessions cross processes as bytes. A server's own word on resumption is there only if it
 * is OpenSSL's page.
 *
 * @module
 */

import { connectTls, type ConnectTlsOptions, Session, type TlsConn } from "../../mod.ts";
import { type HandshakeInfo } from "../../src/handshake_info.ts";
import { reusedByPage } from "../peers/openssl.ts";
import { runScript } from "../peers/process.ts";

const LIMIT_MS = 15_000;
const GET = new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n");

/** What became of a connection. */
export interface Visit {
  /** `sessionReused` of the client. */
  reused: boolean;
  /** `Reused` on OpenSSL's page; `null`: the answer was no such page. */
  reusedAtServer: boolean | null;
  miss: string | null;
  info: Omit<HandshakeInfo, "peerCertificates">;
  /** Of the server's chain. */
  chainLength: number;
  /** What the server sent. */
  page: string;
  /** The newest session, in hexadecimal. */
  session: string | null;
}

/** Options that cross to another process. */
export type VisitOptions = Omit<ConnectTlsOptions, "session" | "hostname"> & {
  /** `localhost` if not given. */
  hostname?: string;
  /** Hexadecimal, or an object of this process. */
  session?: string | Session | Uint8Array | null;
};

/** Reads to the end. */
export async function readAll(conn: TlsConn): Promise<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(64 * 1024);
  const chunks: Uint8Array[] = [];
  for (let n; (n = await conn.read(buffer)) !== null;) chunks.push(buffer.slice(0, n));
  return new Uint8Array(Buffer.concat(chunks));
}

/** The promise, or an error when it takes too long. */
export async function bounded<T>(promise: Promise<T>, what: string, ms = LIMIT_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Sends a GET, reads to the end, takes the session and closes. */
export async function visitOn(conn: TlsConn): Promise<Visit> {
  await using _closing = conn;
  const exchange = async (): Promise<Visit> => {
    await conn.write(GET);
    const page = new TextDecoder().decode(await readAll(conn));
    const session = await conn.getSession();
    const { peerCertificates, ...info } = await conn.handshake();
    return {
      reused: conn.sessionReused,
      reusedAtServer: page.includes("<HTML>") ? reusedByPage(page) : null,
      miss: conn.sessionMiss,
      info,
      chainLength: peerCertificates.length,
      page,
      session: session?.toBytes().toHex() ?? null,
    };
  };
  return await bounded(exchange(), "visit");
}

/** Connects, and visits. */
export async function visit({ session, ...options }: VisitOptions): Promise<Visit> {
  const conn = await connectTls({
    hostname: "localhost",
    handshakeTimeout: LIMIT_MS,
    ...options,
    session: typeof session === "string" ? Uint8Array.fromHex(session) : session ?? undefined,
  });
  return await visitOn(conn);
}

/** The same in a Deno process of its own. */
export async function visitInNewProcess(options: VisitOptions): Promise<Visit & { pid: number }> {
  return await runScript(new URL("./visit_script.ts", import.meta.url), { input: options });
}

/** What tells a resumed from a full handshake, at both ends. */
export function resumption({ reused, reusedAtServer, miss }: Visit) {
  return { reused, reusedAtServer, miss };
}

/** What {@linkcode resumption} is where OpenSSL's server resumed. */
export const RESUMED = { reused: true, reusedAtServer: true, miss: null };

/** What {@linkcode resumption} is where OpenSSL's server did not, for a reason. */
export function full(miss: string | null = null) {
  return { reused: false, reusedAtServer: false, miss };
}

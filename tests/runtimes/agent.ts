/**
 * The same in every runtime: does what a test asks with the library as that runtime has it.
 *
 * Rules: no built-in module of any runtime, nothing that Node 20 lacks; types only from the sources,
 * so that a bundle holds the library once, and as its user gets it.
 *
 * @module
 */

import type * as Reprise from "../../mod.ts";
import type { fetchOver } from "../../src/http/mod.ts";
import { httpStore } from "../stores/http_store.ts";
import { makeMistakes } from "./mistakes.ts";
import type {
  Failure,
  Operations,
  Report,
  ServeInput,
  VisitInput,
  VisitResult,
} from "./protocol.ts";

/** What differs between runtimes. */
export interface Platform {
  library: Omit<typeof Reprise, "connectTls">;
  fetchOver: typeof fetchOver;
  version: string;
  /** Opens a connection to 127.0.0.1, by `connectTls()` or by `startTls()` over what there is. */
  connect(options: Reprise.ConnectTlsOptions): Promise<Reprise.TlsConn>;
  /** The store that a client of this runtime would use. */
  store(): Reprise.SessionStore | Promise<Reprise.SessionStore>;
  /** Whether the runtime can listen on TCP. Where it cannot, `accept` gets streams. */
  listens: boolean;
}

/** The operations, and the way in for connections that a runtime is handed. */
export interface Agent extends Operations {
  accept(streams: Reprise.ByteStreams): Promise<void>;
}

const GET = "GET / HTTP/1.0\r\n\r\n";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export const fromHex = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));

/** The secret as both kinds of keys take it. */
const secretBytes = (hex: string) => new Uint8Array(fromHex(hex));

/** Describes what was thrown. */
export function failure(error: unknown): Failure {
  const { name, message, code, origin, alert } = error as Failure;
  return { name, message: message ?? String(error), code, origin, alert };
}

/** Makes the agent of a runtime. */
export function makeAgent(platform: Platform): Agent {
  const { library } = platform;
  let serving: { context: Reprise.ServerContext; listener?: Reprise.TlsListener } | undefined;
  let reports: Report[] = [];
  const open = new Set<Reprise.TlsConn>();

  async function visit(input: VisitInput): Promise<VisitResult> {
    const result: VisitResult = { received: "", session: null };
    const abort = new AbortController();
    const reason = new Error("The test aborts");
    if (input.abort === "before") abort.abort(reason);
    else if (input.abort !== undefined) setTimeout(() => abort.abort(reason), input.abort);
    let conn: Reprise.TlsConn | undefined;
    let context: Reprise.ClientContext | undefined;
    try {
      const { hostname = "localhost", port, serverName, handshakeTimeout = 15_000 } = input;
      const resumption = input.secret === undefined ? undefined : {
        store: await platform.store(),
        keys: await library.SealingKeys.fromSecret(secretBytes(input.secret)),
        timeout: 5_000,
      };
      context = new library.ClientContext({ ...input.options, resumption });
      conn = await platform.connect({
        hostname,
        port,
        serverName,
        context,
        handshakeTimeout,
        session: input.session === undefined ? undefined : fromHex(input.session),
        earlyData: input.earlyData === undefined ? undefined : encoder.encode(input.earlyData),
        signal: abort.signal,
      });
      const { peerCertificates, ...info } = await conn.handshake();
      result.info = { ...info, chainLength: peerCertificates.length };
      result.reused = conn.sessionReused;
      result.miss = conn.sessionMiss;
      if (input.echo !== undefined) await echo(conn, input.echo, result);
      else if (input.fetch !== undefined) {
        for (const path of input.fetch) {
          const response = await platform.fetchOver(conn, `https://${hostname}:${port}${path}`);
          result.received += await response.text();
        }
      } else {
        await conn.write(encoder.encode(input.send ?? GET));
        await readAll(conn, result);
      }
    } catch (error) {
      result.error = failure(error);
    }
    try {
      const session = await conn?.getSession();
      result.session = session ? toHex(session.toBytes()) : null;
    } catch {
      // The error that counts was thrown before.
    }
    await conn?.close();
    await context?.settled();
    return result;
  }

  async function serve({ options, resumption: how }: ServeInput): Promise<number | null> {
    reports = [];
    const context = new library.ServerContext({ ...options, resumption: await resumption(how) });
    if (!platform.listens) {
      serving = { context };
      return null;
    }
    const listener = library.listenTls({
      hostname: "127.0.0.1",
      port: 0,
      context,
      onError: (error) => void reports.push({ error: failure(error) }),
    });
    serving = { context, listener };
    (async () => {
      for await (const conn of listener) answer(conn);
    })();
    return (await listener.listening).port;
  }

  async function resumption(
    how: ServeInput["resumption"],
  ): Promise<Reprise.ServerContextOptions["resumption"]> {
    if (how === undefined) return undefined;
    const secret = secretBytes(how.secret);
    if (how.mode === "tickets") {
      return { mode: "tickets", ticketKeys: await library.TicketKeys.fromSecret(secret) };
    }
    const keys = await library.SealingKeys.fromSecret(secret);
    return { mode: "stateful", store: httpStore(how.store!), keys, timeout: 5_000 };
  }

  /** A line that tells of the handshake, then what comes in. */
  async function answer(conn: Reprise.TlsConn): Promise<void> {
    open.add(conn);
    try {
      const { peerCertificates, ...info } = await conn.handshake();
      const { resumed, protocol, serverName, alpnProtocol, earlyData } = info;
      const peer = peerCertificates.length;
      reports.push({ resumed, protocol, serverName, alpnProtocol, earlyData, peer });
      await serving?.context.settled();
      await conn.write(encoder.encode(`${resumed ? "resumed" : "full"} ${protocol}\n`));
      const buffer = new Uint8Array(64 * 1024);
      for (let n; (n = await conn.read(buffer)) !== null;) await conn.write(buffer.slice(0, n));
    } catch {
      // Clients go as they like.
    } finally {
      await conn.close();
      open.delete(conn);
    }
  }

  return {
    version: () => Promise.resolve(platform.version),
    visit,
    serve,
    async stop() {
      await serving?.listener?.close();
      await Promise.all(Array.from(open, (conn) => conn.close()));
      serving = undefined;
      return reports;
    },
    mistakes: ({ session, ...certificate }) =>
      makeMistakes(library, { ...certificate, session: fromHex(session) }),
    async accept(streams) {
      if (serving === undefined) throw new Error("Nothing is served");
      try {
        const conn = await library.acceptTls(streams, { context: serving.context });
        await answer(conn);
      } catch (error) {
        reports.push({ error: failure(error) });
      }
    },
  };
}

async function readAll(conn: Reprise.TlsConn, result: VisitResult): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let n; (n = await conn.read(buffer)) !== null;) {
    result.received += decoder.decode(buffer.subarray(0, n), { stream: true });
  }
}

/** Sends bytes while it reads them back. */
async function echo(conn: Reprise.TlsConn, length: number, result: VisitResult): Promise<void> {
  const sent = Uint8Array.from({ length }, (_, i) => i * 31 + (i >> 8));
  const buffer = new Uint8Array(64 * 1024);
  let line = "";
  const back = new Uint8Array(length);
  let at = -1;
  const writing = conn.write(sent);
  writing.catch(() => {});
  while (at < length) {
    const n = await conn.read(buffer);
    if (n === null) throw new Error(`The end came after ${at} bytes`);
    let bytes = buffer.subarray(0, n);
    if (at < 0) {
      const end = bytes.indexOf(10);
      line += decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
      if (end < 0) continue;
      bytes = bytes.subarray(end + 1);
      at = 0;
    }
    back.set(bytes, at);
    at += bytes.length;
  }
  await writing;
  result.received = line;
  result.same = back.every((byte, i) => byte === sent[i]);
}

/** Runs a call; for the mains. */
export async function perform(
  agent: Operations,
  operation: string,
  input: unknown,
): Promise<{ result?: unknown; error?: string }> {
  try {
    const run = agent[operation as keyof Operations] as (input: unknown) => Promise<unknown>;
    return { result: await run(input) };
  } catch (error) {
    return { error: `${(error as Error)?.stack ?? error}` };
  }
}

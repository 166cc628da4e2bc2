/**
 * What a server under test does with a connection: it says, as a line of JSON, what it saw of it.
 *
 * Rules: early data is read before anything else; the answer goes out once a line has come; then
 * the server ends the connection. A client that says nothing and ends is fine.
 *
 * @module
 */

import type { TlsConn } from "../../mod.ts";

/** A connection as the server saw it. */
export interface Report {
  resumed: boolean;
  protocol: string;
  cipherSuite: string;
  alpn: string | null;
  serverName: string | null;
  earlyData: "none" | "accepted" | "rejected";
  /** The early data itself; `null`: none was accepted. */
  early: string | null;
  /** What `conn.sessionData` held, as text. */
  sessionData: string | null;
  miss: string | null;
  /** The client's chain, in hexadecimal. */
  peer: string[];
}

/** What the server knows when the handshake is complete. */
export async function reportOn(conn: TlsConn): Promise<Report> {
  const info = await conn.handshake();
  const { earlyReadable, sessionData } = conn;
  return {
    resumed: conn.sessionReused,
    protocol: info.protocol,
    cipherSuite: info.cipherSuite,
    alpn: info.alpnProtocol,
    serverName: info.serverName,
    earlyData: info.earlyData,
    early: earlyReadable && await new Response(earlyReadable).text(),
    sessionData: sessionData && new TextDecoder().decode(sessionData),
    miss: conn.sessionMiss,
    peer: info.peerCertificates.map((der) => der.toHex()),
  };
}

/** Waits for a line, answers with the report, and closes. Ends quietly if the client went. */
export async function answer(conn: TlsConn, report: Report): Promise<void> {
  await using _closing = conn;
  const buffer = new Uint8Array(4096);
  try {
    for (;;) {
      const n = await conn.read(buffer);
      if (n === null) return;
      if (buffer.subarray(0, n).includes(0x0a)) break;
    }
    await conn.write(new TextEncoder().encode(`${JSON.stringify(report)}\n`));
  } catch {
    // What the client did not wait for, it does not get.
  }
}

/** The report within what a client printed or read. */
export function answered(text: string): Report {
  // OpenSSL prints it wherever it is with its own remarks.
  const line = text.match(/\{"resumed":.*\}$/m)?.[0];
  if (line === undefined) throw new Error(`No answer of the server in: ${text.slice(-1000)}`);
  return JSON.parse(line);
}

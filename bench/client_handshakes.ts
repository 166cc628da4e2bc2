/**
 * Handshakes a second, one after the other, against OpenSSL on loopback.
 *
 * Rules:
 * - A handshake counts from before the TCP connection until after `close()`, as a program has it
 *   that connects, and nothing is read or written in between.
 * - `Reprise resumed` offers the same session each time. OpenSSL takes a stateless ticket again as
 *   long as early data is off. A program must not do this on TLS 1.3 (RFC 8446 §C.4); it shows
 *   what the handshake alone costs, as its ticket was there before.
 * - `Reprise resumed, next ticket`, TLS 1.3 only, is what a program does: each connection waits
 *   for a ticket, and the next one offers it. A resumed handshake of TLS 1.2 brings no new one.
 * - Each resumed handshake must say `sessionReused`; before and after all rounds OpenSSL must agree.
 *
 * @module
 */

import { caCert } from "../tests/testdata/mod.ts";
import { reusedByPage, startOpensslServer, type TlsVersion } from "../tests/peers/openssl.ts";
import {
  type Client,
  denoClient,
  nodeClient,
  type Opened,
  type RepriseClient,
  repriseClient,
  type RepriseOpened,
} from "./clients.ts";
import type { Comparison } from "./report.ts";
import { interleave, sample, type Subject } from "./rounds.ts";

export interface HandshakeOptions {
  version: TlsVersion;
  rounds: number;
  /** So many of each subject in each round. */
  handshakes: number;
}

/** Measures Reprise, full and resumed, beside Deno's own clients. */
export async function clientHandshakes(options: HandshakeOptions): Promise<Comparison> {
  const { version, rounds, handshakes } = options;
  const ca = caCert("ec");
  await using server = await startOpensslServer({ version, www: "www" });
  const reprise = repriseClient(ca);
  const clients = [reprise, denoClient(ca), nodeClient(ca)];
  const suites = await negotiated(clients, server.port);
  const session = await firstSession(reprise, server.port);

  const resumed = [
    resumedHandshakes("Reprise resumed", reprise, server.port, session, handshakes),
  ];
  if (version === "TLSv1.3") {
    const name = "Reprise resumed, next ticket";
    resumed.push(resumedHandshakes(name, reprise, server.port, session, handshakes, ticket));
  }
  const full = clients.map((client) => fullHandshakes(client, server.port, handshakes));
  await assertReused(reprise, server.port, session);
  const measured = await interleave([...full, ...resumed], rounds);
  await assertReused(reprise, server.port, session);

  // The prototype was measured so on TLS 1.3 only.
  const proto = (ratio: number) => version === "TLSv1.3" ? ratio : undefined;
  return {
    title: `${version} handshakes, P-256 certificate`,
    unit: "handshake",
    digits: 0,
    measured,
    ratios: [
      { over: "Reprise full", under: "Deno.connectTls full", prototype: proto(0.8) },
      { over: "Reprise full", under: "node:tls full" },
      { over: "Reprise resumed", under: "Deno.connectTls full", prototype: proto(2.1) },
      { over: "Reprise resumed", under: "node:tls full" },
      ...resumed.slice(1).map(({ name }) => ({ over: name, under: "Deno.connectTls full" })),
    ],
    notes: [`${handshakes} in each of ${rounds} rounds; ${suites}`],
  };
}

function fullHandshakes(client: Client, port: number, handshakes: number): Subject {
  return {
    name: `${client.name} full`,
    measure: () =>
      sample(handshakes, async () => {
        for (let i = 0; i < handshakes; i++) await (await client.open(port)).close();
      }),
  };
}

/** `next` is asked after each handshake which session to offer from then on. */
function resumedHandshakes(
  name: string,
  client: RepriseClient,
  port: number,
  first: Uint8Array,
  handshakes: number,
  next?: (opened: RepriseOpened) => Promise<Uint8Array>,
): Subject {
  let session = first;
  return {
    name,
    measure: () =>
      sample(handshakes, async () => {
        for (let i = 0; i < handshakes; i++) {
          const opened = await client.open(port, session);
          const { sessionReused, sessionMiss } = opened.conn;
          if (!sessionReused) throw new Error(`A session was not resumed: ${sessionMiss}`);
          if (next) session = await next(opened);
          await opened.close();
        }
      }),
  };
}

async function ticket({ conn }: RepriseOpened): Promise<Uint8Array> {
  const session = await conn.getSession();
  if (session === null) throw new Error("The server sent no ticket");
  return session.toBytes();
}

async function firstSession(client: RepriseClient, port: number): Promise<Uint8Array> {
  const opened = await client.open(port);
  const session = await ticket(opened);
  await opened.close();
  return session;
}

const GET = new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n");

/** OpenSSL's page about the connection, which is closed then. */
async function page(opened: Opened): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  await opened.write(GET);
  await opened.receive((bytes) => {
    text += decoder.decode(bytes, { stream: true });
    return text.includes("</pre>");
  });
  await opened.close();
  return text;
}

/** Asks OpenSSL: the engine's word alone would prove nothing. */
async function assertReused(client: RepriseClient, port: number, session: Uint8Array) {
  if (!reusedByPage(await page(await client.open(port, session)))) {
    throw new Error("OpenSSL did not resume a session");
  }
}

/** Which suite each client agrees on, by OpenSSL's page. */
async function negotiated(clients: Client[], port: number): Promise<string> {
  const suites: string[] = [];
  for (const client of clients) {
    const seen = await page(await client.open(port));
    suites.push(`${client.name}: ${seen.match(/Cipher is (\S+)/)?.[1] ?? "unknown"}`);
  }
  return suites.join(", ");
}

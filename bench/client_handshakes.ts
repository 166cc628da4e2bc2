/**
 * Handshakes a second, one after the other, against OpenSSL on loopback.
 *
 * Rules:
 * - A handshake counts from before the TCP connection until after `close()`, as a program has it
 *   that connects; nothing is read or written in between.
 * - `Reprise resumed` offers the same bytes each time. OpenSSL takes a stateless ticket again as
 *   long as early data is off. On TLS 1.3 no program should (RFC 8446 §C.4): it is measured to
 *   show what such a handshake costs when its ticket was there before.
 * - `Reprise resumed, next ticket`, TLS 1.3 only, is what a program does: each connection waits
 *   for a ticket, and the next one offers that. On TLS 1.2 a session may be used again, and a
 *   resumed handshake brings no new one.
 * - Each resumed handshake must say `sessionReused`, and at the end OpenSSL must have counted as
 *   many: all handshakes finished, and exactly these resumed.
 * - All connect to 127.0.0.1: no name is looked up. On TLS 1.3 `Deno.connectTls` is measured with
 *   `localhost` too, as the prototype was compared with that: it costs up to 2 ms on a busy machine.
 * - On TLS 1.2 `Deno.startTls` stands beside `Deno.connectTls`, and ratios are to the former: the
 *   latter spends 40 ms of each handshake on Nagle's algorithm, not on TLS (and does a tenth).
 *
 * @module
 */

import { startOpensslServer, type TlsVersion } from "../tests/peers/openssl.ts";
import { caCert } from "../tests/testdata/mod.ts";
import {
  type Client,
  denoByNameClient,
  denoClient,
  denoStartClient,
  nodeClient,
  type Opened,
  type RepriseClient,
  repriseClient,
  type RepriseOpened,
} from "./clients.ts";
import { opensslPage } from "./openssl_page.ts";
import type { Comparison } from "./report.ts";
import { interleave, sample, type Subject } from "./rounds.ts";

export interface HandshakeOptions {
  version: TlsVersion;
  rounds: number;
  /** So many of each subject in each round. */
  handshakes: number;
}

/** Opens connections to one server and counts them, to be compared with the server's count. */
class Counted {
  connections = 0;
  resumed = 0;
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  full<O extends Opened>(client: { open(port: number): Promise<O> }): Promise<O> {
    this.connections++;
    return client.open(this.#port);
  }

  async resume(client: RepriseClient, session: Uint8Array): Promise<RepriseOpened> {
    this.connections++;
    this.resumed++;
    const opened = await client.open(this.#port, session);
    const { sessionReused, sessionMiss } = opened.conn;
    if (!sessionReused) throw new Error(`A session was not resumed: ${sessionMiss}`);
    return opened;
  }

  async assertServerAgrees(client: Client) {
    const { accepts, finished, hits } = await opensslPage(await this.full(client));
    const { connections, resumed } = this;
    if (accepts !== connections || finished !== connections || hits !== resumed) {
      throw new Error(
        `OpenSSL counted ${accepts} handshakes, ${finished} finished, ${hits} resumed; ` +
          `expected ${connections}, ${resumed} resumed`,
      );
    }
  }
}

/** Measures Reprise, full and resumed, beside Deno's own clients. */
export async function clientHandshakes(options: HandshakeOptions): Promise<Comparison> {
  const { version, rounds, handshakes } = options;
  const is13 = version === "TLSv1.3";
  const ca = caCert("ec");
  await using server = await startOpensslServer({ version, www: "www" });
  const counted = new Counted(server.port);

  const reprise = repriseClient(ca);
  const node = nodeClient(ca);
  const natives = is13
    ? [denoClient(ca), denoByNameClient(ca)]
    : [denoStartClient(ca), denoClient(ca)];
  const clients = [reprise, ...natives, node];
  const suites: string[] = [];
  for (const client of clients) {
    const { cipherSuite } = await opensslPage(await counted.full(client));
    suites.push(`${client.name}: ${cipherSuite}`);
  }

  const opened = await counted.full(reprise);
  const session = await ticket(opened);
  await opened.close();

  const times = (count: number, action: () => Promise<void>) => () =>
    sample(count, async () => {
      for (let i = 0; i < count; i++) await action();
    });
  const subjects: Subject[] = clients.map((client) => {
    const count = !is13 && client === natives[1] ? Math.ceil(handshakes / 10) : handshakes;
    return {
      name: `${client.name} full`,
      measure: times(count, async () => (await counted.full(client)).close()),
    };
  });
  subjects.push({
    name: "Reprise resumed",
    measure: times(handshakes, async () => (await counted.resume(reprise, session)).close()),
  });
  if (is13) {
    let newest = session;
    subjects.push({
      name: "Reprise resumed, next ticket",
      measure: times(handshakes, async () => {
        const opened = await counted.resume(reprise, newest);
        newest = await ticket(opened);
        await opened.close();
      }),
    });
  }
  const measured = await interleave(subjects, rounds);
  await counted.assertServerAgrees(reprise);

  const ours = subjects.map(({ name }) => name).filter((name) => name.startsWith("Reprise"));
  const others = [natives[0], node, ...(is13 ? [natives[1]] : [])];
  return {
    title: `${version} handshakes, P-256 certificate`,
    unit: "handshake",
    digits: 0,
    measured,
    ratios: others.flatMap(({ name }) =>
      ours.map((over) => {
        const under = `${name} full`;
        return { over, under, prototype: PROTOTYPE[`${over} ÷ ${under}`] };
      })
    ),
    notes: [
      `${handshakes} in each of ${rounds} rounds; OpenSSL counted ${counted.connections}, ` +
      `${counted.resumed} of them resumed`,
      suites.join(", "),
    ],
  };
}

/** What the prototype had. It connected to an address, and `Deno.connectTls` to a name. */
const PROTOTYPE: Record<string, number> = {
  "Reprise full ÷ Deno.connectTls by name full": 0.8,
  "Reprise resumed ÷ Deno.connectTls by name full": 2.1,
};

async function ticket({ conn }: RepriseOpened): Promise<Uint8Array> {
  const session = await conn.getSession();
  if (session === null) throw new Error("The server sent no ticket");
  return session.toBytes();
}

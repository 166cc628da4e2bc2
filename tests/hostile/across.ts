/**
 * Sessions that go where or when they should not: to another server of the same store or ticket keys,
 * or beyond their time (RFC 8446 §4.6.1 and §C.4, RFC 5077 §3.3, RFC 6066 §3).
 *
 * The attacker is who carries them: a network that leads a client to another server of a fleet, or a
 * client that comes again for ever.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { caCert, serverCert, type ServerCertName } from "../testdata/mod.ts";
import {
  Client,
  ExtensionType,
  findExtension,
  listen,
  type Session,
  type Version,
  VERSIONS,
} from "./attacker/mod.ts";
import { MODES, resumptionOf } from "./attacks/sessions.ts";
import type { Suite } from "./suite.ts";
import type { Victim } from "./victims/process.ts";
import type { ServeInput } from "./victims/protocol.ts";
import { assertUnharmed } from "./watch.ts";

const HOUR_S = 60 * 60;

/** A server with a certificate. */
async function serve(
  victim: Victim,
  cert: ServerCertName,
  more: Partial<ServeInput>,
): Promise<{ server: number; port: number }> {
  const { options, ...rest } = more;
  return await victim.call("serve", { options: { ...serverCert(cert), ...options }, ...rest });
}

/** An honest visit, with a session or without: whether it resumed, and the newest session. */
async function visit(
  { port }: { port: number },
  version: Version,
  serverName: string | null,
  session?: Session,
): Promise<{ resumed: boolean; session: Session }> {
  await using client = await Client.connect(port, {
    versions: [version],
    serverName,
    sessions: session === undefined ? [] : [session],
  });
  await client.handshake();
  await client.echo();
  await client.bye();
  const newest = client.sessions.at(-1);
  assert(newest !== undefined, "The server gives a session");
  return { resumed: client.resumed, session: newest };
}

/** Two servers of a fleet, of which the second one must not resume sessions of the first. */
interface Fleet {
  name: string;
  certs: [ServerCertName, ServerCertName];
  serverName: string | null;
  more?: Partial<ServeInput>;
  second?: Partial<ServeInput>;
  resumed: boolean;
}

const FLEETS: Fleet[] = [
  {
    name: "a server for another name does not resume a session",
    certs: ["a_example", "b_example"],
    serverName: "a.example",
    resumed: false,
  },
  {
    name: "a server for another name does not resume a session of its other certificate",
    certs: ["a_example", "b_example"],
    serverName: "a.example",
    more: { resolver: true },
    resumed: false,
  },
  {
    name: "a server for another name does not resume a session for no name",
    certs: ["a_example", "b_example"],
    serverName: null,
    resumed: false,
  },
  {
    name: "a server with the same certificate resumes a session",
    certs: ["a_example", "a_example"],
    serverName: "a.example",
    resumed: true,
  },
  {
    name: "a server with a renewed certificate for the same names resumes a session",
    certs: ["ec_p256", "ec_p256_renewed"],
    serverName: "localhost",
    resumed: true,
  },
  {
    name: "NEW OPTION sessionContext: a server of another one does not resume a session",
    certs: ["ec_p256", "ec_p256"],
    serverName: "localhost",
    more: { options: { sessionContext: "one" } as ServeInput["options"] },
    second: { options: { sessionContext: "two" } as ServeInput["options"] },
    resumed: false,
  },
];

/** Registers the tests of a runtime. */
export function testAcross(suite: Suite): void {
  testAges(suite);
  for (const version of VERSIONS) {
    for (const mode of MODES) {
      const about = `${suite.runtime}: ${version}, ${mode}`;

      for (const fleet of FLEETS) {
        Deno.test(`${about}: ${fleet.name}`, async () => {
          const { certs: [a, b], serverName, more, second } = fleet;
          const victim = await suite.victim();
          const resumption = resumptionOf(mode);
          const first = await serve(victim, a, { resumption, ...more });
          const other = await serve(victim, b, { resumption, ...more, ...second });
          const { session } = await visit(first, version, serverName);
          const { resumed } = await visit(other, version, serverName, session);
          for (const { server } of [first, other]) await victim.call("stop", { server });
          assertEquals(resumed, fleet.resumed);
          assertUnharmed(await victim.look());
        });
      }

      Deno.test(`${about}: the time of a session counts from its full handshake`, async () => {
        await using victim = await suite.start();
        const maxAge = 10_000;
        const server = await serve(victim, "ec_p256", {
          resumption: resumptionOf(mode, { maxAge }),
        });
        const full = await visit(server, version, "localhost");
        await victim.call("moveClock", { by: 6_000 });
        const renewed = await visit(server, version, "localhost", full.session);
        await victim.call("moveClock", { by: 6_000 });
        const late = await visit(server, version, "localhost", renewed.session);
        assertEquals([full.resumed, renewed.resumed, late.resumed], [false, true, false]);
      });

      // Later the second lifetime is beyond that of the keys of tickets.
      for (const [seconds, later] of [[10, 6], [48 * HOUR_S, 6 * HOUR_S]]) {
        const name = `${about}: what is announced of ${seconds} s is what is kept`;
        Deno.test(name, async () => {
          await using victim = await suite.start();
          const resumption = resumptionOf(mode, { maxAge: seconds * 1000 });
          const server = await serve(victim, "ec_p256", { resumption });
          const full = await visit(server, version, "localhost");
          await victim.call("moveClock", { by: later * 1000 });
          const renewed = await visit(server, version, "localhost", full.session);
          assertEquals(renewed.resumed, true);
          // TLS 1.2 has nothing to say of sessions that go by an id.
          if (full.session.ticket.length === 0) return;
          assertAbout(full.session.lifetime, seconds);
          assertAbout(renewed.session.lifetime, seconds - later);
        });
      }
    }
  }
}

/** Registers the tests of a runtime's clients. */
function testAges(suite: Suite): void {
  const ticketLifetime = 7 * 24 * HOUR_S;
  for (const version of VERSIONS) {
    for (const hours of [0.5, 2]) {
      const offers = hours < 1 ? "offers a" : "offers no";
      const name =
        `a client ${offers} ticket of seven days after ${hours} hours: it keeps it for one`;
      Deno.test(`${suite.runtime}: ${version}: ${name}`, async () => {
        await using victim = await suite.start();
        await using listener = await listen();
        const connect = async () => {
          const ended = victim.call("connect", {
            port: listener.port,
            options: { caCerts: [caCert("ec")] },
            store: "ages",
          });
          await using server = await listener.accept({ versions: [version], ticketLifetime });
          await server.handshake();
          await server.echo();
          await server.bye();
          assertEquals((await ended).error, null);
          return server.hello;
        };
        await connect();
        await victim.call("moveClock", { by: hours * HOUR_S * 1000 });
        const { pre_shared_key, session_ticket } = ExtensionType;
        const hello = await connect();
        const ticket = findExtension(
          hello,
          version === "TLSv1.3" ? pre_shared_key : session_ticket,
        );
        assertEquals((ticket?.length ?? 0) > 0, hours < 1);
      });
    }
  }
}

/** A lifetime is never more than what is left; a few seconds less are the time that passed. */
function assertAbout(lifetime: number, left: number): void {
  const SLACK_S = 5;
  const message = `${lifetime} s are announced, and ${left} s are left`;
  assert(lifetime <= left && lifetime >= left - SLACK_S, message);
}

/**
 * Tickets that servers give to clients, and sessions that they resume wrongly (RFC 8446 §4.6.1,
 * RFC 5077 §3.3, RFC 7627 §5.3).
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { assert, assertEquals } from "@std/assert";
import { type Attack, onClients, type Outcome, type Scene } from "../attack.ts";
import {
  concat,
  ContentType,
  dropExtension,
  extensions,
  ExtensionType,
  findExtension,
  newSessionTicket13,
  Refused,
  type Server,
  type ServerHello,
  type ServerOptions,
  type Session,
  setExtension,
  type Ticket13,
  u16,
  u8,
  type Version,
} from "../attacker/mod.ts";

const misbehaved = "ERR_TLS_PEER_MISBEHAVED";
const DAY_S = 24 * 60 * 60;
/** What one connection may have a store do: far more than honest servers give. */
const MAX_PUTS = 100;

/** A ticket of TLS 1.3 that is honest but for what is given. */
function ticket(change: Partial<Ticket13>): Uint8Array {
  return newSessionTicket13({
    lifetime: 7200,
    ageAdd: 1,
    nonce: randomBytes(8),
    ticket: randomBytes(32),
    extensions: [],
    ...change,
  });
}

/** Whether the next connection of the client offers a session; it is honest, and ends. */
async function offersNext(scene: Scene<Server>): Promise<boolean> {
  const next = await scene.open();
  await next.handshake();
  await next.echo();
  return findExtension(next.hello, ExtensionType.pre_shared_key) !== undefined ||
    (findExtension(next.hello, ExtensionType.session_ticket)?.length ?? 0) > 0;
}

/** Sends one ticket to a client that keeps sessions, and looks at what it offers next. */
function ticketing(
  name: string,
  change: Partial<Ticket13>,
  offered: boolean | Outcome,
  store: string,
): Attack[] {
  return onClients({
    name,
    versions: ["TLSv1.3"],
    peer: { tickets: 0 },
    connect: { store },
    async run(server, scene) {
      await server.send(server.record(ContentType.handshake, ticket(change)));
      if (typeof offered !== "boolean") return;
      await server.echo();
      await server.bye();
      assertEquals((await scene.end()).error, null);
      assertEquals(await offersNext(scene), offered);
    },
    outcome: typeof offered === "boolean" ? "goes on" : offered,
  });
}

/** What tickets say. */
const TICKETS: Attack[] = [
  ...ticketing("offers an honest ticket", {}, true, "honest ticket"),
  ...ticketing("does not offer a ticket of no lifetime", { lifetime: 0 }, false, "lifetime 0"),
  ...ticketing(
    "takes a ticket of eight days, as it offers it for less",
    { lifetime: 8 * DAY_S },
    true,
    "eight days",
  ),
  ...ticketing(
    "takes a ticket of 136 years, as it offers it for less",
    { lifetime: 2 ** 32 - 1 },
    true,
    "136 years",
  ),
  ...ticketing("refuses an empty ticket", { ticket: new Uint8Array(0) }, { code: misbehaved }, "0"),
  ...ticketing(
    "takes a ticket with an extension that nobody knows",
    { extensions: [extensions.unknownExtension(1000)] },
    true,
    "unknown extension",
  ),
  ...ticketing(
    "refuses a ticket with an extension twice",
    { extensions: [extensions.maxEarlyData(1), extensions.maxEarlyData(2)] },
    { code: misbehaved },
    "twice",
  ),
  ...ticketing(
    "takes a ticket with a nonce of 255 bytes",
    { nonce: new Uint8Array(255) },
    true,
    "nonce",
  ),
  ...onClients({
    name: "goes on after a ticket of 65,000 bytes, whether or not it keeps it",
    versions: ["TLSv1.3"],
    peer: { tickets: 0 },
    connect: { store: "a large ticket" },
    async run(server, scene) {
      const large = ticket({ ticket: randomBytes(65_000) });
      await server.sendAnyway(server.message(large));
      await server.echo().catch((error) => {
        if (!(error instanceof Refused)) throw error;
      });
      await server.bye();
      const { error } = await scene.end();
      assert(error === null || error.code === misbehaved, error?.message);
      await offersNext(scene);
    },
    outcome: "goes on",
  }),
];

/** Too many of them. */
const FLOODS: Attack[] = [
  ...onClients({
    name: "refuses tickets without an end",
    versions: ["TLSv1.3"],
    async run(server) {
      const tickets = Array.from({ length: 200 }, () => server.message(ticket({})));
      await server.sendAnyway(...tickets);
    },
    outcome: { code: misbehaved },
  }),
  ...onClients({
    name: "puts few of 10,000 tickets into its store",
    versions: ["TLSv1.3"],
    connect: { store: "a flood of tickets" },
    fresh: true,
    async run(server, { victim }) {
      // Data in between makes them as many as one likes.
      const turn = () =>
        concat(
          ...Array.from({ length: 25 }, () => server.message(ticket({}))),
          server.data(u8(7)),
        );
      for (let turns = 0; turns < 400; turns++) {
        await server.send(turn());
        await server.receiveData(1);
      }
      const puts = await victim.call("puts", { store: "a flood of tickets" });
      assert(puts <= MAX_PUTS, `The store was asked to put ${puts} sessions`);
    },
    outcome: "goes on",
  }),
];

/** Resumes a session of the client, wrongly. */
function resuming(
  name: string,
  version: Version,
  outcome: Outcome,
  change: (session: Session) => ServerOptions,
): Attack[] {
  const store = `${version} ${name}`;
  return onClients({
    name,
    versions: [version],
    peer: { sessions: [] },
    connect: { store },
    async run(server, scene) {
      await server.echo();
      await server.bye();
      assertEquals((await scene.end()).error, null);
      const session = server.sessions.at(-1)!;
      const next = await scene.open({ sessions: [session], ...change(session) });
      await next.handshake("server_flight");
      assertEquals(next.resumed, true);
    },
    outcome,
  });
}

function changed(change: (hello: ServerHello) => void): ServerOptions {
  return { serverHello: change };
}

/** Sessions that a server resumes. */
const RESUMED: Attack[] = [
  ...resuming("refuses to resume without the session's secret", "TLSv1.3", {
    code: misbehaved,
  }, (session) => ({ sessions: [{ ...session, secret: randomBytes(32) }] })),
  ...resuming("refuses to resume without the session's secret", "TLSv1.2", {
    code: misbehaved,
  }, (session) => ({ sessions: [{ ...session, secret: randomBytes(48) }] })),
  ...resuming("refuses a session that it did not offer", "TLSv1.3", {
    code: misbehaved,
  }, () =>
    changed((hello) => {
      setExtension(hello, ExtensionType.pre_shared_key, u16(1));
    })),
  ...resuming("refuses a session with a suite of another hash", "TLSv1.3", {
    code: misbehaved,
  }, () => changed((hello) => hello.suite = 0x1302)),
  ...resuming("refuses a session without extended_master_secret, which it had", "TLSv1.2", {
    code: misbehaved,
  }, () => changed((hello) => dropExtension(hello, ExtensionType.extended_master_secret))),
  ...resuming(
    "refuses a session with another suite",
    "TLSv1.2",
    {
      code: misbehaved,
    },
    (session) => changed((hello) => hello.suite = session.suite.code === 0xc02b ? 0xc02c : 0xc02b),
  ),
];

/** The attacks. */
export const SERVER_TICKETS: Attack[] = [...TICKETS, ...FLOODS, ...RESUMED];

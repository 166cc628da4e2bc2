/**
 * What a client offers is decided by its holder alone: tickets and identities that are cut short,
 * flipped, prolonged or made up cost a full handshake, are counted, and fail nothing.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Session, TlsError } from "../../mod.ts";
import { ByteReader, ByteWriter } from "../../src/bytes.ts";
import { sessionInternals } from "../../src/session.ts";
import { serverCert } from "../testdata/mod.ts";
import { resumed, VERSIONS, visitAt } from "./client.ts";
import { serve, type TestServer } from "./in_process.ts";
import { sharedResumption } from "./shared.ts";

const CERT = serverCert("ec_p256");

/** What a session offers: a ticket, or a session id. `src/session_state.ts` has the layout. */
interface Offered {
  ticket: Uint8Array;
  sessionId: Uint8Array;
}

/** A session that offers something else, with all its secrets as they were. */
function offering(hex: string, change: (offered: Offered) => Partial<Offered>): string {
  const session = Session.fromBytes(Uint8Array.fromHex(hex));
  const reader = new ByteReader(sessionInternals.state(session));
  const tls13 = session.protocol === "TLSv1.3";
  const writer = new ByteWriter().bytes(reader.take(4));
  let sessionId: Uint8Array = new Uint8Array(0);
  let secrets: Uint8Array;
  if (tls13) {
    const psk = reader.vector(1);
    secrets = new ByteWriter().vector(1, psk).bytes(reader.take(8)).finish();
  } else {
    sessionId = reader.vector(1);
    secrets = reader.take(49);
  }
  const given = { ticket: reader.vector(2), sessionId };
  const offered = { ...given, ...change(given) };
  if (!tls13) writer.vector(1, offered.sessionId);
  writer.bytes(secrets).vector(2, offered.ticket).bytes(reader.take(reader.remaining));
  return sessionInternals.make(sessionInternals.binding(session), writer.finish())
    .toBytes().toHex();
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3] ^= 1 << (bit & 7);
  return copy;
}

function noise(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** A session of the server, to be changed. */
async function begin(server: TestServer, version: typeof VERSIONS[number]): Promise<string> {
  return (await visitAt(server, { version })).client.session!;
}

/** Offers each of the sessions, and has each of them declined. */
async function assertDeclined(
  server: TestServer,
  version: typeof VERSIONS[number],
  sessions: string[],
): Promise<void> {
  const before = server.context.stats().acceptGood;
  for (const session of sessions) {
    const seen = await visitAt(server, { version, session });
    assertEquals(resumed(seen), [false, false]);
    assertEquals(seen.client.miss, "declined_by_peer");
  }
  const { acceptGood, hits } = server.context.stats();
  assertEquals([acceptGood - before, hits, server.errors], [sessions.length, 0, []]);
}

function counted(server: TestServer): [string[], number] {
  const { missReasons } = server.context.stats();
  const total = Object.values(missReasons).reduce((sum, count) => sum + count, 0);
  return [Object.keys(missReasons).sort(), total];
}

for (const version of VERSIONS) {
  Deno.test(`a ticket with a flipped bit is declined, every byte of it, ${version}`, async () => {
    await using server = await serve({ ...CERT, resumption: await sharedResumption("tickets") });
    const session = await begin(server, version);
    const sessions: string[] = [];
    offering(session, ({ ticket }) => {
      assert(ticket.length > 100);
      for (let at = 0; at < ticket.length; at++) {
        sessions.push(offering(session, () => ({ ticket: flipped(ticket, at * 8 + at % 8) })));
      }
      return {};
    });
    await assertDeclined(server, version, sessions);
    assertEquals(counted(server), [["tampered", "version", "wrong_key"], sessions.length]);
    const { version: ofVersion, wrong_key } = server.context.stats().missReasons;
    assertEquals([ofVersion, wrong_key], [1, 16], "the first byte, and the key's id");
  });

  Deno.test(`a ticket that is cut short or prolonged is declined, ${version}`, async () => {
    await using server = await serve({ ...CERT, resumption: await sharedResumption("tickets") });
    const session = await begin(server, version);
    const sessions: string[] = [];
    offering(session, ({ ticket }) => {
      for (const length of [1, 16, 17, 48, 49, 64, 65, 66, ticket.length - 16, ticket.length - 1]) {
        sessions.push(offering(session, () => ({ ticket: ticket.slice(0, length) })));
      }
      for (const more of [1, 16, 1000]) {
        const longer = new Uint8Array(ticket.length + more);
        longer.set(ticket);
        sessions.push(offering(session, () => ({ ticket: longer })));
      }
      return {};
    });
    await assertDeclined(server, version, sessions);
    assertEquals(counted(server), [["tampered"], sessions.length]);
  });

  Deno.test(`two tickets spliced are declined, ${version}`, async () => {
    await using server = await serve({ ...CERT, resumption: await sharedResumption("tickets") });
    const [one, two] = [await begin(server, version), await begin(server, version)];
    const tickets: Uint8Array[] = [];
    for (const session of [one, two]) {
      offering(session, ({ ticket }) => {
        tickets.push(ticket);
        return {};
      });
    }
    const sessions = [18, 32, 49, 60, tickets[0].length - 16].map((at) => {
      const ticket = new Uint8Array([...tickets[0].subarray(0, at), ...tickets[1].subarray(at)]);
      return offering(one, () => ({ ticket }));
    });
    await assertDeclined(server, version, sessions);
    assertEquals(counted(server), [["tampered"], sessions.length]);
  });

  for (const mode of ["stateful", "tickets"] as const) {
    Deno.test(`made-up identities of any length are declined, ${mode}, ${version}`, async () => {
      await using server = await serve({ ...CERT, resumption: await sharedResumption(mode) });
      const session = await begin(server, version);
      const bySessionId = !Session.fromBytes(Uint8Array.fromHex(session)).hasTicket;
      const lengths = bySessionId ? [1, 16, 31, 32] : [1, 31, 32, 33, 65, 255, 256, 4096, 20_000];
      const sessions = lengths.flatMap((length) => [
        offering(session, () =>
          bySessionId ? { sessionId: noise(length) } : {
            ticket: noise(length),
          }),
        offering(session, () =>
          bySessionId ? { sessionId: new Uint8Array(length) } : {
            ticket: new Uint8Array(length).fill(1),
          }),
      ]);
      await assertDeclined(server, version, sessions);
      const [reasons, total] = counted(server);
      assertEquals(total, sessions.length);
      const known = mode === "stateful" ? ["none_stored"] : ["tampered", "version", "wrong_key"];
      assert(reasons.every((reason) => known.includes(reason)), reasons.join());
    });
  }

  Deno.test(`an id of the store with a flipped bit finds nothing, ${version}`, async () => {
    await using server = await serve({ ...CERT, resumption: await sharedResumption("stateful") });
    const session = await begin(server, version);
    const sessions: string[] = [];
    for (let bit = 0; bit < 256; bit += 13) {
      sessions.push(
        offering(
          session,
          ({ ticket, sessionId }) =>
            ticket.length === 0
              ? { sessionId: flipped(sessionId, bit) }
              : { ticket: flipped(ticket, bit) },
        ),
      );
    }
    await assertDeclined(server, version, sessions);
    assertEquals(counted(server), [["none_stored"], sessions.length]);
    assertEquals(server.context.stats().misses, sessions.length);
    assertEquals(resumed(await visitAt(server, { version, session })), [true, true]);
  });
}

Deno.test("a TLS 1.3 session of the store is good for one resumption", async () => {
  await using server = await serve({ ...CERT, resumption: await sharedResumption("stateful") });
  const session = await begin(server, "TLSv1.3");
  const options = { version: "TLSv1.3", session } as const;
  assertEquals(resumed(await visitAt(server, options)), [true, true]);
  const again = await visitAt(server, options);
  assertEquals([...resumed(again), again.server.miss], [false, false, "none_stored"]);
});

for (const version of VERSIONS) {
  Deno.test(`a ticket without its secret ends the handshake, ${version}`, async () => {
    await using server = await serve({ ...CERT, resumption: await sharedResumption("tickets") });
    const [own, foreign] = [await begin(server, version), await begin(server, version)];
    let session = "";
    offering(foreign, ({ ticket }) => {
      session = offering(own, () => ({ ticket }));
      return {};
    });
    // RFC 8446 §4.2.11: a wrong binder is no reason to go on; on TLS 1.2 it is the Finished.
    const error = await assertRejects(() => visitAt(server, { version, session }), TlsError);
    assertEquals(error.origin, "peer");
    await server.failed(1);
    assertEquals([server.errors.length, server.context.stats().acceptGood], [1, 2]);
  });
}

Deno.test("sessions of TLS 1.2 and 1.3 do not open each other's door", async () => {
  const resumption = await sharedResumption("tickets");
  await using server = await serve({ ...CERT, resumption });
  const tickets: Uint8Array[] = [];
  const sessions: string[] = [];
  for (const version of VERSIONS) {
    const session = await begin(server, version);
    sessions.push(session);
    offering(session, ({ ticket }) => {
      tickets.push(ticket);
      return {};
    });
  }
  for (const [i, version] of VERSIONS.entries()) {
    const session = offering(sessions[i], () => ({ ticket: tickets[1 - i] }));
    const seen = await visitAt(server, { version, session });
    assertEquals(resumed(seen), [false, false], version);
  }
  const { hits, missReasons } = server.context.stats();
  assertEquals([hits, Object.values(missReasons).length > 0], [0, true]);
  assertEquals(server.errors, []);
});

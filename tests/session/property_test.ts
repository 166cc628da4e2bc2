/**
 * Properties of the session format under generated input: reading never does more than refuse,
 * and what is read is what was written. The seed is fixed: a run is like any other.
 */

import { assert, assertEquals } from "@std/assert";
import { fc } from "../packages.ts";
import { ClientContext, Session, TlsError } from "../../mod.ts";
import { ClientEngine } from "../../src/client_engine.ts";
import { sessionInternals } from "../../src/session.ts";
import { fixture, FIXTURES } from "./fixtures.ts";
import {
  concat,
  digestAnew,
  sessionBytes,
  type SessionFields,
  stateBytes,
  withDigest,
} from "./layout.ts";

const SEED = 0x52505253;
const RUNS = { seed: SEED, numRuns: 500 };
const CODES = ["ERR_TLS_SESSION_INVALID", "ERR_TLS_SESSION_VERSION"];

/** A session, or `null` where the bytes were refused as they have to be. */
function read(bytes: Uint8Array): Session | null {
  try {
    return Session.fromBytes(bytes);
  } catch (error) {
    assert(error instanceof TlsError && CODES.includes(error.code), String(error));
    return null;
  }
}

const GETTERS = Object.entries(Object.getOwnPropertyDescriptors(Session.prototype))
  .filter(([, { get }]) => get !== undefined)
  .map(([name]) => name as keyof Session);

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const time = fc.bigInt({ min: 0n, max: 2n ** 40n });
const chain = fc.array(bytes(1, 300), { minLength: 1, maxLength: 4 });
const uint32 = fc.nat({ max: 0xffffffff });
const common = { ticket: bytes(0, 300), receivedAt: time, lifetime: time, chain };

const tls13State = fc.record({
  protocol: fc.constant("TLSv1.3" as const),
  suite: fc.constantFrom(0x1301, 0x1302, 0x1303),
  psk: bytes(1, 255),
  ageAdd: uint32,
  maxEarlyData: uint32,
  identityType: fc.constant(0),
  quic: bytes(0, 0),
  ...common,
});

const tls12State = fc.record({
  protocol: fc.constant("TLSv1.2" as const),
  suite: fc.constantFrom(0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9),
  sessionId: bytes(32, 32),
  masterSecret: bytes(48, 48),
  extendedMasterSecret: fc.constantFrom(0, 1),
  identityType: fc.constant(0),
  ...common,
});

const session: fc.Arbitrary<SessionFields> = fc.record({
  magic: fc.constant("RPRS"),
  format: fc.constant(1),
  fingerprint: bytes(32, 32),
  handshakeTime: time,
  expiresAt: time,
  serverName: fc.domain().map((name) => name.toLowerCase()),
  port: fc.nat({ max: 65_535 }),
  alpnProtocol: fc.string({ unit: "grapheme", maxLength: 20 }),
  state: fc.oneof(tls13State, tls12State),
});

Deno.test("random bytes are refused", () => {
  fc.assert(fc.property(bytes(0, 4096), (input) => assertEquals(read(input), null)), RUNS);
});

Deno.test("random bytes behind the magic are refused", () => {
  const magic = new TextEncoder().encode("RPRS\x01");
  const start = fc.property(bytes(0, 2048), (input) => {
    assertEquals(read(concat(magic, input)), null);
  });
  fc.assert(start, RUNS);
});

Deno.test("random content under a right digest is read or refused, and never more", () => {
  const head = fixture("format1_tls13").subarray(0, 37);
  const property = fc.property(bytes(0, 400), (input) => {
    const found = read(withDigest(concat(head, input)));
    for (const getter of GETTERS) void found?.[getter];
  });
  fc.assert(property, RUNS);
});

Deno.test("mutated sessions under a right digest are read or refused, and never more", () => {
  const mutation = fc.tuple(fc.constantFrom(...FIXTURES), fc.nat(), bytes(1, 8), fc.nat());
  const property = fc.property(mutation, ([name, at, inserted, removed]) => {
    const body = fixture(name).subarray(0, -32);
    const from = 5 + at % (body.length - 5);
    const mutated = concat(body.subarray(0, from), inserted, body.subarray(from + removed % 9));
    const found = read(withDigest(mutated));
    for (const getter of GETTERS) void found?.[getter];
    if (found !== null) assertEquals(found.toBytes(), withDigest(mutated));
  });
  fc.assert(property, RUNS);
});

Deno.test("what is written is read again, field by field", () => {
  const property = fc.property(session, (fields) => {
    const { state } = fields;
    const laidOut = sessionBytes(fields);
    const found = Session.fromBytes(laidOut);
    assertEquals(found.toBytes(), laidOut);
    assertEquals(sessionInternals.state(found), stateBytes(state));
    assertEquals<unknown>({
      fingerprint: found.contextFingerprint,
      createdAt: BigInt(found.createdAt.getTime()),
      expiresAt: BigInt(found.expiresAt.getTime()),
      serverName: found.serverName,
      port: found.port,
      alpnProtocol: found.alpnProtocol ?? "",
      protocol: found.protocol,
      hint: BigInt(found.ticketLifetimeHint),
      hasTicket: found.hasTicket,
      maxEarlyData: found.maxEarlyData,
      chain: found.peerCertificates.map((der) => der.toHex()),
    }, {
      fingerprint: fields.fingerprint.toHex(),
      createdAt: fields.handshakeTime * 1000n,
      expiresAt: fields.expiresAt * 1000n,
      serverName: fields.serverName,
      port: fields.port,
      alpnProtocol: fields.alpnProtocol,
      protocol: state.protocol,
      hint: state.lifetime,
      hasTicket: state.ticket.length > 0,
      maxEarlyData: state.protocol === "TLSv1.3" ? state.maxEarlyData : 0,
      chain: state.chain.map((der) => der.toHex()),
    });
  });
  fc.assert(property, RUNS);
});

/** The fixture as a session of this context and of now, so that the engine gets to see it. */
function belongingTo(context: ClientContext, bytes: Uint8Array<ArrayBuffer>) {
  const now = Math.floor(Date.now() / 1000);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  bytes.set(Uint8Array.fromHex(context.fingerprint), 5);
  view.setBigUint64(37, BigInt(now - 10));
  view.setBigUint64(45, BigInt(now + 3600));
  return bytes;
}

/** Starts a handshake with the bytes as its session; returns what became of the session. */
async function offer(context: ClientContext, port: number, bytes: Uint8Array): Promise<string> {
  const client = await ClientEngine.begin({ context, serverName: "localhost", port }, bytes);
  const { connection, sessionMiss } = client;
  assertEquals([connection.handshaking, connection.error], [true, undefined]);
  assert(connection.outputLength > 100, "there is a ClientHello");
  connection.free();
  return sessionMiss!;
}

for (const name of FIXTURES) {
  Deno.test(`no content under a right digest stops a handshake, ${name}`, async () => {
    const { port, alpnProtocol } = Session.fromBytes(fixture(name));
    const context = new ClientContext({ dangerDisableVerification: true });
    const intact = digestAnew(belongingTo(context, fixture(name)));
    // After the binding, of which every change is found before the engine is asked.
    const start = 54 + "localhost".length + 2 + 1 + (alpnProtocol ?? "").length + 3;
    const misses = new Set<string>();
    const flips = fc.asyncProperty(fc.nat(), async (at) => {
      const bytes = intact.slice();
      const bit = start * 8 + at % ((bytes.length - 32 - start) * 8);
      bytes[bit >> 3] ^= 1 << (bit & 7);
      misses.add(await offer(context, port, digestAnew(bytes)));
    });
    const splices = fc.asyncProperty(
      fc.nat(),
      bytes(1, 8),
      fc.nat(),
      async (at, added, removed) => {
        const body = intact.subarray(0, -32);
        const from = start + at % (body.length - start);
        const spliced = concat(body.subarray(0, from), added, body.subarray(from + removed % 9));
        misses.add(await offer(context, port, withDigest(spliced)));
      },
    );
    // Where nobody answers, what was offered counts as declined.
    assertEquals(await offer(context, port, intact), "declined_by_peer");
    await fc.assert(flips, RUNS);
    await fc.assert(splices, RUNS);
    assert(misses.has("tampered") && misses.has("declined_by_peer"), [...misses].join());
  });
}

/**
 * The format of session bytes: byte for byte as its documentation says, and readable for ever.
 */

import { assertEquals } from "@std/assert";
import { Session } from "../../mod.ts";
import { sessionInternals } from "../../src/session.ts";
import { fixture, type FixtureName, FIXTURES } from "./fixtures.ts";
import {
  field,
  fieldRanges,
  filled,
  sessionBytes,
  someSession,
  someTls12,
  someTls13,
  stateBytes,
  withDigest,
} from "./layout.ts";

/** Each line is a field of `PlainSession`, `SessionState`, `Tls13State` or `Ticket`. */
const TLS13 = `
  52505253                                                          // magic "RPRS"
  01                                                                // format
  202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f  // context_fingerprint
  000000006553f100                                                  // handshake_time
  0000000065540d20                                                  // expires_at
  0a 64622e6578616d706c65                                           // server_name
  1538                                                              // port
  02 6832                                                           // alpn_protocol
  00006c                                                            // length of state
    0304                                                            // protocol
    1302                                                            // cipher_suite
    30 ${"a3".repeat(48)}                                           // psk
    01020304                                                        // ticket_age_add
    00004000                                                        // max_early_data_size
    0005 7777777777                                                 // ticket
    000000006553f101                                                // received_at
    0000000000001c20                                                // lifetime
    00                                                              // identity_type
    000004 c1c1c1c1                                                 // end_entity
    00000b 000003 c2c2c2 000002 c3c3                                // intermediates
    0000                                                            // quic_parameters
`;

/** Each line is a field of `SessionState`, `Tls12State` or `Ticket`. */
const TLS12_STATE = `
  0303                                                              // protocol
  c02b                                                              // cipher_suite
  20 ${"5d".repeat(32)}                                             // session_id
  ${"a2".repeat(48)}                                                // master_secret
  01                                                                // extended_master_secret
  0000                                                              // ticket
  000000006553f101                                                  // received_at
  0000000000000000                                                  // lifetime
  00                                                                // identity_type
  000004 c1c1c1c1                                                   // end_entity
  000000                                                            // intermediates
`;

function bytesOf(annotated: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(annotated.replace(/\/\/.*$/gm, "").replace(/\s+/g, ""));
}

Deno.test("the bytes of a TLS 1.3 session are read as the documentation lays them out", () => {
  const bytes = withDigest(bytesOf(TLS13));
  assertEquals(bytes, sessionBytes(someSession()), "the test's own builder");
  const session = Session.fromBytes(bytes);
  assertEquals(session.toBytes(), bytes);
  assertEquals(sessionInternals.state(session), stateBytes(someTls13()));
  assertEquals(sessionInternals.binding(session), {
    contextFingerprint: someSession().fingerprint,
    handshakeTime: 0x6553f100,
    expiresAt: 0x65540d20,
    serverName: "db.example",
    port: 5432,
    alpnProtocol: "h2",
  });
});

Deno.test("the state of a TLS 1.2 session is read as the documentation lays it out", () => {
  const state = bytesOf(TLS12_STATE);
  assertEquals(state, stateBytes(someTls12()) as Uint8Array<ArrayBuffer>, "the test's own builder");
  const session = Session.fromBytes(sessionBytes(someSession({ state: someTls12() })));
  assertEquals(sessionInternals.state(session), state);
});

Deno.test("sessions are written as the documentation lays them out", () => {
  for (const alpnProtocol of ["h2", null]) {
    const session = sessionInternals.make({
      contextFingerprint: someSession().fingerprint,
      handshakeTime: 1_700_000_000,
      expiresAt: 1_700_007_200,
      serverName: "db.example",
      port: 5432,
      alpnProtocol,
    }, stateBytes(someTls13()));
    const expected = sessionBytes(someSession({ alpnProtocol: alpnProtocol ?? "" }));
    assertEquals(session.toBytes(), expected);
  }
});

Deno.test("sessions of the longest names and of large chains and tickets are written and read", () => {
  const state = stateBytes(someTls13({
    ticket: filled(0xffff, 1),
    chain: [filled(20_000, 2), filled(20_000, 3), filled(20_000, 4)],
  }));
  const binding = {
    contextFingerprint: filled(32, 9),
    handshakeTime: 2 ** 33,
    expiresAt: 2 ** 33 + 1,
    serverName: `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`,
    port: 65_535,
    alpnProtocol: "p".repeat(255),
  };
  const session = Session.fromBytes(sessionInternals.make(binding, state).toBytes());
  assertEquals(sessionInternals.binding(session), binding);
  assertEquals(sessionInternals.state(session), state);
});

/** What the getters say of the fixtures. */
const FIXTURE_FIELDS: Record<FixtureName, unknown> = {
  format1_tls13: {
    id: "7885db5a771a5f086c2661eac371d336",
    protocol: "TLSv1.3",
    cipherSuite: "TLS_CHACHA20_POLY1305_SHA256",
    serverName: "localhost",
    port: 45863,
    alpnProtocol: "h2",
    createdAt: "2026-11-23T07:06:10.000Z",
    expiresAt: "2026-11-23T09:06:10.000Z",
    ticketLifetimeHint: 7200,
    hasTicket: true,
    maxEarlyData: 0,
    contextFingerprint: "e9b4e822bb20fb066f8a22f085175ee6c60830aea0d1478e74f01b7b9e54c1fa",
    chain: [534, 443],
  },
  format1_tls12_ticket: {
    id: "8e4f1c75f14ae99fe6f0d1790879b7ee",
    protocol: "TLSv1.2",
    cipherSuite: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    serverName: "localhost",
    port: 34749,
    alpnProtocol: null,
    createdAt: "2026-11-23T07:06:10.000Z",
    expiresAt: "2026-11-23T09:06:10.000Z",
    ticketLifetimeHint: 7200,
    hasTicket: true,
    maxEarlyData: 0,
    contextFingerprint: "d6467274a08f8cb6e7a5a0b72c5af99bc042426466abc2bc255020e7be20c1fb",
    chain: [914],
  },
  format1_tls12_session_id: {
    id: "952effa94ae8531b84d3b2eeb3c83549",
    protocol: "TLSv1.2",
    cipherSuite: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    serverName: "localhost",
    port: 46093,
    alpnProtocol: null,
    createdAt: "2026-11-23T07:06:10.000Z",
    expiresAt: "2026-11-30T07:06:10.000Z",
    ticketLifetimeHint: 0,
    hasTicket: false,
    maxEarlyData: 0,
    contextFingerprint: "f895819365a92a9e95f00ded9b779f3d6b7f50249b1b08bfa80a0b726614d29c",
    chain: [516],
  },
};

for (const name of FIXTURES) {
  Deno.test(`a session of format 1 that a release wrote stays readable, ${name}`, () => {
    const session = Session.fromBytes(fixture(name));
    assertEquals<unknown>({
      id: session.id,
      protocol: session.protocol,
      cipherSuite: session.cipherSuite,
      serverName: session.serverName,
      port: session.port,
      alpnProtocol: session.alpnProtocol,
      createdAt: session.createdAt.toISOString(),
      expiresAt: session.expiresAt.toISOString(),
      ticketLifetimeHint: session.ticketLifetimeHint,
      hasTicket: session.hasTicket,
      maxEarlyData: session.maxEarlyData,
      contextFingerprint: session.contextFingerprint,
      chain: session.peerCertificates.map((der) => der.length),
    }, FIXTURE_FIELDS[name]);
  });

  Deno.test(`every byte of a session has its place in the documentation, ${name}`, () => {
    const bytes = fixture(name);
    const ranges = fieldRanges(bytes);
    assertEquals(ranges.reduce((at, { start, end }) => start === at ? end : -1, 0), bytes.length);
    assertEquals(field(bytes, "magic"), new TextEncoder().encode("RPRS"));
    assertEquals(withDigest(bytes.subarray(0, -32)), bytes);
  });
}

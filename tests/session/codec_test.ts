/**
 * `Session`: what it says of its bytes, that the bytes belong to the caller, and what is left of
 * it when it was disposed.
 */

import {
  assertEquals,
  assertFalse,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Session, TlsError } from "../../mod.ts";
import { sessionInternals } from "../../src/session.ts";
import { fixture, FIXTURES } from "./fixtures.ts";
import { field, secretOf, sessionBytes, someSession, someTls12, someTls13 } from "./layout.ts";

for (const name of FIXTURES) {
  Deno.test(`Session.fromBytes() and toBytes() give back ${name} byte for byte`, () => {
    assertEquals(Session.fromBytes(fixture(name)).toBytes(), fixture(name));
  });
}

Deno.test("a session says what it is bound to", () => {
  const session = Session.fromBytes(sessionBytes(someSession()));
  assertEquals(session.serverName, "db.example");
  assertEquals(session.port, 5432);
  assertEquals(session.alpnProtocol, "h2");
  assertEquals(session.createdAt, new Date(1_700_000_000_000));
  assertEquals(session.expiresAt, new Date(1_700_007_200_000));
  const fingerprint = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
  assertEquals(session.contextFingerprint, fingerprint);
});

Deno.test("a TLS 1.3 session says what its ticket is", () => {
  const session = Session.fromBytes(sessionBytes(someSession()));
  assertEquals(session.protocol, "TLSv1.3");
  assertEquals(session.cipherSuite, "TLS_AES_256_GCM_SHA384");
  assertEquals(session.hasTicket, true);
  assertEquals(session.ticketLifetimeHint, 7200);
  assertEquals(session.maxEarlyData, 16384);
});

Deno.test("a TLS 1.2 session under an id has no ticket and no hint", () => {
  const session = Session.fromBytes(sessionBytes(someSession({ state: someTls12() })));
  assertEquals(session.protocol, "TLSv1.2");
  assertEquals(session.cipherSuite, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
  assertEquals(session.hasTicket, false);
  assertEquals(session.ticketLifetimeHint, 0);
  assertEquals(session.maxEarlyData, 0);
});

Deno.test("a TLS 1.2 session with a ticket says so", () => {
  const state = someTls12({ ticket: new Uint8Array(1), lifetime: 300n });
  const session = Session.fromBytes(sessionBytes(someSession({ state })));
  assertEquals([session.hasTicket, session.ticketLifetimeHint], [true, 300]);
});

Deno.test("a session shows the server's chain, the end entity first", () => {
  const { peerCertificates } = Session.fromBytes(sessionBytes(someSession()));
  assertEquals(peerCertificates.map((der) => der.toHex()), ["c1c1c1c1", "c2c2c2", "c3c3"]);
});

Deno.test("a session without ALPN says null, one without a port 0", () => {
  const session = Session.fromBytes(sessionBytes(someSession({ alpnProtocol: "", port: 0 })));
  assertEquals([session.alpnProtocol, session.port], [null, 0]);
});

Deno.test("a session of a suite that this build lacks is read, its suite undefined", () => {
  const state = someTls13({ suite: 0x1304 });
  const session = Session.fromBytes(sessionBytes(someSession({ state })));
  assertEquals([session.protocol, session.cipherSuite], ["TLSv1.3", undefined]);
});

Deno.test("a session's names keep every character", () => {
  const names = { serverName: "xn--bcher-kva.example", alpnProtocol: "\ufeffbücher/☃" };
  const session = Session.fromBytes(sessionBytes(someSession(names)));
  assertEquals(session.serverName, names.serverName);
  assertEquals(session.alpnProtocol, names.alpnProtocol);
});

Deno.test("a session's id is the same in every process, and another one's is another", () => {
  const [a, again] = [0, 1].map(() => Session.fromBytes(fixture("format1_tls13")));
  const b = Session.fromBytes(fixture("format1_tls12_ticket"));
  assertEquals(a.id, "7885db5a771a5f086c2661eac371d336");
  assertEquals(again.id, a.id);
  assertNotEquals(b.id, a.id);
});

Deno.test("Session.fromBytes() copies: later changes of the caller's bytes change nothing", () => {
  const bytes = fixture("format1_tls13");
  const session = Session.fromBytes(bytes);
  bytes.fill(0);
  assertEquals(session.toBytes(), fixture("format1_tls13"));
});

Deno.test("Session.toBytes() copies: changes of its bytes change nothing", () => {
  const session = Session.fromBytes(fixture("format1_tls13"));
  const bytes = session.toBytes();
  bytes.fill(0);
  assertEquals(session.toBytes(), fixture("format1_tls13"));
});

Deno.test("Session.peerCertificates copies", () => {
  const session = Session.fromBytes(sessionBytes(someSession()));
  for (const der of session.peerCertificates) der.fill(0);
  assertEquals(session.peerCertificates[0].toHex(), "c1c1c1c1");
});

Deno.test("Session.createdAt and expiresAt copy", () => {
  const session = Session.fromBytes(sessionBytes(someSession()));
  session.createdAt.setTime(0);
  session.expiresAt.setTime(0);
  assertEquals(session.createdAt.getTime(), 1_700_000_000_000);
  assertEquals(session.expiresAt.getTime(), 1_700_007_200_000);
});

Deno.test("Session.fromBytes() reads a part of a larger buffer, and any Uint8Array", () => {
  const bytes = fixture("format1_tls13");
  const larger = new Uint8Array(bytes.length + 20);
  larger.set(bytes, 7);
  assertEquals(Session.fromBytes(larger.subarray(7, 7 + bytes.length)).toBytes(), bytes);
  assertEquals(Session.fromBytes(Buffer.from(bytes)).toBytes(), bytes);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  assertEquals(Session.fromBytes(shared).toBytes(), bytes);
});

Deno.test("Session.fromBytes() throws a TypeError with the type of what is no Uint8Array", () => {
  const bytes = fixture("format1_tls13");
  const wrong = [
    undefined,
    null,
    bytes.toHex(),
    7,
    () => bytes,
    [...bytes],
    bytes.buffer,
    new DataView(bytes.buffer),
    new Uint16Array(4),
    { length: 4 },
  ];
  for (const value of wrong) {
    const error = assertThrows(() => Session.fromBytes(value as Uint8Array), TypeError);
    assertMatch(error.message, /"bytes" must be a Uint8Array, got [\w ]+$/);
  }
});

for (const name of FIXTURES) {
  Deno.test(`disposing wipes the session's memory, ${name}`, () => {
    const session = Session.fromBytes(fixture(name));
    const state = sessionInternals.state(session);
    const secret = secretOf(fixture(name)).toHex();
    const whole = new Uint8Array(state.buffer);
    assertStringIncludes(whole.toHex(), secret);
    session[Symbol.dispose]();
    assertFalse(whole.toHex().includes(secret));
    assertFalse(whole.toHex().includes(field(fixture(name), "received_at").toHex()));
    assertEquals(state.every((byte) => byte === 0), true);
  });
}

Deno.test("a disposed session gives no bytes and no state, and can be disposed again", () => {
  const session = Session.fromBytes(fixture("format1_tls13"));
  const id = session.id;
  {
    using _disposed = session;
  }
  for (const use of [() => session.toBytes(), () => sessionInternals.state(session)]) {
    const error = assertThrows(use, TlsError, "disposed");
    assertEquals([error.code, error.origin], ["ERR_TLS_SESSION_INVALID", "local"]);
  }
  session[Symbol.dispose]();
  assertEquals(session.id, id);
});

Deno.test("disposing leaves the copies of the caller, and other sessions of the same bytes", () => {
  const [one, other] = [0, 1].map(() => Session.fromBytes(fixture("format1_tls13")));
  const bytes = one.toBytes();
  one[Symbol.dispose]();
  assertEquals(bytes, fixture("format1_tls13"));
  assertEquals(other.toBytes(), bytes);
});

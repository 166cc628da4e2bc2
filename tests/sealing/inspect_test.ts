/**
 * `inspectSession()`: what it tells of plain and sealed sessions and of anything else; that it
 * tells no secret, and never fails on what is in the bytes.
 */

import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { inspectSession, SealingKeys, Session } from "../../mod.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { MAX_ENVELOPE, seal } from "../../src/envelope.ts";
import { movedClock } from "../interop/clock.ts";
import { fixture, FIXTURES } from "../session/fixtures.ts";
import { digestAnew, field, fieldRanges, secretOf } from "../session/layout.ts";
import { golden, GOLDEN_SECRET, goldenKeys, SEALED_SESSIONS } from "./golden.ts";

const keyId = golden("envelope1_session").subarray(1, 17).toHex();

/** What is told of a session, by its own word. */
function facts(bytes: Uint8Array) {
  const session = Session.fromBytes(bytes);
  const { id, protocol, cipherSuite, serverName, port, alpnProtocol, createdAt } = session;
  const { expiresAt, ticketLifetimeHint, hasTicket, maxEarlyData, contextFingerprint } = session;
  return {
    id,
    protocol,
    cipherSuite,
    serverName,
    port,
    alpnProtocol,
    createdAt,
    expiresAt,
    expired: expiresAt.getTime() <= Date.now(),
    ticketLifetimeHint,
    hasTicket,
    maxEarlyData,
    chainLength: session.peerCertificates.length,
    contextFingerprint,
  };
}

for (const name of FIXTURES) {
  Deno.test(`a plain session is told with all that may be told, ${name}`, async () => {
    const bytes = fixture(name);
    const expected = { kind: "plain" as const, length: bytes.length, session: facts(bytes) };
    assertEquals(inspectSession(bytes), expected);
    assertEquals(inspectSession(bytes, await goldenKeys()), expected, "keys change nothing");
    assertEquals(bytes, fixture(name), "the bytes stay as they are");
    assertEquals(expected.session.serverName, "localhost");
  });
}

for (const [name, plain] of SEALED_SESSIONS) {
  Deno.test(`a sealed session is told with its keys, and its key's id without, ${name}`, async () => {
    const bytes = golden(name);
    const known = { kind: "sealed" as const, length: bytes.length, keyId };
    assertEquals(inspectSession(bytes), { ...known, problem: "no_keys" });
    assertEquals(inspectSession(bytes, await goldenKeys()), {
      ...known,
      session: facts(fixture(plain)),
    });
    const rotated = await goldenKeys();
    rotated.rotate();
    assertEquals(inspectSession(bytes, rotated).session?.id, facts(fixture(plain)).id);
    const others = await SealingKeys.generate();
    assertEquals(inspectSession(bytes, others), { ...known, problem: "wrong_key" });
    for (const index of [17, 49, 100, -1]) {
      const changed = bytes.with(index, bytes.at(index)! ^ 1);
      assertEquals(inspectSession(changed, rotated), { ...known, problem: "tampered" });
    }
  });
}

Deno.test("expired is told by the clock of now", () => {
  const bytes = fixture("format1_tls13");
  const { expiresAt, createdAt } = Session.fromBytes(bytes);
  using clock = movedClock();
  clock.set(createdAt.getTime() / 1000);
  assertEquals(inspectSession(bytes).session?.expired, false);
  clock.set(expiresAt.getTime() / 1000);
  assertEquals(inspectSession(bytes).session?.expired, true);
});

Deno.test("what a store holds is sealed, and does not open without its place", async () => {
  const keys = await goldenKeys();
  for (const name of ["client_session", "server_session", "ticket_key_ring"]) {
    const { kind, problem } = inspectSession(golden(`envelope1_${name}`), keys);
    assertEquals([kind, problem], ["sealed", "tampered"]);
  }
});

Deno.test("a later format is told as a version, plain and sealed", async () => {
  const keys = await goldenKeys();
  const later = fixture("format1_tls13").with(4, 2);
  assertEquals(inspectSession(later), {
    kind: "plain",
    length: later.length,
    problem: "version",
  });
  const sealed = seal(currentEngine(), keys, { purpose: "session" }, later);
  const { kind, problem } = inspectSession(sealed, keys);
  assertEquals([kind, problem], ["sealed", "version"]);
});

Deno.test("what is no session is told as unknown, with or without keys", async () => {
  const keys = await goldenKeys();
  const bytes = fixture("format1_tls13");
  const samples = [
    new Uint8Array(0),
    new Uint8Array(100),
    new Uint8Array(300 * 1024),
    new Uint8Array(64).fill(1),
    bytes.subarray(1),
    bytes.subarray(0, -1),
    bytes.with(100, bytes[100] ^ 1),
    digestAnew(bytes.with(fieldRanges(bytes).find((f) => f.name === "protocol")!.start, 9)),
    new TextEncoder().encode("-----BEGIN SSL SESSION PARAMETERS-----"),
  ];
  for (const sample of samples) {
    const { length } = sample;
    const expected = { kind: "unknown", length, problem: "not_a_session" } as const;
    assertEquals(inspectSession(sample), expected);
    assertEquals(inspectSession(sample, keys), expected);
  }
  const text = seal(currentEngine(), keys, { purpose: "session" }, new TextEncoder().encode("no"));
  assertEquals(inspectSession(text, keys).problem, "not_a_session");
  const large = new Uint8Array(MAX_ENVELOPE + 1).fill(1);
  assertEquals(inspectSession(large, keys).problem, "tampered");
});

Deno.test("an argument that is no Uint8Array is a TypeError", () => {
  for (const bytes of [undefined, null, "text", 7, [], new ArrayBuffer(10), {}]) {
    assertThrows(() => inspectSession(bytes as never), TypeError);
  }
});

Deno.test("keys that are none are a TypeError, whatever the bytes", () => {
  for (const keys of [null, "text", {}, GOLDEN_SECRET]) {
    for (const bytes of [golden("envelope1_session_tls13"), fixture("format1_tls13")]) {
      const error = assertThrows(() => inspectSession(bytes, keys as never), TypeError);
      assert(error.message.includes('"keys"'), error.message);
    }
  }
});

Deno.test("nothing secret is told, of the session or of the keys", async () => {
  const keys = await goldenKeys();
  const ring = keys.toBytes();
  for (const [name, plain] of SEALED_SESSIONS) {
    const bytes = fixture(plain);
    const secrets = [secretOf(bytes), GOLDEN_SECRET, ring.subarray(5, 37), ring.subarray(-32)];
    if (field(bytes, "protocol")[1] === 4) secrets.push(field(bytes, "ticket"));
    for (const told of [inspectSession(bytes), inspectSession(golden(name), keys)]) {
      const shown = [JSON.stringify(told), Deno.inspect(told, { depth: 10, showHidden: true })];
      for (const secret of secrets) {
        const part = secret.subarray(0, 12);
        for (const writing of [part.toHex(), part.toBase64().slice(0, 14), part.join(",")]) {
          for (const each of shown) assertFalse(each.includes(writing), each);
        }
      }
    }
  }
});

/**
 * `Session.fromBytes()` on what is no intact session: `ERR_TLS_SESSION_INVALID` or `_VERSION`,
 * nothing else, within bounded memory, and without a word of what was in the bytes.
 */

import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { Session, TlsError } from "../../mod.ts";
import { fixture, FIXTURES } from "./fixtures.ts";
import {
  concat,
  digestAnew,
  fieldRanges,
  filled,
  sessionBytes,
  someSession,
  someTls12,
  someTls13,
  stateBytes,
  withDigest,
} from "./layout.ts";

const INVALID = "ERR_TLS_SESSION_INVALID";
const VERSION = "ERR_TLS_SESSION_VERSION";
const MAX_LENGTH = 160 * 1024;

/** The code that the bytes are refused with. */
function refusal(bytes: Uint8Array): string {
  const error = assertThrows(() => Session.fromBytes(bytes), TlsError);
  assertEquals([error.name, error.origin, error.cause], ["TlsError", "local", undefined]);
  return error.code;
}

Deno.test("Session.fromBytes() refuses no bytes, and bytes of anything else", () => {
  assertEquals(refusal(new Uint8Array(0)), INVALID);
  assertEquals(refusal(new TextEncoder().encode("a placeholder string")), INVALID);
  for (const length of [1, 4, 5, 31, 32, 33, 36, 37, 38, 1000, MAX_LENGTH]) {
    assertEquals(refusal(filled(length, 0)), INVALID);
    assertEquals(refusal(filled(length, 0xff)), INVALID);
    const noise = crypto.getRandomValues(new Uint8Array(Math.min(length, 65_536)));
    assertEquals(refusal(noise), INVALID);
  }
});

for (const name of FIXTURES) {
  Deno.test(`Session.fromBytes() refuses a session cut short at any length, ${name}`, () => {
    const bytes = fixture(name);
    for (let length = 0; length < bytes.length; length++) {
      assertEquals(refusal(bytes.subarray(0, length)), INVALID, `the first ${length} bytes`);
    }
  });

  Deno.test(`Session.fromBytes() refuses a session without its first bytes, ${name}`, () => {
    const bytes = fixture(name);
    for (let start = 1; start <= bytes.length; start++) {
      assertEquals(refusal(bytes.subarray(start)), INVALID, `from byte ${start} on`);
    }
  });

  Deno.test(`Session.fromBytes() refuses a session with any single bit flipped, ${name}`, () => {
    const bytes = fixture(name);
    const format = fieldRanges(bytes).find((field) => field.name === "format")!.start;
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3] ^= 1 << (bit & 7);
      const expected = bit >> 3 === format ? VERSION : INVALID;
      assertEquals(refusal(bytes), expected, `bit ${bit & 7} of byte ${bit >> 3}`);
      bytes[bit >> 3] ^= 1 << (bit & 7);
    }
    Session.fromBytes(bytes);
  });

  Deno.test(`Session.fromBytes() refuses a session with bytes behind it, ${name}`, () => {
    const bytes = fixture(name);
    assertEquals(refusal(concat(bytes, filled(1, 0))), INVALID);
    assertEquals(refusal(concat(bytes, bytes)), INVALID);
    const behindState = withDigest(concat(bytes.subarray(0, -32), filled(1, 0)));
    assertEquals(refusal(behindState), INVALID);
  });

  Deno.test(`Session.fromBytes() refuses a cut state even under a right digest, ${name}`, () => {
    const body = fixture(name).subarray(0, -32);
    for (let length = 5; length < body.length; length++) {
      assertEquals(refusal(withDigest(body.subarray(0, length))), INVALID);
    }
  });
}

Deno.test("Session.fromBytes() refuses two sessions spliced at any byte", () => {
  const head = fixture("format1_tls13");
  const tail = fixture("format1_tls12_ticket");
  for (let at = 6; at < tail.length; at++) {
    assertEquals(refusal(concat(head.subarray(0, at), tail.subarray(at))), INVALID, `at ${at}`);
  }
});

Deno.test("Session.fromBytes() names the format of a session of another release", () => {
  for (const format of [0, 2, 3, 255]) {
    for (const rest of [filled(32, 0), filled(500, 7), sessionBytes(someSession()).subarray(5)]) {
      const bytes = concat(new TextEncoder().encode("RPRS"), filled(1, format), rest);
      assertEquals(refusal(bytes), VERSION);
      const error = assertThrows(() => Session.fromBytes(bytes), TlsError, `format ${format};`);
      assert(error.message.endsWith("reads 1"));
    }
  }
});

Deno.test("Session.fromBytes() refuses a state that is none, whatever its digest", () => {
  const states: Record<string, Uint8Array> = {
    "no state": new Uint8Array(0),
    "TLS 1.1": concat(filled(2, 3).with(1, 2), stateBytes(someTls13()).subarray(2)),
    "a byte behind": concat(stateBytes(someTls13()), filled(1, 0)),
    "a byte behind, TLS 1.2": concat(stateBytes(someTls12()), filled(1, 0)),
    "a raw public key": stateBytes(someTls13({ identityType: 1 })),
    "a raw public key, TLS 1.2": stateBytes(someTls12({ identityType: 2 })),
    "TLS 1.2 named 1.3": concat(filled(2, 3).with(1, 4), stateBytes(someTls12()).subarray(2)),
  };
  for (const [what, state] of Object.entries(states)) {
    assertEquals(refusal(sessionBytes(someSession(), state)), INVALID, what);
  }
});

Deno.test("Session.fromBytes() refuses lengths that lie, under a right digest", () => {
  for (const name of FIXTURES) {
    const lengths = fieldRanges(fixture(name)).filter((field) => field.name.endsWith(".length"));
    for (const { name: field, start, end } of lengths) {
      const bytes = fixture(name);
      bytes.fill(0xff, start, end);
      assertEquals(refusal(digestAnew(bytes)), INVALID, `${field}: the most`);
      bytes.set(fixture(name).subarray(start, end), start);
      bytes[end - 1] ^= 1;
      assertEquals(refusal(digestAnew(bytes)), INVALID, `${field}: one more or less`);
    }
  }
});

Deno.test("Session.fromBytes() refuses text that is not UTF-8, and times that are none", () => {
  const bytes = sessionBytes(someSession());
  for (const { name, start } of fieldRanges(bytes)) {
    if (!["server_name", "alpn_protocol", "handshake_time", "expires_at"].includes(name)) continue;
    assertEquals(refusal(digestAnew(bytes.with(start, 0xff) as typeof bytes)), INVALID, name);
  }
});

Deno.test("Session.fromBytes() reads 160 KiB, and refuses one byte more unread", () => {
  const rest = sessionBytes(someSession({ state: someTls13({ chain: [filled(1, 0)] }) })).length;
  const chain = (length: number) => [filled(length - rest + 1, 0)];
  const sized = (length: number) =>
    sessionBytes(someSession({ state: someTls13({ chain: chain(length) }) }));
  assertEquals(Session.fromBytes(sized(MAX_LENGTH)).toBytes().length, MAX_LENGTH);
  assertEquals(refusal(sized(MAX_LENGTH + 1)), INVALID);
});

Deno.test("Session.fromBytes() does not copy what is too large to be a session", () => {
  const huge = new Uint8Array(256 * 1024 * 1024);
  huge.set(fixture("format1_tls13"));
  const before = Deno.memoryUsage().external;
  assertEquals(refusal(huge), INVALID);
  assertLess(Deno.memoryUsage().external - before, 64 * 1024 * 1024);
});

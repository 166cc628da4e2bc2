/**
 * `Session.seal()` and `Session.open()`: what is sealed comes back as it was under the right keys,
 * and nothing else does: no bit flipped, cut, spliced or sealed by others. Errors say which, and
 * nothing of the content.
 */

import { assert, assertEquals, assertFalse, assertNotEquals, assertRejects } from "@std/assert";
import { SealingKeys, Session, TlsError } from "../../mod.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { ENVELOPE_OVERHEAD, MAX_ENVELOPE, seal } from "../../src/envelope.ts";
import { fixture, FIXTURES } from "../session/fixtures.ts";
import { secretOf } from "../session/layout.ts";
import { golden, goldenKeys, SEALED_SESSIONS } from "./golden.ts";

const UNSEALABLE = "ERR_TLS_SESSION_UNSEALABLE";
const VERSION = "ERR_TLS_SESSION_VERSION";
const secret = (byte: number) => new Uint8Array(32).fill(byte).with(0, byte ^ 0xff);

/** The error of what must not open; it shows nothing of what was sealed. */
async function refusal(
  sealed: Uint8Array,
  keys: SealingKeys,
  plain: Uint8Array = fixture("format1_tls13"),
): Promise<TlsError> {
  const error = await assertRejects(() => Session.open(sealed, keys), TlsError);
  assertEquals([error.origin, error.cause], ["local", undefined]);
  const shown = `${error.message}\n${error.stack}\n${Deno.inspect(error, { depth: 10 })}`;
  for (const part of [secretOf(plain), sealed.subarray(1, 17), sealed.subarray(49, 65)]) {
    if (part.length < 12) continue;
    for (const writing of [part.toHex().slice(0, 24), part.toBase64().slice(0, 14)]) {
      assertFalse(shown.includes(writing), shown);
    }
  }
  return error;
}

for (const name of FIXTURES) {
  Deno.test(`a sealed session opens to the same bytes, ${name}`, async () => {
    const keys = await SealingKeys.generate();
    const session = Session.fromBytes(fixture(name));
    const sealed = await session.seal(keys);
    assertEquals(sealed.length, fixture(name).length + ENVELOPE_OVERHEAD);
    const opened = await Session.open(sealed, keys);
    assertEquals(opened.toBytes(), fixture(name));
    assertEquals([opened.id, opened.protocol], [session.id, session.protocol]);
    assertEquals(session.toBytes(), fixture(name), "sealing leaves it as it is");
  });

  Deno.test(`sealing twice gives other bytes, and shows nothing of the session, ${name}`, async () => {
    const keys = await SealingKeys.generate();
    const session = Session.fromBytes(fixture(name));
    const [a, b] = [await session.seal(keys), await session.seal(keys)];
    assertEquals(a.subarray(0, 17), b.subarray(0, 17));
    assertNotEquals(a.subarray(17, 49), b.subarray(17, 49));
    assertNotEquals(a.subarray(49, 81), b.subarray(49, 81));
    for (
      const part of [secretOf(fixture(name)).subarray(0, 8), new TextEncoder().encode("local")]
    ) {
      assertFalse(a.toHex().includes(part.toHex()));
    }
  });
}

for (const [name, plain] of SEALED_SESSIONS) {
  Deno.test(`a sealed session with any single bit flipped does not open, ${name}`, async () => {
    const keys = await goldenKeys();
    const sealed = golden(name);
    for (let index = 0; index < sealed.length; index++) {
      for (let bit = 0; bit < 8; bit++) {
        sealed[index] ^= 1 << bit;
        const { code, message } = await assertRejects(() => Session.open(sealed, keys), TlsError);
        sealed[index] ^= 1 << bit;
        const where = `bit ${bit} of byte ${index}: ${message}`;
        assertEquals(code, index === 0 ? VERSION : UNSEALABLE, where);
        if (index > 0) assertEquals(message.includes("no key has its id"), index < 17, where);
      }
    }
    assertEquals((await Session.open(sealed, keys)).toBytes(), fixture(plain));
  });

  Deno.test(`a sealed session cut at any length does not open, ${name}`, async () => {
    const keys = await goldenKeys();
    const sealed = golden(name);
    for (let length = 0; length < sealed.length; length++) {
      const { code } = await assertRejects(
        () => Session.open(sealed.subarray(0, length), keys),
        TlsError,
      );
      assertEquals(code, UNSEALABLE, `the first ${length} bytes`);
    }
    for (let start = 1; start <= sealed.length; start++) {
      await assertRejects(() => Session.open(sealed.subarray(start), keys), TlsError);
    }
    for (const more of [[0], [1, 2, 3], new Uint8Array(100)]) {
      assertEquals((await refusal(new Uint8Array([...sealed, ...more]), keys)).code, UNSEALABLE);
    }
  });
}

Deno.test("two sealed sessions spliced at any place do not open", async () => {
  const keys = await SealingKeys.generate();
  const sessions = ["format1_tls13", "format1_tls12_ticket"] as const;
  for (const other of sessions) {
    const a = await Session.fromBytes(fixture("format1_tls13")).seal(keys);
    const b = await Session.fromBytes(fixture(other)).seal(keys);
    // The version and the key's id are the same in both.
    for (let at = 18; at < Math.min(a.length, b.length); at++) {
      const spliced = new Uint8Array([...a.subarray(0, at), ...b.subarray(at)]);
      const { code } = await assertRejects(() => Session.open(spliced, keys), TlsError);
      assertEquals(code, UNSEALABLE, `at ${at}`);
    }
    const tail = new Uint8Array([...a.subarray(0, -16), ...b.subarray(-16)]);
    assertEquals((await refusal(tail, keys)).code, UNSEALABLE);
  }
});

Deno.test("a wrong key, and one that was rotated out, do not open; a rotated one does", async () => {
  const [one, two, three] = [secret(1), secret(2), secret(3)];
  const session = Session.fromBytes(fixture("format1_tls13"));
  const sealed = await session.seal(await SealingKeys.fromSecret(one));
  const rotated = await SealingKeys.fromSecret(two, { previous: [one] });
  assertEquals((await Session.open(sealed, rotated)).id, session.id);
  const twice = await SealingKeys.fromSecret(three, { previous: [two, one] });
  assertEquals((await Session.open(sealed, twice)).id, session.id);
  for (const without of [{}, { previous: [two] }]) {
    const keys = await SealingKeys.fromSecret(three, { ...without, nameSecret: one });
    const error = await refusal(sealed, keys);
    assertEquals(error.code, UNSEALABLE);
    assert(error.message.includes("no key has its id"), error.message);
  }
});

Deno.test("rotate() seals under the new key, opens under 16, and then no more", async () => {
  const keys = await SealingKeys.generate();
  const session = Session.fromBytes(fixture("format1_tls13"));
  const sealed = await session.seal(keys);
  for (let i = 0; i < 15; i++) {
    keys.rotate();
    assertEquals((await Session.open(sealed, keys)).id, session.id, `after ${i + 1} rotations`);
    assertEquals((await session.seal(keys)).subarray(1, 17).toHex(), keys.ids[0]);
  }
  keys.rotate();
  assertEquals((await refusal(sealed, keys)).code, UNSEALABLE);
});

Deno.test("an envelope of any other version is of another format", async () => {
  const keys = await goldenKeys();
  const sealed = golden("envelope1_session_tls13");
  for (let version = 0; version < 256; version++) {
    if (version === 1) continue;
    assertEquals((await refusal(sealed.with(0, version), keys)).code, VERSION, `${version}`);
  }
});

Deno.test("what was sealed for a store, or is no session, does not open as a session", async () => {
  const keys = await goldenKeys();
  for (const name of ["client_session", "server_session", "ticket_key_ring", "session"]) {
    assertEquals((await refusal(golden(`envelope1_${name}`), keys)).code, UNSEALABLE);
  }
  // The right key sealed something else: whoever has the key is believed that it is no session.
  const engine = currentEngine();
  const text = new TextEncoder().encode("no session");
  for (const plain of [text, new Uint8Array(0), fixture("format1_tls13").subarray(1)]) {
    const error = await refusal(seal(engine, keys, { purpose: "session" }, plain), keys);
    assertEquals(error.code, "ERR_TLS_SESSION_INVALID");
  }
  const later = fixture("format1_tls13").with(4, 2);
  const error = await refusal(seal(engine, keys, { purpose: "session" }, later), keys);
  assertEquals(error.code, VERSION);
});

Deno.test("plain sessions and bytes of anything else do not open", async () => {
  const keys = await goldenKeys();
  for (const name of FIXTURES) {
    assertEquals((await refusal(fixture(name), keys)).code, VERSION);
  }
  assertEquals((await refusal(new Uint8Array(0), keys)).code, UNSEALABLE);
  const large = new Uint8Array(MAX_ENVELOPE + 1).fill(1);
  assertEquals((await refusal(large, keys)).code, UNSEALABLE);
});

Deno.test("what are no bytes or no keys is a TypeError, and nothing is sealed", async () => {
  const session = Session.fromBytes(fixture("format1_tls13"));
  const sealed = golden("envelope1_session_tls13");
  for (const keys of [undefined, null, {}, "secret", new Uint8Array(32)]) {
    await assertRejects(() => session.seal(keys as never), TypeError);
    await assertRejects(() => Session.open(sealed, keys as never), TypeError);
  }
  const keys = await goldenKeys();
  for (const bytes of [undefined, null, "text", new ArrayBuffer(100), [1, 2, 3]]) {
    await assertRejects(() => Session.open(bytes as never, keys), TypeError);
  }
});

Deno.test("a disposed session is not sealed", async () => {
  const session = Session.fromBytes(fixture("format1_tls13"));
  const keys = await SealingKeys.generate();
  session[Symbol.dispose]();
  const error = await assertRejects(() => session.seal(keys), TlsError);
  assertEquals(error.code, "ERR_TLS_SESSION_INVALID");
});

Deno.test("sealing and opening leave the caller's bytes alone", async () => {
  const keys = await goldenKeys();
  const sealed = golden("envelope1_session_tls13");
  const session = await Session.open(sealed, keys);
  assertEquals(sealed, golden("envelope1_session_tls13"));
  sealed.fill(0);
  assertEquals(session.toBytes(), fixture("format1_tls13"));
});

/**
 * Envelopes of version 1 stay readable, and are laid out as src/envelope.ts says: what a release
 * sealed is opened by this one, and by nothing but HKDF and ChaCha20-Poly1305 of another library.
 */

import { assertEquals } from "@std/assert";
import { createDecipheriv, hkdfSync } from "node:crypto";
import { inspectSession, SealingKeys, Session } from "../../mod.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { type EnvelopeBinding, open } from "../../src/envelope.ts";
import { fixture } from "../session/fixtures.ts";
import {
  golden,
  GOLDEN_SECRET,
  goldenKeys,
  SEALED_SESSIONS,
  SEALED_TEXTS,
  TEXT_BINDING,
} from "./golden.ts";

const KEY_ID = "reprise key id";
const utf8 = (text: string) => new TextEncoder().encode(text);
const derived = (ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number) =>
  new Uint8Array(hkdfSync("sha256", ikm, salt, info, length));

/** Opens an envelope as its layout is documented, without any code of this library. */
function openByTheBook(sealed: Uint8Array, purpose: string, bound: Uint8Array): Uint8Array {
  const none = new Uint8Array(0);
  const key = derived(GOLDEN_SECRET, none, utf8("reprise sealing key"), 32);
  assertEquals(sealed[0], 1);
  assertEquals(sealed.subarray(1, 17).toHex(), derived(key, none, utf8(KEY_ID), 16).toHex());
  const info = new Uint8Array([...utf8(purpose), 0, ...bound]);
  const okm = derived(key, sealed.subarray(17, 49), info, 44);
  const algorithm = "chacha20-poly1305" as const;
  const opening = createDecipheriv(algorithm, okm.subarray(0, 32), okm.subarray(32), {
    authTagLength: 16,
  });
  opening.setAAD(sealed.subarray(0, 17), { plaintextLength: sealed.length - 65 });
  opening.setAuthTag(sealed.subarray(-16));
  const plain = opening.update(sealed.subarray(49, -16));
  return new Uint8Array([...plain, ...opening.final()]);
}

for (const [name, plain] of SEALED_SESSIONS) {
  Deno.test(`a session sealed by an earlier release opens, ${name}`, async () => {
    const session = await Session.open(golden(name), await goldenKeys());
    assertEquals(session.toBytes(), fixture(plain));
    const inspected = inspectSession(golden(name), await goldenKeys());
    assertEquals([inspected.kind, inspected.session?.id], ["sealed", session.id]);
  });

  Deno.test(`a sealed session is laid out as documented, ${name}`, () => {
    assertEquals(openByTheBook(golden(name), "session", new Uint8Array(0)), fixture(plain));
  });
}

for (const [name, purpose] of SEALED_TEXTS) {
  const text = `content of a ${purpose}`;

  Deno.test(`what an earlier release bound to a place opens there, ${name}`, async () => {
    const to: EnvelopeBinding = { purpose, ...TEXT_BINDING };
    const { plain } = open(currentEngine(), await goldenKeys(), to, golden(name));
    assertEquals(new TextDecoder().decode(plain), text);
  });

  Deno.test(`what is bound to a place is laid out as documented, ${name}`, () => {
    const bound = new Uint8Array([...TEXT_BINDING.fingerprint, ...TEXT_BINDING.binding]);
    assertEquals(new TextDecoder().decode(openByTheBook(golden(name), purpose, bound)), text);
  });

  Deno.test(`what is bound to a place opens in no other, ${name}`, async () => {
    const keys = await goldenKeys();
    const { fingerprint, binding } = TEXT_BINDING;
    const others: EnvelopeBinding[] = [
      ...SEALED_TEXTS.map(([, other]) => ({ purpose: other, ...TEXT_BINDING }))
        .filter((other) => other.purpose !== purpose),
      { purpose },
      { purpose, fingerprint },
      { purpose, binding },
      { purpose, fingerprint: fingerprint.with(31, 0), binding },
      { purpose, fingerprint, binding: binding.subarray(1) },
      { purpose, fingerprint, binding: new Uint8Array([...binding, 0]) },
    ];
    for (const to of others) {
      assertEquals(open(currentEngine(), keys, to, golden(name)), { miss: "tampered" });
    }
  });
}

Deno.test("keys from a secret have the ids that an earlier release gave them", async () => {
  const { ids } = await goldenKeys();
  assertEquals(ids, [golden("envelope1_session").subarray(1, 17).toHex()]);
  const rotated = await SealingKeys.fromSecret(new Uint8Array(32).map((_, i) => 255 - i), {
    previous: [GOLDEN_SECRET],
  });
  assertEquals(rotated.ids[1], ids[0]);
});

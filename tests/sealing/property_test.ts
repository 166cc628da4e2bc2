/**
 * Properties of envelopes and of `inspectSession()` under generated input: what is sealed opens
 * under the same keys and place only, and bytes of any kind are refused as documented, or told,
 * and never more. The seed is fixed: a run is like any other.
 */

import { assert, assertEquals } from "@std/assert";
import { fc } from "../packages.ts";
import { inspectSession, SealingKeys, Session, TlsError } from "../../mod.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { ENVELOPE_OVERHEAD, type EnvelopeBinding, open, seal } from "../../src/envelope.ts";
import { fixture, FIXTURES } from "../session/fixtures.ts";
import { digestAnew, filled, sessionBytes, someSession, someTls13 } from "../session/layout.ts";
import { goldenKeys } from "./golden.ts";

const RUNS = { seed: 0x5ea1ed, numRuns: 300 };
const CODES = [
  "ERR_TLS_SESSION_UNSEALABLE",
  "ERR_TLS_SESSION_VERSION",
  "ERR_TLS_SESSION_INVALID",
];
const KINDS = ["plain", "sealed", "unknown"];
const PROBLEMS = [undefined, "no_keys", "wrong_key", "tampered", "version", "not_a_session"];
const MISSES = ["version", "wrong_key", "tampered"];

const keys = await goldenKeys();
const keyId = Uint8Array.fromHex(keys.ids[0]);
const bytes = (maxLength: number, minLength = 0) => fc.uint8Array({ minLength, maxLength });
const place = fc.record({
  purpose: fc.constantFrom("session", "client session", "server session", "ticket key ring"),
  fingerprint: fc.oneof(bytes(32, 32), fc.constant(new Uint8Array(0))),
  binding: bytes(96),
}) as fc.Arbitrary<Required<EnvelopeBinding>>;

/** A place as text, for comparison: what is derived from is one string of bytes. */
const written = ({ purpose, fingerprint, binding }: Required<EnvelopeBinding>) =>
  `${purpose}|${fingerprint.toHex()}${binding.toHex()}`;

/** Opens or refuses, both ways; what it may do besides is nothing. */
async function checkAnything(input: Uint8Array): Promise<void> {
  const copy = input.slice();
  for (const given of [undefined, keys]) {
    const { kind, length, problem, session } = inspectSession(input, given);
    assert(KINDS.includes(kind) && PROBLEMS.includes(problem), `${kind} ${problem}`);
    assertEquals(length, input.length);
    assertEquals(session === undefined, problem !== undefined);
  }
  try {
    await Session.open(input, keys);
  } catch (error) {
    assert(error instanceof TlsError && CODES.includes(error.code), String(error));
  }
  const opened = open(currentEngine(), keys, { purpose: "client session" }, input);
  if (opened.miss !== undefined) assert(MISSES.includes(opened.miss), opened.miss);
  assertEquals(input, copy, "the bytes stay as they are");
}

Deno.test("what is sealed opens in its place, whatever it is", () => {
  const property = fc.property(bytes(2000), place, (plain, to) => {
    const sealed = seal(currentEngine(), keys, to, plain);
    assertEquals(sealed.length, plain.length + ENVELOPE_OVERHEAD);
    assertEquals(open(currentEngine(), keys, to, sealed).plain, plain);
  });
  fc.assert(property, RUNS);
});

Deno.test("what is sealed opens in no other place, and under no other keys", async () => {
  const others = await SealingKeys.generate();
  const property = fc.property(bytes(200), place, place, (plain, to, other) => {
    fc.pre(written(to) !== written(other));
    const sealed = seal(currentEngine(), keys, to, plain);
    assertEquals(open(currentEngine(), keys, other, sealed), { miss: "tampered" });
    assertEquals(open(currentEngine(), others, to, sealed), { miss: "wrong_key" });
  });
  fc.assert(property, RUNS);
});

Deno.test("what is sealed and changed in any way does not open", () => {
  const change = fc.record({
    at: fc.nat(),
    removed: fc.nat({ max: 40 }),
    inserted: bytes(40),
  });
  const to = { purpose: "client session" } as const;
  const property = fc.property(bytes(300), change, (plain, { at, removed, inserted }) => {
    const sealed = seal(currentEngine(), keys, to, plain);
    const start = at % (sealed.length + 1);
    const rest = sealed.subarray(Math.min(sealed.length, start + removed));
    const changed = new Uint8Array([...sealed.subarray(0, start), ...inserted, ...rest]);
    fc.pre(changed.toHex() !== sealed.toHex());
    const { miss } = open(currentEngine(), keys, to, changed);
    assert(miss !== undefined && MISSES.includes(miss), miss);
  });
  fc.assert(property, RUNS);
});

Deno.test("random bytes are refused as documented, or told, and never more", async () => {
  await fc.assert(fc.asyncProperty(bytes(2000), checkAnything), RUNS);
});

Deno.test("random bytes behind a right version and key id are no more", async () => {
  const property = fc.asyncProperty(bytes(500), async (rest) => {
    const input = new Uint8Array([1, ...keyId, ...rest]);
    await checkAnything(input);
    const expected = input.length < ENVELOPE_OVERHEAD ? "not_a_session" : "tampered";
    assertEquals(inspectSession(input, keys).problem, expected);
  });
  await fc.assert(property, RUNS);
});

Deno.test("changed sessions under a right digest, plain and sealed, are no more", async () => {
  const change = fc.tuple(fc.constantFrom(...FIXTURES), fc.nat(), bytes(8, 1), fc.nat({ max: 8 }));
  const property = fc.asyncProperty(change, async ([name, at, inserted, removed]) => {
    const original = fixture(name);
    const start = at % original.length;
    const mutated = digestAnew(
      new Uint8Array([
        ...original.subarray(0, start),
        ...inserted,
        ...original.subarray(start + removed),
        ...new Uint8Array(32),
      ]),
    );
    await checkAnything(mutated);
    await checkAnything(seal(currentEngine(), keys, { purpose: "session" }, mutated));
  });
  await fc.assert(property, RUNS);
});

Deno.test("every session that is read can be sealed, and opened again, up to the largest", async () => {
  const lengths = [1, 1000, 65_535];
  for (const ticket of lengths) {
    for (const chain of [[10], [30_000, 60_000]]) {
      const state = someTls13({
        ticket: filled(ticket, 0x77),
        chain: chain.map((length) => filled(length, 0xc1)),
      });
      const plain = sessionBytes(someSession({ state }));
      const session = Session.fromBytes(plain);
      const sealed = await session.seal(keys);
      assertEquals((await Session.open(sealed, keys)).id, session.id, `${plain.length} bytes`);
      assertEquals(inspectSession(sealed, keys).session?.id, session.id);
    }
  }
});

/**
 * Properties of rings as bytes, under generated input: reading them refuses with a `TypeError` or
 * gives what was written. The seed is fixed: a run is like any other.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { fc } from "../packages.ts";
import { SealingKeys, TicketKeys } from "../../mod.ts";
import {
  decodeSharedRing,
  decodeTicketKeys,
  encodeSharedRing,
  encodeTicketKeys,
  type SharedTicketRing,
  type TicketKey,
} from "../../src/ticket_ring.ts";

const RUNS = { seed: 0x5250544b, numRuns: 300 };

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const start = (magic: string) => [...new TextEncoder().encode(magic), 1];

/** Reads by `read`; `null` where the bytes were refused as they have to be. */
async function refusedOr<T>(read: () => T | Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    assert(error instanceof TypeError, String(error));
    return null;
  }
}

const key = bytes(32, 32).filter((key) => !key.every((byte) => byte === key[0]));
const time = fc.nat({ max: 2 ** 48 - 1 });
const ticketKey: fc.Arbitrary<TicketKey> = fc.record({
  key,
  notBefore: time,
  sealUntil: time,
  openUntil: time,
}, { noNullPrototype: true });
const ticketRing = fc.uniqueArray(ticketKey, {
  minLength: 1,
  maxLength: 32,
  selector: ({ key }) => key.toHex(),
});
const sharedRing: fc.Arbitrary<SharedTicketRing> = fc.record({
  generation: time,
  writtenAt: time,
  keys: ticketRing,
  revoked: fc.array(
    fc.record({ id: bytes(16, 16).map((id) => id.toHex()), until: time }, {
      noNullPrototype: true,
    }),
    { maxLength: 64 },
  ),
}, { noNullPrototype: true });
const sealingRing = fc.uniqueArray(key, {
  minLength: 1,
  maxLength: 16,
  selector: (key) => key.toHex(),
});

Deno.test("random bytes are no ring", async () => {
  await fc.assert(
    fc.asyncProperty(bytes(0, 2000), async (input) => {
      assertEquals(await refusedOr(() => SealingKeys.fromBytes(input)), null);
      assertEquals(await refusedOr(() => TicketKeys.fromBytes(input)), null);
    }),
    RUNS,
  );
});

Deno.test("random bytes after a right start are refused or a ring", async () => {
  await fc.assert(
    fc.asyncProperty(bytes(0, 300), async (rest) => {
      const sealing = await refusedOr(() =>
        SealingKeys.fromBytes(new Uint8Array([...start("RPSK"), ...rest]))
      );
      if (sealing !== null) assertEquals(sealing.toBytes().subarray(5), rest);
      await refusedOr(() => TicketKeys.fromBytes(new Uint8Array([...start("RPTK"), ...rest])));
    }),
    RUNS,
  );
});

Deno.test("a ring of ticket keys is read as it was written", () => {
  fc.assert(
    fc.property(ticketRing, (keys) => assertEquals(decodeTicketKeys(encodeTicketKeys(keys)), keys)),
    RUNS,
  );
});

Deno.test("a shared ring is read as it was written, and as nothing else", () => {
  fc.assert(
    fc.property(sharedRing, (ring) => {
      const written = encodeSharedRing(ring);
      assertEquals(decodeSharedRing(written), ring);
      assertThrows(() => decodeTicketKeys(written), TypeError);
      assertThrows(() => decodeSharedRing(encodeTicketKeys(ring.keys)), TypeError);
    }),
    RUNS,
  );
});

Deno.test("a shared ring that is cut off, changed or made up is refused or reads as it is", async () => {
  await fc.assert(
    fc.asyncProperty(sharedRing, bytes(0, 2000), fc.nat(), async (ring, other, n) => {
      const written = encodeSharedRing(ring);
      const cut = written.subarray(0, n % written.length);
      const changed = written.slice();
      changed[n % written.length] ^= 1 + n % 255;
      const magic = new TextEncoder().encode("RPTS");
      for (const input of [cut, changed, other, new Uint8Array([...magic, 1, ...other])]) {
        const read = await refusedOr(() => decodeSharedRing(input));
        if (read !== null) assertEquals(encodeSharedRing(read), input);
      }
    }),
    RUNS,
  );
});

Deno.test("a ring of sealing keys is read as it was written", async () => {
  await fc.assert(
    fc.asyncProperty(key, sealingRing, async (nameKey, keys) => {
      const length = keys.length * 32;
      const written = new Uint8Array([
        ...start("RPSK"),
        ...nameKey,
        length >> 8,
        length & 255,
        ...keys.flatMap((each) => [...each]),
      ]);
      const ring = await SealingKeys.fromBytes(written);
      assertEquals(ring.toBytes(), written);
      assertEquals(ring.ids.length, keys.length);
    }),
    RUNS,
  );
});

Deno.test("a ring that was cut off anywhere is refused", async () => {
  await fc.assert(
    fc.asyncProperty(ticketRing, fc.nat(), async (keys, at) => {
      const whole = encodeTicketKeys(keys);
      const cut = whole.subarray(0, at % whole.length);
      assertEquals(await refusedOr(() => decodeTicketKeys(cut)), null);
    }),
    RUNS,
  );
});

Deno.test("a ring with a byte changed is refused or reads as changed", async () => {
  await fc.assert(
    fc.asyncProperty(
      ticketRing,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      async (keys, n, xor) => {
        const written = encodeTicketKeys(keys);
        const at = n % written.length;
        written[at] ^= xor;
        const read = await refusedOr(() => decodeTicketKeys(written));
        if (read !== null) assertEquals(encodeTicketKeys(read), written);
      },
    ),
    RUNS,
  );
});

/**
 * Ticket keys under a clock that the tests move: published before they seal, opening after that,
 * then erased.
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { TicketKeys } from "../../mod.ts";
import { encodeTicketKeys, type TicketKey } from "../../src/ticket_ring.ts";
import { rotated } from "../../src/ticket_schedule.ts";
import { type MovedClock, movedClock } from "../interop/clock.ts";
import { runScript } from "../peers/process.ts";
import { contents, HOUR, inUse, secret } from "./ring.ts";

const START = 1_800_000_000;
const HOURLY = { rotateEvery: HOUR };

function clock(): MovedClock {
  const moved = movedClock();
  moved.set(START);
  return moved;
}

const bytesOf = (...keys: Partial<TicketKey>[]) =>
  encodeTicketKeys(keys.map((key, i) => ({
    key: secret(i + 1),
    notBefore: START * 1000,
    sealUntil: START * 1000 + HOUR,
    openUntil: START * 1000 + 2 * HOUR,
    ...key,
  })));

Deno.test("a new ring seals at once, with a key of its own", async () => {
  const [a, b] = [await TicketKeys.generate(), await TicketKeys.generate()];
  const [ofA, ofB] = [await inUse(a), await inUse(b)];
  assert(ofA.seals !== null && ofB.seals !== null);
  assertNotEquals(ofA.seals, ofB.seals);
  assertEquals(a.ids[0], ofA.seals);
});

Deno.test("a key is published before it seals, opens after that, and is erased", async () => {
  using time = clock();
  const keys = await TicketKeys.generate({ rotateEvery: HOUR, openFor: 2 * HOUR });
  /** Of each key, by id: the minutes at which it was first and last seen to open and to seal. */
  const opened = new Map<string, [number, number]>();
  const sealed = new Map<string, [number, number]>();
  const see = (seen: typeof opened, id: string, minute: number) =>
    seen.set(id, [seen.get(id)?.[0] ?? minute, minute]);
  for (let minute = 0; minute < 12 * 60; minute += 5) {
    const { seals, opens } = await inUse(keys);
    assert(seals !== null, `a key seals at ${minute}`);
    see(sealed, seals, minute);
    for (const id of opens) see(opened, id, minute);
    assertLessOrEqual(opens.length, 5);
    time.move(5 * 60);
  }
  const order = [...sealed];
  assertEquals(order.length, 12);
  for (const [i, [id, [from, to]]] of order.entries()) {
    // Each seals for an hour, and opens for two more.
    assertEquals([from, to], [i * 60, i * 60 + 55]);
    const [published, last] = opened.get(id)!;
    if (i > 0) assertLessOrEqual(published, from - 25, "published half a period before");
    assertEquals(last, Math.min(to + 120, 12 * 60 - 5));
  }
});

Deno.test("a key that has ended is in no export any more", async () => {
  using time = clock();
  const keys = await TicketKeys.generate({ rotateEvery: HOUR, openFor: HOUR });
  const [first] = contents(keys);
  const hasFirst = () =>
    contents(keys).some(({ key }) => first.key.every((byte, i) => byte === key[i]));
  assert(hasFirst());
  time.move(2 * 3600 - 1);
  assert(hasFirst(), "to its end it opens");
  time.move(1);
  // Nobody asked for the ring in between.
  assert(!hasFirst());
  assertEquals((await inUse(keys)).opens.includes(first.key.toHex()), false);
});

Deno.test("ended keys are overwritten in memory", () => {
  using time = clock();
  const keys = rotated([], { rotateEvery: HOUR, openFor: HOUR }, Date.now());
  time.move(3 * 3600);
  const later = rotated(keys, { rotateEvery: HOUR, openFor: HOUR }, Date.now());
  assertEquals(keys[0].key, new Uint8Array(32));
  assert(later.every(({ key }) => key.some((byte) => byte !== 0)));
});

Deno.test("a ring that slept for days has a key to seal at once, and none that ended", async () => {
  using time = clock();
  const keys = await TicketKeys.generate({ rotateEvery: HOUR, openFor: HOUR });
  const before = await inUse(keys);
  time.move(30 * 24 * 3600);
  const after = await inUse(keys);
  assert(after.seals !== null);
  assertEquals(after.opens.filter((id) => before.opens.includes(id)), []);
});

Deno.test("a clock set back seals and opens still", async () => {
  using time = clock();
  const keys = await TicketKeys.generate({ rotateEvery: HOUR, openFor: HOUR });
  const before = await inUse(keys);
  time.move(-24 * 3600);
  const after = await inUse(keys);
  assert(after.seals !== null);
  assert(after.opens.includes(before.seals!), "what was sealed opens");
});

Deno.test("rotate() seals anew at once, and what was sealed opens to its end", async () => {
  using time = clock();
  const keys = await TicketKeys.generate({ rotateEvery: HOUR, openFor: HOUR });
  const before = await inUse(keys);
  await keys.rotate();
  const after = await inUse(keys);
  assertNotEquals(after.seals, before.seals);
  assertEquals(keys.ids[0], after.seals);
  assert(after.opens.includes(before.seals!));
  time.move(2 * 3600);
  assert(!(await inUse(keys)).opens.includes(before.seals!));
});

Deno.test("rotate() drops a key that was published and never sealed", async () => {
  using time = clock();
  const keys = await TicketKeys.generate({ rotateEvery: HOUR });
  time.move(40 * 60);
  const { seals, opens } = await inUse(keys);
  const next = opens.filter((id) => id !== seals);
  assertEquals(next.length, 1);
  await keys.rotate();
  assert(!(await inUse(keys)).opens.includes(next[0]));
});

Deno.test("any number of rotations keeps a bounded ring that seals", async () => {
  using _time = clock();
  const keys = await TicketKeys.generate();
  for (let i = 0; i < 100; i++) await keys.rotate();
  const { seals, opens } = await inUse(keys);
  assert(seals !== null);
  assertLessOrEqual(opens.length, 32);
  assertEquals((await inUse(await TicketKeys.fromBytes(keys.toBytes()))).seals, seals);
});

Deno.test("a ring as bytes is the same ring", async () => {
  using time = clock();
  const keys = await TicketKeys.generate({ rotateEvery: HOUR, openFor: HOUR });
  for (let i = 0; i < 5; i++) {
    const same = await TicketKeys.fromBytes(keys.toBytes(), { rotateEvery: HOUR, openFor: HOUR });
    assertEquals([same.ids, same.toBytes()], [keys.ids, keys.toBytes()]);
    assertEquals(await inUse(same), await inUse(keys));
    time.move(35 * 60);
  }
});

Deno.test("keys of the future open and do not seal", async () => {
  using _time = clock();
  const future = { notBefore: (START + 600) * 1000 };
  const keys = await TicketKeys.fromBytes(bytesOf({}, future), HOURLY);
  const { seals, opens } = await inUse(keys);
  assertEquals(seals, keys.ids[0]);
  assertEquals(opens.length, 2);
  const onlyFuture = await TicketKeys.fromBytes(bytesOf(future), HOURLY);
  const used = await inUse(onlyFuture);
  assertEquals([used.opens.length, used.opens.includes(used.seals!)], [2, true]);
  assertNotEquals(used.seals, (await TicketKeys.fromBytes(bytesOf(future))).ids[0]);
});

Deno.test("servers with one secret agree without talking, at every time", async () => {
  using time = clock();
  const options = { rotateEvery: HOUR, openFor: 2 * HOUR };
  const [a, b] = await Promise.all([1, 2].map(() => TicketKeys.fromSecret(secret(1), options)));
  const seals = new Set<string>();
  let before: string | null = null;
  for (let i = 0; i < 30; i++) {
    const [ofA, ofB] = [await inUse(a), await inUse(b)];
    const late = await inUse(await TicketKeys.fromSecret(secret(1), options));
    assertEquals([ofB, late], [ofA, ofA]);
    assert(ofA.seals !== null);
    if (before !== null) assert(ofA.opens.includes(before), "what was sealed an hour ago opens");
    seals.add(ofA.seals);
    before = ofA.seals;
    time.move(3600);
  }
  assertEquals(seals.size, 30);
  assertLessOrEqual((await inUse(a)).opens.length, 4);
});

Deno.test("with one secret, a server whose clock is a little ahead is understood", async () => {
  using time = clock();
  const keys = await TicketKeys.fromSecret(secret(1), { rotateEvery: HOUR });
  time.set(Math.ceil(START / 3600) * 3600 - 1);
  const before = await inUse(keys);
  time.move(2);
  const after = await inUse(keys);
  assertNotEquals(after.seals, before.seals);
  assert(before.opens.includes(after.seals!) && after.opens.includes(before.seals!));
});

Deno.test("a secret and a schedule make the keys: others have others", async () => {
  using _time = clock();
  const rings = await Promise.all([
    TicketKeys.fromSecret(secret(1), { rotateEvery: HOUR }),
    TicketKeys.fromSecret(secret(2), { rotateEvery: HOUR }),
    TicketKeys.fromSecret(secret(1), { rotateEvery: 2 * HOUR }),
  ]);
  assertEquals(new Set(rings.map(({ ids }) => ids[0])).size, 3);
});

Deno.test("two processes with one secret have the same keys", async () => {
  const script = new URL("./secret_script.ts", import.meta.url);
  const input = { secret: [...secret(1)], now: START };
  const there = await runScript<string[]>(script, { input });
  using _time = clock();
  assertEquals(there, (await TicketKeys.fromSecret(secret(1), { rotateEvery: HOUR })).ids);
});

Deno.test("keys from a secret are not rotated by hand", async () => {
  const keys = await TicketKeys.fromSecret(secret(1));
  await assertRejects(() => keys.rotate(), TypeError, "secret");
});

Deno.test("who changes a secret after handing it over changes nothing", async () => {
  using time = clock();
  const given = secret(1);
  const keys = await TicketKeys.fromSecret(given, { rotateEvery: HOUR });
  given.fill(0);
  time.move(3600);
  const same = await TicketKeys.fromSecret(secret(1), { rotateEvery: HOUR });
  assertEquals((await inUse(keys)).seals, (await inUse(same)).seals);
});

for (const bad of [new Uint8Array(0), new Uint8Array(31).fill(1), new Uint8Array(32), "x", null]) {
  Deno.test(`${Deno.inspect(bad).slice(0, 20)} is no secret`, async () => {
    await assertRejects(() => TicketKeys.fromSecret(bad as Uint8Array), TypeError);
  });
}

for (const name of ["rotateEvery", "openFor"]) {
  for (const bad of [0, -1, NaN, Infinity, 400 * 24 * HOUR, "1h", null]) {
    Deno.test(`${name}: ${bad} is refused`, async () => {
      const options = { [name]: bad };
      await assertRejects(() => TicketKeys.generate(options), TypeError, name);
      await assertRejects(() => TicketKeys.fromSecret(secret(1), options), TypeError, name);
      const bytes = (await TicketKeys.generate()).toBytes();
      await assertRejects(() => TicketKeys.fromBytes(bytes, options), TypeError, name);
    });
  }
}

Deno.test("what is no ring, or has a bad key, is refused", async () => {
  using _time = clock();
  const good = bytesOf({}, {});
  assertGreater((await inUse(await TicketKeys.fromBytes(good))).opens.length, 1);
  const ended = { openUntil: START * 1000 };
  const bad: [string, unknown][] = [
    ["text", "RPTK"],
    ["null", null],
    ["nothing", undefined],
    ["an array", [...good]],
    ["no bytes", new Uint8Array(0)],
    ["another start", good.with(0, 0)],
    ["another format", good.with(4, 2)],
    ["a byte less", good.slice(0, -1)],
    ["a byte more", new Uint8Array([...good, 0])],
    ["no key", good.slice(0, 7).fill(0, 5)],
    ["a zero key", bytesOf({}, { key: new Uint8Array(32) })],
    ["a key of one byte repeated", bytesOf({ key: new Uint8Array(32).fill(7) })],
    ["a short key", bytesOf({ key: secret(1).subarray(0, 31) })],
    ["a key twice", bytesOf({}, { key: secret(1) })],
    ["a time beyond all times", bytesOf({ openUntil: 2 ** 60 })],
    ["33 keys", bytesOf(...Array.from({ length: 33 }, () => ({})))],
    ["nothing but ended keys", bytesOf(ended, ended)],
  ];
  for (const [what, bytes] of bad) {
    await assertRejects(() => TicketKeys.fromBytes(bytes as Uint8Array), TypeError, "", what);
  }
});

Deno.test("an ended key beside a good one is erased, not used", async () => {
  using _time = clock();
  const keys = await TicketKeys.fromBytes(bytesOf({ openUntil: START * 1000 }, {}), HOURLY);
  assertEquals((await inUse(keys)).opens.length, 1);
  assertEquals(contents(keys).map(({ key }) => key), [secret(2)]);
});

Deno.test("a ring shows no secrets", async () => {
  const keys = await TicketKeys.generate();
  const shown = [
    Deno.inspect(keys, { depth: 10, showHidden: true }),
    String(keys),
    JSON.stringify(keys),
  ].join("\n");
  for (const { key } of contents(keys)) {
    assert(!shown.includes(key.subarray(0, 4).toHex()));
    assert(!shown.includes([...key.subarray(0, 4)].join(", ")));
  }
});

/**
 * Ticket keys that many servers share by a store: they agree, whatever races; they go on while the
 * store is down; what is in it is sealed, and garbage in it is told.
 */

import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { type KeyRingStore, SealingKeys, TicketKeys, TlsError } from "../../mod.ts";
import { utf8 } from "../../src/bytes.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { seal } from "../../src/envelope.ts";
import { until, within } from "../engine/bounded.ts";
import { type MovedClock, movedClock } from "../interop/clock.ts";
import { contents, HOUR, inUse, MINUTE, secret } from "./ring.ts";
import { TestRingStore } from "./ring_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const keys = await SealingKeys.fromSecret(secret(1));
const START = 1_800_000_000;
const TIMES = { rotateEvery: HOUR, openFor: HOUR, refreshEvery: MINUTE };

function clock(): MovedClock {
  const moved = movedClock();
  moved.set(START);
  return moved;
}

const shared = (store: KeyRingStore, times = {}) =>
  TicketKeys.shared(store, { keys, ...TIMES, ...times });

/** Lets what was begun in the background come to its end. */
async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** What each ring uses, after each has looked at the store if it was due. */
async function allInUse(fleet: readonly TicketKeys[]) {
  for (const each of fleet) await inUse(each);
  await turns();
  return await Promise.all(fleet.map(inUse));
}

for (const latency of [0, 5]) {
  Deno.test(`servers that start at once agree on one ring, ${latency} ms of latency`, async () => {
    const store = new TestRingStore();
    store.latency = latency;
    const fleet = await Promise.all(Array.from({ length: 8 }, () => shared(store)));
    const used = await allInUse(fleet);
    for (const each of used) assertEquals(each, used[0]);
    assert(used[0].seals !== null);
    assertEquals(store.changes, 1);
  });
}

Deno.test("at every time each server opens what any other seals", async () => {
  using time = clock();
  const store = new TestRingStore();
  const fleet = await Promise.all(Array.from({ length: 5 }, () => shared(store)));
  const sealed = new Set<string>();
  for (let minute = 0; minute < 6 * 60; minute += 5) {
    // Not all of them look at the store at the same time.
    const awake = fleet.filter((_, i) => (minute / 5 + i) % 3 !== 0);
    await allInUse(awake);
    const used = await Promise.all(awake.map(inUse));
    for (const { seals } of used) {
      assert(seals !== null);
      sealed.add(seals);
      for (const { opens } of used) assert(opens.includes(seals), `at ${minute}`);
    }
    time.move(5 * 60);
  }
  assertEquals(sealed.size, 6);
  // A change when a key is published, and one when a key is erased.
  assertLessOrEqual(store.changes, 13);
});

Deno.test("rings that rotate at once agree, and lose no key", async () => {
  const store = new TestRingStore();
  const fleet = await Promise.all(Array.from({ length: 6 }, () => shared(store)));
  const before = (await inUse(fleet[0])).seals!;
  store.latency = 3;
  await Promise.all(fleet.map((each) => each.rotate()));
  store.latency = 0;
  const late = await shared(store);
  const { seals, opens } = await inUse(late);
  assertNotEquals(seals, before);
  assert(opens.includes(before), "what was sealed before opens");
  for (const each of fleet) {
    assert(opens.includes((await inUse(each)).seals!), "what each seals opens");
  }
});

Deno.test("a rotation reaches the others when they look at the store again", async () => {
  using time = clock();
  const store = new TestRingStore();
  const [a, b] = await Promise.all([shared(store), shared(store)]);
  const before = await inUse(b);
  await a.rotate();
  assertEquals(await inUse(b), before);
  time.move(61);
  const [ofA, ofB] = await allInUse([a, b]);
  assertEquals(ofB, ofA);
  assertNotEquals(ofB.seals, before.seals);
  assert(ofB.opens.includes(before.seals!));
});

Deno.test("a key that has ended is erased from the store", async () => {
  using time = clock();
  const store = new TestRingStore();
  const ring = await shared(store);
  const [first] = contents(ring);
  time.move(2 * 3600);
  await allInUse([ring]);
  const stored = contents(await shared(store));
  assert(stored.every(({ key }) => key.toHex() !== first.key.toHex()));
});

Deno.test("a server that slept waits for the store, and gets what the others have", async () => {
  using time = clock();
  const store = new TestRingStore();
  const [awake, asleep] = await Promise.all([shared(store), shared(store)]);
  for (let hour = 0; hour < 5; hour++) {
    for (const minutes of [20, 20, 20]) {
      time.move(minutes * 60);
      await allInUse([awake]);
    }
  }
  assertEquals(await inUse(asleep), await inUse(awake));
});

Deno.test("what is in the store is sealed, and opens after the sealing keys rotated", async () => {
  const store = new TestRingStore();
  const sealing = await SealingKeys.generate();
  const ring = await TicketKeys.shared(store, { keys: sealing });
  for (const { key } of contents(ring)) assert(!store.value!.toHex().includes(key.toHex()));
  sealing.rotate();
  const later = await TicketKeys.shared(store, { keys: sealing });
  assertEquals((await inUse(later)).seals, (await inUse(ring)).seals);
});

for (
  const { what, onLoad } of [
    { what: "rejects", onLoad: () => Promise.reject(new Error("down")) },
    {
      what: "throws",
      onLoad() {
        throw new Error("down");
      },
    },
    { what: "answers garbage", onLoad: () => ({ version: "1", value: new Uint8Array(100) }) },
    { what: "answers text", onLoad: () => "ring" },
    { what: "lost the ring, and loses each new one", onLoad: () => null },
  ]
) {
  Deno.test(`while the store ${what} the last keys go on, each to its end`, async () => {
    using time = clock();
    const store = new TestRingStore();
    const ring = await shared(store);
    time.move(40 * 60);
    await allInUse([ring]);
    const before = await inUse(ring);
    assertEquals(before.opens.length, 2);
    store.onLoad = onLoad;
    const seen = new Set<string | null>();
    for (let minute = 40; minute < 3 * 60; minute += 10) {
      const [{ seals, opens }] = await allInUse([ring]);
      seen.add(seals);
      for (const id of opens) assert(before.opens.includes(id), "no key that others do not have");
      assertEquals(opens.length > 0, minute < 3 * 60);
      time.move(10 * 60);
    }
    assertEquals([...seen], [before.seals, before.opens.find((id) => id !== before.seals)!, null]);
    assertEquals(await inUse(ring), { seals: null, opens: [] });

    store.onLoad = undefined;
    time.move(61);
    assert((await inUse(ring)).seals !== null, "when it is well again, it is waited for");
  });
}

Deno.test("a store that hangs holds up no one who has a key, and others for a moment", async () => {
  using time = clock();
  const store = new TestRingStore();
  const ring = await shared(store);
  const { promise, resolve } = Promise.withResolvers<null>();
  store.onLoad = () => promise;
  time.move(50 * 60);
  for (let i = 0; i < 10; i++) assert((await within(inUse(ring), "the keys")).seals !== null);
  assertEquals(store.loads, 2);
  time.move(30 * 60);
  const { seals, opens } = await within(inUse(ring), "the keys");
  assertEquals([seals, opens.length], [null, 1]);
  assertEquals(store.loads, 2);
  store.onLoad = undefined;
  resolve(null);
  await until(() => store.loads > 2, "the end of the load that hung");
});

Deno.test("a store that is down is not asked again by every handshake", async () => {
  using time = clock();
  const store = new TestRingStore();
  const ring = await shared(store);
  store.onLoad = () => Promise.reject(new Error("down"));
  time.move(5 * 3600);
  const before = store.loads;
  for (let i = 0; i < 20; i++) await inUse(ring);
  assertEquals(store.loads, before + 1);
  time.move(2);
  for (let i = 0; i < 20; i++) await inUse(ring);
  assertEquals(store.loads, before + 2);
});

Deno.test("a clock set back does not keep a server from the store", async () => {
  using time = clock();
  const store = new TestRingStore();
  const ring = await shared(store);
  time.move(-24 * 3600);
  const before = store.loads;
  await allInUse([ring]);
  assertEquals(store.loads, before + 1);
  assert((await inUse(ring)).seals !== null);
});

async function ringOf(sealing: SealingKeys): Promise<Uint8Array> {
  const store = new TestRingStore();
  await TicketKeys.shared(store, { keys: sealing });
  return store.value!;
}

const good = await ringOf(keys);
const GARBAGE: [string, unknown][] = [
  ["no bytes", { version: "1", value: new Uint8Array(0) }],
  ["zeros", { version: "1", value: new Uint8Array(200) }],
  ["too much", { version: "1", value: new Uint8Array(1 << 24).fill(1) }],
  ["half of a ring", { version: "1", value: good.slice(0, good.length / 2) }],
  ["a ring with a bit flipped", { version: "1", value: good.with(80, good[80] ^ 1) }],
  ["a ring under other keys", { version: "1", value: await ringOf(await SealingKeys.generate()) }],
  ["text", "ring"],
  ["a value that is text", { version: "1", value: "ring" }],
  ["no version", { value: good }],
  ["a session", {
    version: "1",
    value: seal(currentEngine(), keys, { purpose: "session" }, utf8("x")),
  }],
  ["what is sealed and no ring", {
    version: "1",
    value: seal(currentEngine(), keys, { purpose: "ticket key ring" }, utf8("RPTKx")),
  }],
];

for (const [what, found] of GARBAGE) {
  Deno.test(`${what} in the store is told, and left as it is`, async () => {
    const store = new TestRingStore();
    store.onLoad = () => found;
    const error = await assertRejects(() => shared(store), TlsError);
    assertEquals([error.code, error.origin], ["ERR_TLS_SESSION_UNSEALABLE", "store"]);
    assertEquals(store.attempts, 0);
  });
}

Deno.test("without a ring to begin with, the store's error is told", async () => {
  const store = new TestRingStore();
  const down = new Error("down");
  store.onLoad = () => Promise.reject(down);
  assertEquals(await assertRejects(() => shared(store)), down);
});

Deno.test("rotate() tells the store's error, and the last keys go on", async () => {
  const store = new TestRingStore();
  const ring = await shared(store);
  const before = await inUse(ring);
  const down = new Error("down");
  store.onLoad = () => Promise.reject(down);
  assertEquals(await assertRejects(() => ring.rotate()), down);
  assertEquals(await inUse(ring), before);
});

Deno.test("a store that never takes a change is not tried without end", async () => {
  const store = new TestRingStore();
  store.compareAndSet = () => {
    store.attempts++;
    return Promise.resolve(false);
  };
  await assertRejects(() => shared(store), Error, "tries");
  assertLessOrEqual(store.attempts, 16);
});

const BAD_ARGUMENTS: [string, () => Promise<TicketKeys>][] = [
  ["store", () => TicketKeys.shared(null as unknown as KeyRingStore, { keys })],
  ["store", () => TicketKeys.shared({} as KeyRingStore, { keys })],
  ["keys", () => shared(new TestRingStore(), { keys: undefined })],
  ["keys", () => shared(new TestRingStore(), { keys: secret(1) })],
  ["rotateEvery", () => shared(new TestRingStore(), { rotateEvery: 0 })],
  ["openFor", () => shared(new TestRingStore(), { openFor: NaN })],
  ["refreshEvery", () => shared(new TestRingStore(), { refreshEvery: NaN })],
  ["refreshEvery", () => shared(new TestRingStore(), { refreshEvery: -1 })],
  ["refreshEvery", () => shared(new TestRingStore(), { refreshEvery: "1m" })],
];

for (const [i, [name, make]] of BAD_ARGUMENTS.entries()) {
  Deno.test(`bad argument ${i}: "${name}" is named`, async () => {
    await assertRejects(make, TypeError, name);
  });
}

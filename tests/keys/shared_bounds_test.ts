/**
 * Guards: what a store, or a clock, makes a shared ring do has an end: bytes, tries, time, keys.
 */

import { assert, assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import type { KeyRingStore } from "../../mod.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { MAX_RING_VALUE, MAX_VERSION, openRing, sealRing } from "../../src/key_ring_store.ts";
import { randomKey } from "../../src/key_material.ts";
import { MAX_SEEN, SeenKeys } from "../../src/seen_keys.ts";
import { MAX_TRIES } from "../../src/shared_ring.ts";
import {
  MAX_KEYS,
  MAX_REVOKED,
  MAX_UINT,
  type SharedTicketRing,
  type TicketKey,
} from "../../src/ticket_ring.ts";
import { checkSchedule, checkSharedSchedule } from "../../src/ticket_schedule.ts";
import { within } from "../engine/bounded.ts";
import { SEALING, TestServer, TrueTime } from "./fleet.ts";
import { HOUR } from "./ring.ts";
import { TestRingStore } from "./ring_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const TIMES = checkSharedSchedule(checkSchedule(undefined, undefined), undefined);

function key(time: number, also: Partial<TicketKey> = {}): TicketKey {
  const end = { sealUntil: time + 8 * HOUR, openUntil: time + 16 * HOUR };
  return { key: randomKey(), notBefore: time, ...end, ...also };
}

function ringOf(time: number, keys: number, revoked: number): SharedTicketRing {
  return {
    generation: time,
    writtenAt: time,
    keys: Array.from({ length: keys }, () => key(time)),
    revoked: Array.from({ length: revoked }, (_, i) => ({
      id: i.toString(16).padStart(32, "0"),
      until: time + i,
    })),
  };
}

Deno.test("the largest ring is taken, and a byte more is refused before it is copied", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  store.value = sealRing(ringOf(time.now, MAX_KEYS, MAX_REVOKED), SEALING, "default");
  assertEquals(store.value.length, MAX_RING_VALUE);
  const server = await TestServer.start(store, time);
  assertEquals(server.inUse().opens.length, MAX_KEYS);

  const before = currentEngine().memory.buffer.byteLength;
  for (const length of [MAX_RING_VALUE + 1, 1 << 28]) {
    store.onLoad = () => ({ version: "1", value: new Uint8Array(length) });
    await assertRejects(() => server.ring.load(), Error, "larger than any ring");
  }
  assertEquals(currentEngine().memory.buffer.byteLength, before);
  assertEquals(server.told("ring_refused").map(({ reason }) => reason), ["too_large", "too_large"]);
});

Deno.test("a version may be long, and not without end", () => {
  const value = sealRing(ringOf(1, 1, 0), SEALING, "default");
  const open = (length: number) =>
    openRing({ version: "v".repeat(length), value }, SEALING, "default");
  assertEquals(open(MAX_VERSION).refused, undefined);
  assertEquals(open(MAX_VERSION + 1).refused, "too_large");
});

/** Counts turns of the event loop while something is under way. */
async function turnsDuring(action: Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const count = async () => {
    while (!over) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      turns++;
    }
  };
  const counting = count();
  await action.catch(() => {}).finally(() => over = true);
  await counting;
  return turns;
}

Deno.test("a store that answers at once and takes nothing stops neither timers nor anybody for long", async () => {
  const time = new TrueTime();
  let loads = 0;
  let sets = 0;
  const store = {
    load: () => (loads++, null),
    compareAndSet: () => (sets++, false),
  } as unknown as KeyRingStore;
  const server = new TestServer(store, time);
  const loading = within(server.ring.load(), "the end of the load");
  const turns = await turnsDuring(loading);
  await assertRejects(() => loading, Error, "tries");
  assertEquals([loads, sets], [MAX_TRIES, MAX_TRIES]);
  assert(turns >= MAX_TRIES - 1, `${turns} turns`);
  assertEquals(server.told("ring_failed").length, 1);
});

Deno.test("a store that replays an older ring at once, for ever, is given up too", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const server = await TestServer.start(store, time);
  const value = store.value!;
  await server.ring.rotate();
  store.onLoad = () => ({ version: "old", value });
  const loads = store.loads;
  await assertRejects(() => within(server.ring.load(), "the end"), Error, "tries");
  assertEquals(store.loads - loads, MAX_TRIES);
  assertEquals(server.told("ring_refused"), [{ type: "ring_refused", reason: "older" }]);
});

Deno.test("a store whose compareAndSet answers neither true nor false is told so, once", async () => {
  for (const answer of [undefined, null, 1, "OK", {}]) {
    const store = new TestRingStore();
    let sets = 0;
    store.compareAndSet = () => (sets++, Promise.resolve(answer as unknown as boolean));
    await assertRejects(() => TestServer.start(store, new TrueTime()), TypeError, "true or false");
    assertEquals(sets, 1);
  }
});

Deno.test("a store that hangs is waited for once by those that have no key", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const server = await TestServer.start(store, time);
  const held = Promise.withResolvers<null>();
  store.onLoad = () => held.promise;
  time.pass(30 * HOUR);
  const loads = store.loads;
  await within(server.ring.refresh(), "the first handshake");
  // Time as this process knows it: the load began a while ago.
  time.elapsed += 250;
  for (let i = 0; i < 100; i++) {
    await within(server.ring.refresh(), "a later handshake", 200);
  }
  assertEquals(store.loads, loads + 1);
  store.onLoad = undefined;
  held.resolve(null);
  await within(server.ring.load(), "the load");
});

Deno.test("many who rotate, load or revoke at once make few calls of the store", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const server = await TestServer.start(store, time);
  const { loads } = store;
  await Promise.all(Array.from({ length: 500 }, () => server.ring.rotate()));
  await Promise.all(Array.from({ length: 500 }, () => server.ring.load()));
  const [id] = server.inUse().opens;
  await Promise.all(Array.from({ length: 500 }, () => server.ring.revoke(id)));
  assertLessOrEqual(store.loads - loads, 10);
  assertLessOrEqual(server.inUse().opens.length, 3);
});

Deno.test("hundreds of rotations keep as many keys as a ring has room for, here and in the store", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const [a, b] = await Promise.all([0, 0].map(() => TestServer.start(store, time)));
  for (let i = 0; i < 150; i++) {
    time.pass(1000);
    await (i % 2 === 0 ? a : b).ring.rotate();
    for (const server of [a, b]) {
      await server.ring.load();
      assertLessOrEqual(server.inUse().opens.length, MAX_KEYS);
      assert(server.inUse().seals !== null);
    }
  }
  assertEquals(a.inUse(), b.inUse());
  assertLessOrEqual(store.value!.length, MAX_RING_VALUE);
});

Deno.test("a process remembers so many keys and no more, and forgets revoked ones last", () => {
  const time = new TrueTime();
  const seen = new SeenKeys(TIMES, { now: () => time.now, elapsed: () => time.elapsed });
  seen.learn(ringOf(time.now, 1, MAX_REVOKED));
  const revoked = seen.all().filter((each) => each.revoked).map(({ id }) => id);
  for (let i = 0; i < 50; i++) {
    time.pass(17 * HOUR);
    seen.learn({ ...ringOf(time.now, MAX_KEYS, 0), revoked: [] });
    assertLessOrEqual(seen.all().length, MAX_SEEN);
    assertLessOrEqual(seen.all().filter((each) => each.held).length, MAX_KEYS);
  }
  for (const id of revoked) assertEquals(seen.get(id)?.revoked, true);
});

Deno.test("a key that was wiped while the store was waited for is not taken in as zeros", () => {
  const time = new TrueTime();
  const seen = new SeenKeys(TIMES, { now: () => time.now, elapsed: () => time.elapsed });
  const first = ringOf(time.now, 1, 0);
  seen.learn(first);
  const [borrowed] = seen.inUse();
  // More keys than a ring has room for, all of which last longer.
  time.pass(HOUR);
  seen.learn(ringOf(time.now, MAX_KEYS, 0));
  assertEquals(borrowed.held, false);
  seen.learn({ ...first, keys: [borrowed] });
  assertEquals([borrowed.held, seen.inUse().length], [false, MAX_KEYS]);
});

Deno.test("a generation at the end of its numbers stays there, and the ring still rotates", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const last = { ...ringOf(time.now, 1, 0), generation: MAX_UINT };
  store.value = sealRing(last, SEALING, "default");
  const [a, b] = await Promise.all([0, 0].map(() => TestServer.start(store, time)));
  const before = a.inUse().seals;
  await a.ring.rotate();
  await b.ring.load();
  assertEquals(a.inUse(), b.inUse());
  assert(a.inUse().seals !== before);
  assertEquals(a.told("ring_rotated").map(({ generation }) => generation), [MAX_UINT]);
});

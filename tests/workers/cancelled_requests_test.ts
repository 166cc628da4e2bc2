/**
 * Guards: in Workers a request that ends takes with it what it began, timers and all: such promises
 * never settle, and what is kept between requests waits for none of them for ever.
 */

import { assert, assertEquals } from "@std/assert";
import { SealingKeys, TicketKeys } from "../../mod.ts";
import { Puts } from "../../src/puts.ts";
import { staysPending, within } from "../engine/bounded.ts";
import { inUse } from "../keys/ring.ts";
import { TestRingStore } from "../keys/ring_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const never = new Promise<void>(() => {});

/** Lets time pass for what measures it. */
function movedTime() {
  const original = { now: performance.now, dateNow: Date.now };
  let moved = 0;
  performance.now = () => original.now.call(performance) + moved;
  Date.now = () => original.dateNow() + moved;
  return {
    move: (milliseconds: number) => void (moved += milliseconds),
    [Symbol.dispose]() {
      performance.now = original.now;
      Date.now = original.dateNow;
    },
  };
}

Deno.test("a put is under way until it is over, however it ends", async () => {
  const puts = new Puts();
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  puts.add("a", first.promise);
  puts.add("b", second.promise);
  assertEquals(puts.size, 2);
  const settled = puts.settled();
  first.resolve();
  assert(await staysPending(settled, 30));
  second.reject(new Error("down"));
  await within(settled, "settled()");
  assertEquals(puts.size, 0);
});

Deno.test("a partition's puts are waited for, all of them and no others", async () => {
  const puts = new Puts();
  const own = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  for (const { promise } of own) puts.add("a", promise);
  puts.add("b", never);
  assertEquals(puts.of("c"), undefined);
  const waiting = puts.of("a")!;
  own[1].resolve();
  assert(await staysPending(waiting, 30));
  own[0].resolve();
  await within(waiting, "both");
  assertEquals(puts.of("a"), undefined);
});

Deno.test("a put that went with its request is given up, and a younger one is not", async () => {
  using time = movedTime();
  const puts = new Puts();
  puts.add("a", never);
  time.move(10_000);
  const younger = Promise.withResolvers<void>();
  puts.add("a", younger.promise);
  assertEquals(puts.size, 2);
  time.move(6_000);
  assertEquals(puts.size, 1);
  younger.resolve();
  await within(puts.of("a")!, "the younger one");
  assertEquals(puts.of("a"), undefined);
});

Deno.test("who waits already notices that a put went with its request", async () => {
  using time = movedTime();
  const puts = new Puts();
  puts.add("a", never);
  const settled = puts.settled();
  assert(await staysPending(settled, 30));
  time.move(16_000);
  await within(settled, "settled()", 5_000);
});

Deno.test("a load of the ring that went with its request is begun again", async () => {
  using time = movedTime();
  const store = new TestRingStore();
  const keys = await SealingKeys.generate();
  const ring = await TicketKeys.shared(store, { keys, rotateEvery: 60_000, refreshEvery: 1_000 });
  const original = globalThis.setTimeout;
  store.onLoad = () => never;
  time.move(31_000);
  // As the timers of a request that is gone.
  globalThis.setTimeout = (() => 0) as unknown as typeof setTimeout;
  try {
    assert((await inUse(ring)).seals !== null);
    assertEquals(store.loads, 2);
    await inUse(ring);
    assertEquals(store.loads, 2, "one load at a time");
  } finally {
    globalThis.setTimeout = original;
  }
  store.onLoad = undefined;
  time.move(16_000);
  await inUse(ring);
  assertEquals(store.loads, 3);
  await new Promise((resolve) => setTimeout(resolve, 10));
  assertEquals((await inUse(ring)).opens.length, 2, "the next key is published");
});

Deno.test("a load that comes late after all does not end the next one's turn", async () => {
  using time = movedTime();
  const store = new TestRingStore();
  const keys = await SealingKeys.generate();
  const ring = await TicketKeys.shared(store, { keys, refreshEvery: 1_000 });
  const stored = { version: String(store.version), value: store.value! };
  const answers = [0, 1].map(() => Promise.withResolvers<typeof stored>());
  for (const { promise } of answers) {
    store.onLoad = () => promise;
    time.move(16_000);
    await inUse(ring);
  }
  assertEquals(store.loads, 3);
  answers[0].resolve(stored);
  await new Promise((resolve) => setTimeout(resolve, 10));
  time.move(2_000);
  await inUse(ring);
  assertEquals(store.loads, 3, "one load at a time");
  answers[1].resolve(stored);
  await new Promise((resolve) => setTimeout(resolve, 10));
});

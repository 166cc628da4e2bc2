/**
 * Guards: servers whose clocks are 5 minutes off share a ring as if they were not; one whose clock
 * is hours or days off, or jumps, takes nothing from the others, and is told.
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertLessOrEqual,
  assertNotEquals,
} from "@std/assert";
import { SealingKeys, TicketKeys } from "../../mod.ts";
import { openRing } from "../../src/key_ring_store.ts";
import type { SharedTicketRing } from "../../src/ticket_ring.ts";
import { ticketKeyId } from "../../src/ticket_ring.ts";
import { movedClock } from "../interop/clock.ts";
import { SEALING, TestServer, TrueTime } from "./fleet.ts";
import { HOUR, inUse, MINUTE, secret } from "./ring.ts";
import { TestRingStore } from "./ring_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const DAY = 24 * HOUR;
const name = (ahead: number) =>
  Math.abs(ahead) < HOUR
    ? `${ahead / MINUTE} minutes`
    : Math.abs(ahead) < DAY
    ? `${ahead / HOUR} hours`
    : `${ahead / DAY} days`;

/** The ring in a store. */
async function stored(store: TestRingStore): Promise<SharedTicketRing> {
  const opened = openRing(await store.load(), SEALING, "default");
  assert(opened.refused === undefined && opened.ring !== null);
  return opened.ring;
}

for (const ahead of [300 * DAY, 20 * HOUR, -20 * HOUR, -300 * DAY]) {
  Deno.test(`a server whose clock is ${name(ahead)} ahead erases nobody's keys`, async () => {
    using time = movedClock();
    time.set(1_800_000_000);
    const store = new TestRingStore();
    const keys = await SealingKeys.fromSecret(secret(1));
    const start = () => TicketKeys.shared(store, { keys });
    const right = await start();
    time.move(5 * 3600);
    await inUse(right);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const before = await inUse(right);
    assertEquals(before.opens.length, 2);

    time.move(ahead / 1000);
    const wrong = await start();
    assert((await inUse(wrong)).seals !== null);
    time.move(-ahead / 1000);
    assertEquals(await inUse(await start()), before, "one that starts now has them");
    time.move(61);
    await inUse(right);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(await inUse(right), before, "and so has one that looks again");
  });
}

/** Lets servers look at the store every so often; what they use then is checked by `each`. */
async function run(
  time: TrueTime,
  hours: number,
  fleet: TestServer[],
  each: () => void,
  every = 10 * MINUTE,
) {
  for (const end = time.now + hours * HOUR; time.now < end;) {
    time.pass(every);
    for (const server of fleet) await server.ring.load();
    each();
  }
}

function assertAgree(fleet: readonly TestServer[], what: string) {
  for (const server of fleet) {
    const { seals } = server.inUse();
    assert(seals !== null, `${what}: all seal`);
    for (const other of fleet) {
      assert(other.inUse().opens.includes(seals), `${what}: all open what any of them seals`);
    }
  }
}

for (const ahead of [300 * DAY, 20 * HOUR, -20 * HOUR, -300 * DAY]) {
  Deno.test(`beside a clock that is ${name(ahead)} ahead the others go on as ever`, async () => {
    const time = new TrueTime();
    const store = new TestRingStore();
    const right = await Promise.all(
      [0, 5 * MINUTE, -5 * MINUTE].map((ahead) => TestServer.start(store, time, { ahead })),
    );
    const wrong = await TestServer.start(store, time, { ahead });
    const { changes } = store;
    const check = () => {
      assertAgree(right, name(ahead));
      assert(wrong.inUse().seals !== null, "it seals for itself");
    };
    await run(time, 13, [...right, wrong], check);
    // One that starts later has known the keys of the wrong clock for less long than the others.
    right.push(await TestServer.start(store, time));
    await run(time, 27, [...right, wrong], check);
    // They do not undo each other's changes at every look, of which there were 960.
    assertLess(store.changes - changes, 150);
    assertLessOrEqual((await stored(store)).keys.length, 12);

    // The clock is set right: it uses what the others do.
    wrong.ahead = 0;
    for (let i = 0; i < 2; i++) await wrong.ring.load();
    assertAgree([...right, wrong], "set right");
  });
}

Deno.test("clocks that are 5 minutes off leave no moment at which one does not open", async () => {
  for (const rotateEvery of [8 * HOUR, HOUR, 20 * MINUTE]) {
    const time = new TrueTime();
    const store = new TestRingStore();
    const fleet: TestServer[] = [];
    for (const ahead of [5, -5, 0, 3]) {
      fleet.push(await TestServer.start(store, time, { ahead: ahead * MINUTE, rotateEvery }));
      assertAgree(fleet, "from the start");
    }
    const sealed = new Set<string>();
    await run(time, Math.min(30, 30 * rotateEvery / HOUR), fleet, () => {
      assertAgree(fleet, `rotated every ${rotateEvery / MINUTE} minutes`);
      for (const server of fleet) sealed.add(server.inUse().seals!);
    }, MINUTE);
    assertGreater(sealed.size, 2);
    for (const { events } of fleet) {
      assertEquals(events.filter(({ type }) => type === "ring_refused"), []);
    }
  }
});

Deno.test("clocks that are 5 minutes off seal under a new key as soon as they see it", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const [ahead, behind] = await Promise.all(
    [5 * MINUTE, -5 * MINUTE].map((ahead) => TestServer.start(store, time, { ahead })),
  );
  const before = ahead.inUse().seals;
  await ahead.ring.rotate();
  await behind.ring.load();
  assertEquals(behind.inUse().seals, ahead.inUse().seals);
  assertNotEquals(behind.inUse().seals, before, "the one that was rotated away seals nowhere");
  await behind.ring.rotate();
  await ahead.ring.load();
  assertEquals(behind.inUse().seals, ahead.inUse().seals);
});

Deno.test("a clock that is far off is told, on both sides, and one that is 4 minutes off is not", async () => {
  for (const ahead of [4 * MINUTE, -4 * MINUTE, 8 * MINUTE, -8 * MINUTE, 20 * HOUR, -20 * HOUR]) {
    const time = new TrueTime();
    const store = new TestRingStore();
    const right = await TestServer.start(store, time);
    time.pass(MINUTE);
    await right.ring.load();
    const wrong = await TestServer.start(store, time, { ahead });
    // It has a reason to write: the next key, its own, or this.
    await wrong.ring.rotate();
    time.pass(MINUTE);
    await right.ring.load();
    const told = right.told("clock_skew").map(({ milliseconds }) => milliseconds);
    if (Math.abs(ahead) < 5 * MINUTE) assertEquals(told, [], name(ahead));
    else {
      assertGreater(told.length, 0, name(ahead));
      for (const milliseconds of told) {
        assertEquals(Math.sign(milliseconds), Math.sign(ahead));
        assertLessOrEqual(Math.abs(milliseconds), Math.abs(ahead) + 12 * MINUTE);
      }
    }
    await right.ring.rotate();
    time.pass(MINUTE);
    await wrong.ring.load();
    const there = wrong.told("clock_skew").map(({ milliseconds }) => Math.sign(milliseconds));
    if (Math.abs(ahead) < 5 * MINUTE) assertEquals(there, [], name(ahead));
    else assert(there.includes(-Math.sign(ahead)), `${name(ahead)}: the other side`);
  }
});

Deno.test("keys that begin too late are named, once, and are neither sealed nor opened with", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const right = await TestServer.start(store, time);
  const wrong = await TestServer.start(store, time, { ahead: 20 * HOUR });
  const theirs = wrong.inUse().seals!;
  for (let i = 0; i < 5; i++) {
    time.pass(MINUTE);
    await right.ring.load();
    assert(!right.inUse().opens.includes(theirs));
  }
  const [told, ...more] = right.told("clock_skew");
  assertEquals([told.keyIds, more], [[theirs], []]);
  assertGreater(told.milliseconds, 19 * HOUR);
});

Deno.test("a clock that jumps ahead and back leaves a server with the keys that it had", async () => {
  for (const ahead of [20 * HOUR, 300 * DAY]) {
    const time = new TrueTime();
    const store = new TestRingStore();
    const [server, other] = await Promise.all([0, 0].map(() => TestServer.start(store, time)));
    time.pass(5 * HOUR);
    for (const each of [server, other]) await each.ring.load();
    const before = server.inUse();
    server.ahead = ahead;
    for (let i = 0; i < 3; i++) {
      time.pass(MINUTE);
      await server.ring.load();
      assert(server.inUse().seals !== null);
    }
    server.ahead = 0;
    await server.ring.refresh();
    assertEquals(server.inUse().seals, before.seals);
    for (const id of before.opens) assert(server.inUse().opens.includes(id));
    await other.ring.load();
    assertAgree([server, other], "after the jump");
  }
});

Deno.test("a clock that is set back opens what it sealed before", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const server = await TestServer.start(store, time);
  const before = server.inUse();
  for (const behind of [HOUR, 20 * HOUR, 300 * DAY]) {
    server.ahead = -behind;
    await server.ring.refresh();
    const { seals, opens } = server.inUse();
    assert(seals !== null && opens.includes(before.seals!), name(-behind));
  }
});

Deno.test("a fleet that slept for a month begins anew, and the ring forgets the keys of before", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  await TestServer.start(store, time);
  const [{ key }] = (await stored(store)).keys;
  const old = ticketKeyId({ key });
  time.pass(30 * DAY);
  const fleet = [await TestServer.start(store, time), await TestServer.start(store, time)];
  assertAgree(fleet, "awake");
  assert(!fleet[0].inUse().opens.includes(old));
  assertGreater(-fleet[0].told("clock_skew")[0].milliseconds, 29 * DAY - 1);
  await run(time, 24, fleet, () => assertAgree(fleet, "awake"));
  assert((await stored(store)).keys.every((each) => ticketKeyId(each) !== old));
});

Deno.test("a key leaves the ring in the store after it has ended, with one server and with two", async () => {
  for (const servers of [1, 2]) {
    const time = new TrueTime();
    const store = new TestRingStore();
    const fleet: TestServer[] = [];
    for (let i = 0; i < servers; i++) fleet.push(await TestServer.start(store, time));
    await run(time, 100, fleet, () => assertAgree(fleet, `${servers}`));
    const { keys } = await stored(store);
    for (const { openUntil } of keys) assertGreater(openUntil, time.now - 9 * HOUR);
    assertLessOrEqual(keys.length, 5);
  }
});

/**
 * Guards: a revoked ticket key neither seals nor opens, here at once and elsewhere after the next
 * look at the store, and no ring that a store replays brings it back.
 */

import { assert, assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import { SealingKeys, TicketKeys } from "../../mod.ts";
import { openRing } from "../../src/key_ring_store.ts";
import { MAX_REVOKED, ticketKeyId } from "../../src/ticket_ring.ts";
import { movedClock } from "../interop/clock.ts";
import { SEALING, TestServer, TrueTime } from "./fleet.ts";
import { contents, HOUR, inUse, MINUTE, secret } from "./ring.ts";
import { TestRingStore } from "./ring_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const keys = await SealingKeys.fromSecret(secret(1));
const shared = (store: TestRingStore) => TicketKeys.shared(store, { keys });

const KINDS: [string, () => Promise<TicketKeys>][] = [
  ["own", () => TicketKeys.generate()],
  ["from bytes", async () => TicketKeys.fromBytes((await TicketKeys.generate()).toBytes())],
  ["shared", () => shared(new TestRingStore())],
];

for (const [what, make] of KINDS) {
  Deno.test(`${what}: when the key that seals is revoked, a new one does at once`, async () => {
    const ring = await make();
    const stolen = (await inUse(ring)).seals!;
    const revoking = ring.revoke(stolen);
    assert(!ring.ids.includes(stolen), "before anything is waited for");
    await revoking;
    const { seals, opens } = await inUse(ring);
    assert(seals !== null && !opens.includes(stolen));
    assert(contents(ring).every((key) => ticketKeyId(key) !== stolen));
    await ring.revoke(stolen);
    await ring.rotate();
    assert(!(await inUse(ring)).opens.includes(stolen));
  });

  Deno.test(`${what}: a key that opens only, or is not used yet, can be revoked too`, async () => {
    using time = movedClock();
    time.set(1_800_000_000);
    const ring = await make();
    await ring.rotate();
    time.move(5 * 3600);
    await inUse(ring);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { seals, opens } = await inUse(ring);
    assertEquals(opens.length, 3);
    const others = opens.filter((id) => id !== seals);
    await Promise.all(others.map((id) => ring.revoke(id)));
    assertEquals((await inUse(ring)).seals, seals);
    for (const id of others) assert(!(await inUse(ring)).opens.includes(id));
  });

  Deno.test(`${what}: what is no id of a key is refused, and changes nothing`, async () => {
    const ring = await make();
    const before = await inUse(ring);
    const [id] = ring.ids;
    const bad: unknown[] = [
      undefined,
      null,
      0,
      "",
      "nope",
      id.slice(1),
      `${id}0`,
      ` ${id}`,
      [id],
      new String(id),
      contents(ring)[0].key,
      "0".repeat(32),
    ];
    for (const each of bad) {
      await assertRejects(() => ring.revoke(each as string), TypeError, '"keyId"');
    }
    assertEquals(await inUse(ring), before);
    await ring.revoke(id.toUpperCase());
    assert(!ring.ids.includes(id));
  });
}

Deno.test("an unknown id is told with those that there are", async () => {
  const ring = await TicketKeys.generate();
  const error = await assertRejects(() => ring.revoke("ab".repeat(16)), TypeError, "ab".repeat(16));
  assert(error.message.includes(ring.ids[0]));
});

Deno.test("keys from a secret: a revoked key stays so in this process, and no key takes its place", async () => {
  using time = movedClock();
  time.set(1_800_000_000);
  const options = { rotateEvery: HOUR, openFor: 5 * HOUR };
  const ring = await TicketKeys.fromSecret(secret(1), options);
  const { seals, opens } = await inUse(ring);
  await ring.revoke(seals!);
  await ring.revoke(seals!);
  const after = await inUse(ring);
  assertEquals([after.seals, after.opens], [null, opens.filter((id) => id !== seals)]);
  for (let hour = 0; hour < 7; hour++) {
    time.move(3600);
    const now = await inUse(ring);
    assert(now.seals !== null && !now.opens.includes(seals!), `after ${hour} hours`);
  }
  // A clock that jumps ahead and back makes it anew, and remembers.
  time.move(-7 * 3600);
  assert(!(await inUse(ring)).opens.includes(seals!));
  const elsewhere = await TicketKeys.fromSecret(secret(1), options);
  assert((await inUse(elsewhere)).opens.includes(seals!), "another process does not know");
});

Deno.test("the other servers know with their next look at the store", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const [a, b] = await Promise.all([0, 0].map(() => TestServer.start(store, time)));
  const stolen = a.inUse().seals!;
  await a.ring.revoke(stolen);
  assert(b.inUse().opens.includes(stolen));
  await b.ring.load();
  assertEquals(b.inUse(), a.inUse());
  assert(!b.inUse().opens.includes(stolen));
  for (const { events } of [a, b]) {
    assertEquals(events.filter(({ type }) => type === "key_revoked"), [
      { type: "key_revoked", keyId: stolen },
    ]);
  }
  assert(!(await TestServer.start(store, time)).inUse().opens.includes(stolen));
});

Deno.test("the secret of a revoked key is in the store no more, and its id is until its end", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const server = await TestServer.start(store, time);
  const stolen = server.inUse().seals!;
  const { openUntil } = server.key(stolen)!;
  await server.ring.revoke(stolen);
  const ring = async () => {
    const { ring } = openRing(await store.load(), SEALING, "default") as {
      ring: { keys: { key: Uint8Array }[]; revoked: { id: string; until: number }[] };
    };
    return ring;
  };
  assert((await ring()).keys.every((key) => ticketKeyId(key) !== stolen));
  assertEquals((await ring()).revoked, [{ id: stolen, until: openUntil }]);
  for (let hour = 0; hour < 48; hour++) {
    time.pass(HOUR);
    await server.ring.load();
    const there = (await ring()).revoked.length > 0;
    if (time.now < openUntil) assert(there, `after ${hour} hours`);
  }
  assertEquals((await ring()).revoked, []);
});

Deno.test("no ring that a store replays, loses or makes up brings a revoked key back", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const [a, b] = await Promise.all([0, 0].map(() => TestServer.start(store, time)));
  const stolen = a.inUse().seals!;
  const older = store.value!.slice();
  await a.ring.revoke(stolen);
  await b.ring.load();
  for (const value of [older, null, older, null]) {
    for (const server of [a, b]) {
      store.value = value?.slice() ?? null;
      store.version++;
      // One that starts now knows nothing else, and makes the ring the newest that there is.
      const young = await TestServer.start(store, time);
      await young.ring.rotate();
      assertEquals(young.inUse().opens.includes(stolen), value !== null);
      await server.ring.load();
      assert(!server.inUse().opens.includes(stolen));
      await young.ring.load();
      assert(!young.inUse().opens.includes(stolen), "it is told by the one that knows");
      time.pass(MINUTE);
    }
  }
});

Deno.test("without its store a server revokes for itself, and tells the others later", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const [a, b] = await Promise.all([0, 0].map(() => TestServer.start(store, time)));
  const stolen = a.inUse().seals!;
  const down = new Error("down");
  store.onLoad = () => Promise.reject(down);
  assertEquals(await assertRejects(() => a.ring.revoke(stolen)), down);
  assertEquals(a.inUse(), { seals: null, opens: [] });
  store.onLoad = undefined;
  time.pass(2_000);
  await a.ring.refresh();
  assert(a.inUse().seals !== null, "a new key seals, as soon as the store takes it");
  await b.ring.load();
  assert(!b.inUse().opens.includes(stolen));
});

Deno.test("a key that this server has not seen yet is looked up before it is revoked", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const [a, b] = await Promise.all([0, 0].map(() => TestServer.start(store, time)));
  await a.ring.rotate();
  const stolen = a.inUse().seals!;
  await b.ring.revoke(stolen);
  await a.ring.load();
  assert(!a.inUse().opens.includes(stolen));
});

Deno.test("a ring names no more revoked keys than it has room for", async () => {
  for (const make of [KINDS[0][1], KINDS[2][1]]) {
    const ring = await make();
    for (let i = 0; i < MAX_REVOKED; i++) await ring.revoke((await inUse(ring)).seals!);
    const last = await inUse(ring);
    await assertRejects(() => ring.revoke(last.seals!), RangeError, "64 keys");
    assertEquals(await inUse(ring), last);
  }
});

Deno.test("two servers that revoked as many as there is room for still share a ring", async () => {
  const time = new TrueTime();
  const stores = [new TestRingStore(), new TestRingStore()];
  const fleet = await Promise.all(stores.map((store) => TestServer.start(store, time)));
  const revoked: string[] = [];
  for (const server of fleet) {
    for (let i = 0; i < MAX_REVOKED; i++) {
      revoked.push(server.inUse().seals!);
      await server.ring.revoke(server.inUse().seals!);
    }
  }
  // The one's ring is put where the other's was.
  Object.assign(stores[0], { value: stores[1].value, version: 1000 });
  time.pass(MINUTE);
  for (let i = 0; i < 3; i++) {
    await fleet[0].ring.load();
    const { keys, revoked: named } =
      (openRing(await stores[0].load(), SEALING, "default") as never as {
        ring: { keys: unknown[]; revoked: unknown[] };
      }).ring;
    assertEquals(named.length, MAX_REVOKED);
    assertLessOrEqual(keys.length, 32);
  }
  for (const id of revoked) assert(!fleet[0].inUse().opens.includes(id));
});

/**
 * Guards: a store that replays an older ring, loses it or gives another one takes no key from a
 * server that had seen it, and gives none back that was rotated away.
 */

import { assert, assertEquals, assertGreater, assertNotEquals, assertRejects } from "@std/assert";
import { SealingKeys, TicketKeys, TlsError } from "../../mod.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { type MovedClock, movedClock } from "../interop/clock.ts";
import { HOUR, inUse, MINUTE, secret } from "./ring.ts";
import { TestRingStore } from "./ring_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const keys = await SealingKeys.fromSecret(secret(1));
const TIMES = { rotateEvery: 8 * HOUR, refreshEvery: MINUTE };

function clock(): MovedClock {
  const moved = movedClock();
  moved.set(1_800_000_000);
  return moved;
}

const shared = (store: TestRingStore, also = {}) =>
  TicketKeys.shared(store, { keys, ...TIMES, ...also });

/** Has a server look at the store, and lets that come to its end. */
async function look(time: MovedClock, ring: TicketKeys) {
  time.move(61);
  await inUse(ring);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 2));
  return await inUse(ring);
}

/** What a store has, to be put there again later. */
const copyOf = (store: TestRingStore) => store.value!.slice();

/** Puts an older value in place, as a change of its own: a compare-and-set over it succeeds. */
function replay(store: TestRingStore, value: Uint8Array | null) {
  store.value = value?.slice() ?? null;
  store.version++;
}

Deno.test("a replayed ring does not make a key seal again that was rotated away", async () => {
  using time = clock();
  const store = new TestRingStore();
  const ring = await shared(store);
  const before = await inUse(ring);
  const older = copyOf(store);
  await ring.rotate();
  const after = await inUse(ring);
  assertNotEquals(after.seals, before.seals);
  for (let i = 0; i < 3; i++) {
    replay(store, older);
    assertEquals(await look(time, ring), after);
  }
});

Deno.test("a server that had seen a rotation tells it to the others when the store forgot", async () => {
  using time = clock();
  const store = new TestRingStore();
  const [a, b] = await Promise.all([shared(store), shared(store)]);
  const before = await inUse(b);
  const older = copyOf(store);
  await a.rotate();
  replay(store, older);
  assertEquals((await look(time, b)).seals, before.seals, "b knows nothing of it");
  await look(time, a);
  const [ofA, ofB] = [await look(time, a), await look(time, b)];
  assertEquals(ofB, ofA);
  assertNotEquals(ofB.seals, before.seals);
  assert(ofB.opens.includes(before.seals!));
});

Deno.test("a replayed ring takes no key away that was published since", async () => {
  using time = clock();
  const store = new TestRingStore();
  const ring = await shared(store);
  const older = copyOf(store);
  time.move(5 * 60 * 60);
  const withNext = await look(time, ring);
  assertEquals(withNext.opens.length, 2);
  replay(store, older);
  assertEquals(await look(time, ring), withNext);
  assertEquals(await inUse(await shared(store)), withNext, "and it was put back");
});

Deno.test("a store that lost the ring gets it back, with every key that has not ended", async () => {
  using time = clock();
  const store = new TestRingStore();
  const [a, b] = await Promise.all([shared(store), shared(store)]);
  await a.rotate();
  await look(time, b);
  const before = await inUse(a);
  for (let i = 0; i < 3; i++) {
    replay(store, null);
    assertEquals(await look(time, a), before);
    assertEquals(await look(time, b), before);
    assertEquals(await inUse(await shared(store)), before, "a new server has it too");
  }
});

Deno.test("a new ring that was begun in a lost store is joined with the old one", async () => {
  using time = clock();
  const store = new TestRingStore();
  const old = await shared(store);
  const before = await inUse(old);
  time.move(30 * 60);
  replay(store, null);
  const young = await shared(store);
  const begun = await inUse(young);
  assertNotEquals(begun.seals, before.seals);
  const joined = [before.seals!, begun.seals!].toSorted();
  assertEquals((await look(time, old)).opens, joined);
  assertEquals((await look(time, young)).opens, joined);
  assertEquals((await inUse(old)).seals, (await inUse(young)).seals);
});

Deno.test("servers that rotated on either side of a failover that lost writes come together", async () => {
  using time = clock();
  const store = new TestRingStore();
  const [a, b] = await Promise.all([shared(store), shared(store)]);
  const first = (await inUse(a)).seals!;
  const older = copyOf(store);
  await a.rotate();
  const ofA = (await inUse(a)).seals!;
  replay(store, older);
  await b.rotate();
  const ofB = (await inUse(b)).seals!;
  for (let i = 0; i < 2; i++) for (const each of [a, b]) await look(time, each);
  const used = await Promise.all([a, b].map(inUse));
  assertEquals(used[0], used[1]);
  assertEquals(used[0].opens, [first, ofA, ofB].toSorted());
  assert(used[0].seals !== first, "the one that both ended does not seal");
});

Deno.test("the ring of another name, under the same keys, is refused and left as it is", async () => {
  using time = clock();
  const store = new TestRingStore();
  const ours = await shared(store, { name: "shop" });
  const before = await inUse(ours);
  const other = new TestRingStore();
  await shared(other, { name: "mail" });
  replay(store, other.value);
  const theirs = copyOf(store);
  const changes = store.changes;
  assertEquals(await look(time, ours), before);
  assertEquals([store.value, store.changes], [theirs, changes]);
  for (const name of ["shop", undefined, "mai", "mail ", "Mail"]) {
    const error = await assertRejects(() => shared(store, { name }), TlsError, "another name");
    assertEquals([error.code, error.origin], ["ERR_TLS_SESSION_UNSEALABLE", "store"]);
  }
  await shared(store, { name: "mail" });
});

const GARBAGE: [string, () => unknown][] = [
  ["zeros", () => ({ version: "1", value: new Uint8Array(200) })],
  ["no bytes", () => ({ version: "1", value: new Uint8Array(0) })],
  ["16 MiB", () => ({ version: "1", value: new Uint8Array(1 << 24).fill(1) })],
  ["text", () => "ring"],
  ["nothing", () => undefined],
  ["an array", () => []],
  ["a function", () => () => null],
  ["a version that is a number", () => ({ version: 1, value: new Uint8Array(200) })],
  ["a version without end", () => ({ version: "1".repeat(1 << 20), value: new Uint8Array(200) })],
  ["a value that is a number", () => ({ version: "1", value: 200 })],
  ["a value that is an array", () => ({ version: "1", value: [1, 2, 3] })],
  ["a value that is a buffer", () => ({ version: "1", value: new ArrayBuffer(200) })],
  ["a value that is a Uint8Array by name", () => ({
    version: "1",
    value: Object.create(Uint8Array.prototype),
  })],
  ["a value whose buffer is gone", () => {
    const value = new Uint8Array(200);
    structuredClone(value, { transfer: [value.buffer] });
    return { version: "1", value };
  }],
  ["a value that is out of bounds", () => {
    const buffer = new ArrayBuffer(200, { maxByteLength: 400 });
    const value = new Uint8Array(buffer, 100, 100);
    buffer.resize(50);
    return { version: "1", value };
  }],
  ["a getter that throws", () => ({
    get version() {
      throw new Error("lost");
    },
  })],
  ["a proxy that throws", () =>
    new Proxy({}, {
      get: (_, name) => {
        if (name === "then") return undefined;
        throw new Error("lost");
      },
    })],
];

for (const [what, answer] of GARBAGE) {
  Deno.test(`a store that answers ${what} takes no key away, and keeps what it has`, async () => {
    using time = clock();
    const store = new TestRingStore();
    const ring = await shared(store);
    await ring.rotate();
    const before = await inUse(ring);
    const { attempts } = store;
    const engine = currentEngine();
    store.onLoad = answer;
    for (let i = 0; i < 3; i++) assertEquals(await look(time, ring), before);
    await assertRejects(() => ring.rotate());
    assertEquals(await inUse(ring), before);
    assertEquals(store.attempts, attempts);
    assert(currentEngine() === engine, "no connection of the engine ended");
    store.onLoad = undefined;
    assertEquals(await look(time, ring), before);
    await ring.rotate();
    assertNotEquals((await inUse(ring)).seals, before.seals);
  });
}

Deno.test("a store that says it took a change, and did not, takes no key away", async () => {
  using time = clock();
  const store = new TestRingStore();
  const ring = await shared(store);
  const { compareAndSet } = store;
  store.compareAndSet = () => Promise.resolve(true);
  await ring.rotate();
  const after = await inUse(ring);
  for (let i = 0; i < 3; i++) assertEquals(await look(time, ring), after);
  store.compareAndSet = compareAndSet;
  await look(time, ring);
  assertEquals(await inUse(await shared(store)), after, "it has it as soon as it is honest");
});

Deno.test("who cannot write to the store still learns which keys were rotated away", async () => {
  using time = clock();
  const store = new TestRingStore();
  const [a, b] = await Promise.all([shared(store), shared(store)]);
  await a.rotate();
  time.move(5 * 60 * 60);
  // The next key is due, so that b tries to write.
  store.compareAndSet = () => Promise.reject(new Error("a read-only replica"));
  const ofB = await look(time, b);
  assertEquals(ofB.seals, (await inUse(a)).seals);
  assertGreater(ofB.opens.length, 1);
});

Deno.test("a process that has just started knows only what the store says, until others tell it", async () => {
  using time = clock();
  const store = new TestRingStore();
  const old = await shared(store);
  const first = (await inUse(old)).seals!;
  const older = copyOf(store);
  await old.rotate();
  replay(store, older);
  const young = await shared(store);
  assertEquals((await inUse(young)).seals, first, "it is fooled");
  await look(time, old);
  assertNotEquals((await look(time, young)).seals, first);
  // Without others it is fooled until the key's own time is over, and no longer.
  replay(store, older);
  const alone = await shared(store);
  assertEquals((await inUse(alone)).seals, first);
  time.move(8 * 60 * 60);
  replay(store, older);
  assertNotEquals((await look(time, alone)).seals, first);
});

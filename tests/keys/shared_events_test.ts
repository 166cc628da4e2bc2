/**
 * Guards: what becomes of a shared ring is told, once for each thing that happens, and whatever the
 * callback does changes nothing.
 */

import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { SealingKeys, type TicketKeyEvent, TicketKeys } from "../../mod.ts";
import { sealRing } from "../../src/key_ring_store.ts";
import { utf8 } from "../../src/bytes.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { seal } from "../../src/envelope.ts";
import { SEALING, TestServer, TrueTime } from "./fleet.ts";
import { contents, HOUR, inUse, MINUTE, secret } from "./ring.ts";
import { TestRingStore } from "./ring_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const keys = await SealingKeys.fromSecret(secret(1));

Deno.test("a ring is told when it is begun, read, changed by others, and rotated", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const a = await TestServer.start(store, time);
  const begun = a.inUse().seals!;
  const [rotated] = a.told("ring_rotated");
  assertEquals(a.events, [rotated]);
  assertEquals(rotated.keyIds, [begun]);

  const b = await TestServer.start(store, time);
  const { generation } = rotated;
  assertEquals(b.events, [{ type: "ring_loaded", generation, keyIds: [begun] }]);
  await b.ring.load();
  assertEquals(b.events.length, 1, "nothing is new");

  await a.ring.rotate();
  const { seals } = a.inUse();
  await b.ring.load();
  assertEquals(b.events.at(-1), {
    type: "ring_loaded",
    generation: a.told("ring_rotated")[1].generation,
    keyIds: [seals!, begun],
  });
  assert(a.told("ring_rotated")[1].generation > generation);
  assertEquals(a.told("ring_loaded"), []);
});

Deno.test("what a store lost, and who put it back, is told", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const server = await TestServer.start(store, time);
  const id = server.inUse().seals!;
  const older = store.value!.slice();
  store.value = null;
  await server.ring.load();
  assertEquals(server.told("ring_restored").map(({ keyIds }) => keyIds), [[id]]);
  store.value = older;
  store.version++;
  await server.ring.load();
  assertEquals(server.told("ring_refused"), [{ type: "ring_refused", reason: "older" }]);
  assertEquals(server.told("ring_restored").length, 2);
});

Deno.test("a ring that is begun in a store that lost the old one is not told as older", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const old = await TestServer.start(store, time);
  for (let i = 0; i < 5; i++) await old.ring.rotate();
  time.pass(MINUTE);
  store.value = null;
  const young = await TestServer.start(store, time);
  await old.ring.load();
  assertEquals(old.told("ring_refused"), []);
  assert(old.inUse().opens.includes(young.inUse().seals!), "it is joined with the first look");
});

const REFUSED: [string, (other: SealingKeys) => unknown, string][] = [
  ["tampered", () => {
    const value = sealRing(RING(), SEALING, "default");
    return { version: "1", value: value.with(80, value[80] ^ 1) };
  }, "another name"],
  ["tampered", () => ({ version: "1", value: sealRing(RING(), SEALING, "mail") }), "another name"],
  ["wrong_key", (other) => ({ version: "1", value: sealRing(RING(), other, "default") }), "keys"],
  ["version", () => ({
    version: "1",
    value: seal(currentEngine(), SEALING, {
      purpose: "ticket key ring",
      binding: utf8("default"),
    }, utf8("RPTS\x02 of a later release")),
  }), "another release"],
  ["version", () => ({ version: "1", value: new Uint8Array(200).fill(2) }), "another release"],
  ["too_large", () => ({ version: "1", value: new Uint8Array(1 << 20) }), "larger"],
  ["malformed", () => ({ version: 1, value: new Uint8Array(9) }), "version"],
  ["malformed", () => "ring", "version"],
];
const RING = () => ({
  generation: 1,
  writtenAt: 1,
  keys: [{ key: secret(9), notBefore: 1, sealUntil: 2, openUntil: 3 }],
  revoked: [],
});

for (const [i, [reason, answer, remedy]] of REFUSED.entries()) {
  Deno.test(`a ring that is not taken is told with its reason: ${reason} (${i})`, async () => {
    const other = await SealingKeys.generate();
    const store = new TestRingStore();
    const server = await TestServer.start(store, new TrueTime());
    store.onLoad = () => answer(other);
    await assertRejects(() => server.ring.load(), Error, remedy);
    assertEquals(server.events.slice(1), [{ type: "ring_refused", reason } as TicketKeyEvent]);
  });
}

Deno.test("a store that fails is told with its error", async () => {
  const store = new TestRingStore();
  const server = await TestServer.start(store, new TrueTime());
  const down = new Error("down");
  store.onLoad = () => Promise.reject(down);
  await assertRejects(() => server.ring.load());
  await assertRejects(() => server.ring.rotate());
  assertEquals(server.told("ring_failed").map(({ cause }) => cause), [down, down]);
});

Deno.test("no event has a secret in it", async () => {
  const time = new TrueTime();
  const store = new TestRingStore();
  const fleet = [await TestServer.start(store, time)];
  fleet.push(await TestServer.start(store, time, { ahead: 20 * HOUR }));
  const secrets: string[] = [];
  for (const server of fleet) {
    secrets.push(...server.ring.keys().map(({ key }) => key.toHex()));
    await server.ring.rotate();
    await server.ring.revoke(server.inUse().opens[0]);
  }
  time.pass(MINUTE);
  for (const server of fleet) await server.ring.load();
  const told = fleet.map(({ events }) => Deno.inspect(events, { depth: 9 })).join();
  assertNotEquals(secrets, []);
  for (const secret of secrets) assert(!told.includes(secret.slice(0, 16)));
});

const CALLBACKS: [string, (event: TicketKeyEvent) => unknown][] = [
  ["throws", () => {
    throw new Error("from the callback");
  }],
  ["rejects", () => Promise.reject(new Error("from the callback"))],
  ["returns what is no promise and cannot be asked", () => ({
    get then() {
      throw new Error("from the callback");
    },
  })],
  ["never settles", () => new Promise(() => {})],
];

for (const [what, callback] of CALLBACKS) {
  Deno.test(`a callback that ${what} ends nothing`, async () => {
    const store = new TestRingStore();
    let told = 0;
    const onDiagnostic = (event: TicketKeyEvent) => {
      told++;
      return callback(event) as void;
    };
    const ring = await TicketKeys.shared(store, { keys, onDiagnostic });
    const before = await inUse(ring);
    await ring.rotate();
    await ring.revoke(before.seals!);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert((await inUse(ring)).seals !== null);
    assert(told >= 3);
  });
}

Deno.test("a callback may ask the ring itself", async () => {
  const store = new TestRingStore();
  const seen: string[][] = [];
  const held: { ring?: TicketKeys } = {};
  const onDiagnostic = (event: TicketKeyEvent) => {
    const { ring } = held;
    if (ring === undefined || event.type !== "ring_rotated") return;
    seen.push(ring.ids);
    assertEquals(contents(ring).length, ring.ids.length);
  };
  const ring = held.ring = await TicketKeys.shared(store, { keys, onDiagnostic });
  await ring.rotate();
  assertEquals(seen, [ring.ids]);
});

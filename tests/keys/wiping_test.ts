/**
 * Guards: plain copies of keys are wiped when they are replaced, outgrown or not needed any more:
 * of all arrays that were made, those alone still have a key that is in use, or the caller's.
 */

import { assert, assertEquals, assertGreater, assertRejects, assertThrows } from "@std/assert";
import { SealingKeys, TicketKeys } from "../../mod.ts";
import { ByteWriter } from "../../src/bytes.ts";
import { engineRing, sealingKeysInternals } from "../../src/sealing_keys.ts";
import { ticketKeysInternals } from "../../src/ticket_keys.ts";
import { decodeTicketKeys } from "../../src/ticket_ring.ts";
import { movedClock } from "../interop/clock.ts";
import { SEALING, TestServer, TrueTime } from "./fleet.ts";
import { HOUR, inUse, MINUTE, secret } from "./ring.ts";
import { TestRingStore } from "./ring_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

/** Every array of bytes that is made in here, in whatever way. */
class Arrays implements Disposable {
  readonly #buffers = new Set<ArrayBufferLike>();
  readonly #original = { Uint8Array, slice: Uint8Array.prototype.slice };

  constructor() {
    const { Uint8Array: original, slice } = this.#original;
    const note = <T extends Uint8Array>(made: T): T => {
      this.#buffers.add(made.buffer);
      return made;
    };
    // deno-lint-ignore no-global-assign
    Uint8Array = new Proxy(original, {
      construct: (target, given, type) => note(Reflect.construct(target, given, type)),
    });
    original.prototype.slice = function (...given) {
      return note(slice.apply(this, given) as Uint8Array<ArrayBuffer>);
    };
  }

  /** How many of them have these bytes; those that are given are left out. */
  with(bytes: Uint8Array, ...without: (Uint8Array | undefined)[]): number {
    const buffers = new Set(without.map((each) => each?.buffer));
    const piece = text(bytes.subarray(0, 16));
    return [...this.#buffers].filter((buffer) =>
      // Memory of the engine is tested elsewhere.
      buffer.byteLength < 1 << 20 && !buffers.has(buffer) &&
      text(new this.#original.Uint8Array(buffer)).includes(piece)
    ).length;
  }

  [Symbol.dispose](): void {
    // deno-lint-ignore no-global-assign
    Uint8Array = this.#original.Uint8Array;
    Uint8Array.prototype.slice = this.#original.slice;
  }
}

const text = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

Deno.test("a writer wipes the arrays that it outgrew, and its own", () => {
  using arrays = new Arrays();
  const bytes = secret(5);
  const writer = new ByteWriter();
  for (let i = 0; i < 200; i++) writer.bytes(bytes);
  assertEquals(arrays.with(bytes, bytes), 1, "the one that it is in");
  const written = writer.finish();
  assertEquals(arrays.with(bytes, bytes, written), 0);
  assertEquals(written.length, 200 * 32);

  const failing = new ByteWriter().bytes(bytes);
  assertThrows(() => failing.uint(1, 256), RangeError);
  assertThrows(() => new ByteWriter().bytes(bytes).vector(1, new Uint8Array(256)), RangeError);
  assertEquals(arrays.with(bytes, bytes, written), 0);
});

Deno.test("a ring for the engine is never made of a key that was wiped", () => {
  assertEquals(engineRing([secret(1)]).length, 48);
  assertThrows(() => engineRing([secret(1), new Uint8Array(32)]), Error, "wiped");
});

Deno.test("secrets, and bytes of rings, leave no copy but the keys in use", async () => {
  using arrays = new Arrays();
  const [one, two, three] = [secret(1), secret(2), secret(3)];
  const keys = await SealingKeys.fromSecret(one, { previous: [two], nameSecret: three });
  for (const each of [one, two, three]) assertEquals(arrays.with(each, each), 0);

  const bytes = keys.toBytes();
  const [name, newest] = [bytes.subarray(5, 37), bytes.subarray(39, 71)].map((b) => b.slice());
  // A key, and the ring that the engine is given.
  assertEquals(arrays.with(newest, bytes, newest), 2);
  assertEquals(arrays.with(name, bytes, name), 1);
  const again = await SealingKeys.fromBytes(bytes);
  assertEquals(again.ids, keys.ids);
  assertEquals(arrays.with(newest, bytes, newest), 4);

  const tickets = await TicketKeys.fromSecret(one);
  assertEquals(arrays.with(one, one), 1, "its own copy");
  assert((await inUse(tickets)).seals !== null);
});

Deno.test("what cannot be read or used is wiped too", async () => {
  using arrays = new Arrays();
  const [one, two] = [secret(1), secret(2)];
  for (const previous of [[two, one], [two, new Uint8Array(3)], [two, null as never]]) {
    await assertRejects(() => SealingKeys.fromSecret(one, { previous }), TypeError);
  }
  await assertRejects(() => SealingKeys.fromSecret(one, { previos: [] } as never), TypeError);
  await assertRejects(() => TicketKeys.fromSecret(one, { rotateEvery: 0 }), TypeError);
  for (const each of [one, two]) assertEquals(arrays.with(each, each), 0);

  const ring = (await TicketKeys.generate()).toBytes();
  const cut = ring.slice(0, -1);
  const long = new Uint8Array([...ring, 0]);
  const twice = new Uint8Array([
    ...ring.subarray(0, 5),
    0,
    112,
    ...ring.subarray(7, 63),
    ...ring.subarray(7),
  ]);
  const key = ring.slice(7, 39);
  const before = arrays.with(key, ring, cut, long, twice, key);
  for (const bytes of [cut, long, twice]) {
    await assertRejects(() => TicketKeys.fromBytes(bytes), TypeError);
    assertThrows(() => decodeTicketKeys(bytes), TypeError);
  }
  await assertRejects(() => TicketKeys.fromBytes(ring, { openFor: -1 }), TypeError);
  assertEquals(arrays.with(key, ring, cut, long, twice, key), before);

  const sealing = (await SealingKeys.generate()).toBytes();
  const bad = new Uint8Array([...sealing, 0]);
  const secretKey = sealing.slice(39, 71);
  const held = arrays.with(secretKey, sealing, bad, secretKey);
  await assertRejects(() => SealingKeys.fromBytes(bad), TypeError);
  assertEquals(arrays.with(secretKey, sealing, bad, secretKey), held);
});

Deno.test("a sealing key that falls out of the ring is wiped, and each ring that is replaced", async () => {
  using arrays = new Arrays();
  const keys = await SealingKeys.generate();
  const first = keys.toBytes().slice(39, 71);
  const ring = sealingKeysInternals.ring(keys);
  keys.rotate();
  assertEquals(ring, new Uint8Array(ring.length), "a ring that was replaced");
  for (let i = 0; i < 14; i++) keys.rotate();
  const ids = keys.ids;
  keys.rotate();
  assertEquals(keys.ids.length, 16);
  assert(!keys.ids.includes(ids[15]));
  // What `toBytes()` gave is the caller's: it was copied out of there, once.
  assertEquals(arrays.with(first, first), 1);
});

Deno.test("the ring that handshakes are given is made once, and wiped when it is replaced", async () => {
  using time = movedClock();
  time.set(1_800_000_000);
  const keys = await TicketKeys.generate({ rotateEvery: HOUR });
  const { ring } = await ticketKeysInternals.ring(keys);
  assertEquals((await ticketKeysInternals.ring(keys)).ring, ring);
  assert((await ticketKeysInternals.ring(keys)).ring === ring, "the same array");
  await keys.rotate();
  assertEquals(ring, new Uint8Array(48));
  assertGreater((await ticketKeysInternals.ring(keys)).ring.length, 48);
});

Deno.test("a ring that is renewed while a handshake waits is not seen as zeros", async () => {
  const keys = await TicketKeys.generate();
  const given = ticketKeysInternals.ring(keys);
  const rotating = keys.rotate();
  const stolen = keys.ids[0];
  const ring = await given;
  await Promise.all([rotating, keys.revoke(stolen)]);
  assert(ring.ring.some((byte) => byte !== 0));
  assertEquals(ring.ring, (await ticketKeysInternals.ring(keys)).ring);
  assert(ring.seals);
});

for (const end of ["ends", "is revoked", "was published and is rotated away"]) {
  Deno.test(`a ticket key that ${end} is overwritten wherever it was`, async () => {
    using arrays = new Arrays();
    using time = movedClock();
    time.set(1_800_000_000);
    const keys = await TicketKeys.generate({ rotateEvery: HOUR });
    time.move(40 * 60);
    await inUse(keys);
    const bytes = keys.toBytes();
    const [first, next] = [bytes.slice(7, 39), bytes.slice(63, 95)];
    assertEquals(arrays.with(first, bytes, first), 2, "a key, and the ring of handshakes");
    let gone = first;
    if (end === "ends") time.move(2 * 3600);
    else if (end === "is revoked") await keys.revoke(keys.ids[0]);
    else {
      gone = next;
      await keys.rotate();
    }
    await inUse(keys);
    assertEquals(arrays.with(gone, bytes, gone), 0);
  });
}

Deno.test("keys from a secret are overwritten when their time is over", async () => {
  using arrays = new Arrays();
  using time = movedClock();
  time.set(1_800_000_000);
  const keys = await TicketKeys.fromSecret(secret(1), { rotateEvery: HOUR });
  const bytes = keys.toBytes();
  const first = bytes.slice(7, 39);
  assertGreater(arrays.with(first, bytes, first), 0);
  time.move(5 * 3600);
  await inUse(keys);
  assertEquals(arrays.with(first, bytes, first), 0);
});

Deno.test("what is read from a store and written there is left nowhere in plain", async () => {
  using arrays = new Arrays();
  const time = new TrueTime();
  const store = new TestRingStore();
  const server = await TestServer.start(store, time);
  const other = await TestServer.start(store, time);
  const first = server.ring.keys()[0].key.slice();
  const held = () => arrays.with(first, first);
  assertEquals(held(), 2, "one in each server");
  for (let i = 0; i < 5; i++) {
    time.pass(MINUTE);
    await server.ring.load();
    await other.ring.rotate();
  }
  assertEquals(held(), 2);
  store.compareAndSet = () => Promise.resolve(false);
  await assertRejects(() => server.ring.rotate());
  assertEquals(held(), 2);
  const stolen = server.inUse().opens;
  for (const id of stolen) await assertRejects(() => server.ring.revoke(id));
  assertEquals(held(), 1, "the other one has not heard of it");
  time.pass(24 * HOUR);
  for (const each of [server, other]) each.inUse();
  assertEquals(held(), 0);
  assert(SEALING.ids.length === 1);
});

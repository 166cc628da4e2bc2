/**
 * Guards: rings of keys refuse options that are misspelt or no object, and bytes that are none, by
 * name and before anything else happens; what is inherited counts like what is not.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type KeyRingStore, SealingKeys, TicketKeys } from "../../mod.ts";
import { contents, HOUR, inUse, secret } from "./ring.ts";
import { TestRingStore } from "./ring_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const keys = await SealingKeys.fromSecret(secret(1));
const sealing = keys.toBytes();
const tickets = (await TicketKeys.generate()).toBytes();

// deno-lint-ignore no-explicit-any
type Any = any;

/** Every static method with options, with good arguments before them. */
const WITH_OPTIONS: [string, (options: Any) => Promise<unknown>][] = [
  ["SealingKeys.fromSecret", (options) => SealingKeys.fromSecret(secret(1), options)],
  ["TicketKeys.generate", (options) => TicketKeys.generate(options)],
  ["TicketKeys.fromSecret", (options) => TicketKeys.fromSecret(secret(1), options)],
  ["TicketKeys.fromBytes", (options) => TicketKeys.fromBytes(tickets, options)],
];
const WITHOUT_OPTIONS: [string, (options: Any) => Promise<unknown>][] = [
  ["SealingKeys.generate", (options) => (SealingKeys.generate as Any)(options)],
  ["SealingKeys.fromBytes", (options) => (SealingKeys.fromBytes as Any)(sealing, options)],
];

const MISSPELT = [
  "rotateEver",
  "rotate_every",
  "rotateevery",
  "openfor",
  "ttl",
  "prev",
  "secret",
  "namesecret",
  "refresh",
  "key",
];
const NO_OBJECTS: [string, unknown][] = [
  ["null", null],
  ["a number", 8],
  ["0", 0],
  ["NaN", NaN],
  ["a bigint", 8n],
  ["a string", "8h"],
  ["an empty string", ""],
  ["true", true],
  ["false", false],
  ["a symbol", Symbol("options")],
  ["a function", () => ({})],
  ["a class", class {}],
  ["an array", []],
  ["an array of options", [{ rotateEvery: HOUR }]],
  ["bytes", new Uint8Array(32)],
];

/** What can be no option, whichever it is. */
const NO_VALUES: [string, unknown][] = [
  ...NO_OBJECTS.filter(([what]) => what !== "a number"),
  ["a promise", Promise.resolve(HOUR)],
  ["a date", new Date()],
  ["a negative number", -1],
  ["Infinity", Infinity],
  ["an object", {}],
  ["an object that becomes a number", { valueOf: () => HOUR }],
];

for (const [method, call] of WITH_OPTIONS) {
  Deno.test(`${method}() refuses an option that is misspelt, by name`, async () => {
    for (const name of MISSPELT) {
      await assertRejects(() => call({ [name]: 1000 }), TypeError, `"${name}"`);
    }
  });

  Deno.test(`${method}() refuses options that are no object`, async () => {
    for (const [what, options] of NO_OBJECTS) {
      if (what === "bytes") continue;
      await assertRejects(() => call(options), TypeError, "options must be an object", what);
    }
    await assertRejects(() => call(new Uint8Array(32)), TypeError);
    await call(undefined);
    await call({});
    await call(Object.create(null));
  });
}

for (const [method, call] of WITHOUT_OPTIONS) {
  Deno.test(`${method}() takes no options`, async () => {
    for (const options of [{}, { previous: [] }, null, 1, "x"]) {
      await assertRejects(() => call(options), TypeError, "takes no options");
    }
    await call(undefined);
  });
}

for (const name of ["rotateEvery", "openFor", "refreshEvery"]) {
  Deno.test(`"${name}" has to be a number of milliseconds, wherever it is an option`, async () => {
    for (const [what, value] of NO_VALUES) {
      const options = { [name]: value };
      const calls = WITH_OPTIONS.slice(1).map(([, call]) => () => call(options));
      if (name === "refreshEvery") calls.length = 0;
      calls.push(() => TicketKeys.shared(new TestRingStore(), { keys, ...options }));
      for (const call of calls) await assertRejects(call, TypeError, `"${name}"`, what);
    }
  });
}

Deno.test("shared() refuses what is misspelt, and options that are no object, before it asks", async () => {
  const store = new TestRingStore();
  for (const name of [...MISSPELT, "Name", "onEvent", "store"]) {
    const options = { keys, [name]: 1000 };
    await assertRejects(() => TicketKeys.shared(store, options), TypeError, `"${name}"`);
  }
  for (const [, options] of [...NO_OBJECTS, ["undefined", undefined] as const]) {
    await assertRejects(() => TicketKeys.shared(store, options as Any), TypeError);
  }
  const bad: [string, unknown[]][] = [
    ["keys", [undefined, null, {}, secret(1), [keys], Object.create(SealingKeys), "keys"]],
    ["name", [null, "", 0, 7, true, {}, ["x"], Symbol("x"), "x".repeat(256), "é".repeat(128)]],
    ["name", ["\ud800", "a\udfffb", new String("x")]],
    ["onDiagnostic", [null, 0, true, "log", {}, [() => {}]]],
    ["rotateEvery", [1, 59_999, 2_000]],
    ["openFor", [24 * 8 * HOUR + 1]],
    ["refreshEvery", [2 * HOUR + 1, 8 * HOUR]],
  ];
  for (const [name, values] of bad) {
    for (const value of values) {
      const options = { keys, [name]: value };
      await assertRejects(() => TicketKeys.shared(store, options as Any), TypeError, `"${name}"`);
    }
  }
  assertEquals([store.loads, store.attempts], [0, 0]);
  for (const name of ["x", "é".repeat(127), "x".repeat(255), "𝒳", " "]) {
    await TicketKeys.shared(new TestRingStore(), { keys, name });
  }
});

Deno.test("schedules that work are taken: the longest, the shortest, and what goes with them", async () => {
  const store = () => new TestRingStore();
  await TicketKeys.shared(store(), { keys, rotateEvery: 60_000 });
  await TicketKeys.shared(store(), { keys, rotateEvery: 60_000, refreshEvery: 15_000 });
  await assertRejects(
    () => TicketKeys.shared(store(), { keys, rotateEvery: 60_000, refreshEvery: 15_001 }),
    TypeError,
    '"refreshEvery"',
  );
  await TicketKeys.generate({ rotateEvery: 1000, openFor: 24_000 });
  for (const make of [TicketKeys.generate, (o: object) => TicketKeys.fromSecret(secret(1), o)]) {
    const options = { rotateEvery: 1000, openFor: 24_001 };
    await assertRejects(() => make(options), TypeError, '"openFor"');
  }
});

Deno.test("options that are inherited, or getters, count as they do everywhere", async () => {
  const store = new TestRingStore();
  const inherited = Object.create({ keys, rotateEvery: HOUR, openFor: HOUR, name: "shop" });
  const ring = await TicketKeys.shared(store, inherited);
  const [{ sealUntil, openUntil }] = contents(ring);
  assertEquals(openUntil - sealUntil, HOUR);
  await assertRejects(() => TicketKeys.shared(store, { keys }), Error, "another name");
  class Defaults {
    get rotateEvery() {
      return -1;
    }
  }
  await assertRejects(() => TicketKeys.generate(new Defaults()), TypeError, '"rotateEvery"');
});

/** A `Uint8Array` that has no bytes any more. */
function detached(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes);
  structuredClone(copy, { transfer: [copy.buffer] });
  return copy;
}

/** One whose buffer became too short for it. */
function outOfBounds(bytes: Uint8Array): Uint8Array {
  const buffer = new ArrayBuffer(bytes.length + 8, { maxByteLength: bytes.length + 64 });
  const view = new Uint8Array(buffer, 8, bytes.length);
  view.set(bytes);
  buffer.resize(4);
  return view;
}

const BYTES: [string, string, Uint8Array, (bytes: Any, options?: Any) => Promise<unknown>][] = [
  ["SealingKeys.fromSecret", "secret", secret(1), (b, o) => SealingKeys.fromSecret(b, o)],
  [
    "SealingKeys.fromSecret",
    "previous[1]",
    secret(3),
    (b) => SealingKeys.fromSecret(secret(1), { previous: [secret(2), b] }),
  ],
  [
    "SealingKeys.fromSecret",
    "nameSecret",
    secret(2),
    (b) => SealingKeys.fromSecret(secret(1), { nameSecret: b }),
  ],
  ["SealingKeys.fromBytes", "bytes", sealing, (b) => SealingKeys.fromBytes(b)],
  ["TicketKeys.fromSecret", "secret", secret(1), (b, o) => TicketKeys.fromSecret(b, o)],
  ["TicketKeys.fromBytes", "bytes", tickets, (b, o) => TicketKeys.fromBytes(b, o)],
];

for (const [method, argument, good, call] of BYTES) {
  Deno.test(`${method}() refuses bytes that are none, and names "${argument}"`, async () => {
    const bad: unknown[] = [
      detached(good),
      outOfBounds(good),
      good.buffer,
      [...good],
      Object.create(Uint8Array.prototype),
      new DataView(good.buffer),
      new Uint16Array(64),
      "bytes",
      7,
      {},
    ];
    for (const each of bad) {
      const error = await assertRejects(() => call(each), TypeError);
      assert(error.message.includes(`"${argument}"`), error.message);
    }
    assert((await assertRejects(() => call(detached(good)), TypeError)).message.includes("buffer"));
    // A view is read where it is, a buffer of Node's is none but a Uint8Array.
    const around = new Uint8Array(good.length + 20);
    around.set(good, 10);
    await call(around.subarray(10, 10 + good.length));
  });
}

const READ_LATER: [string, (bytes: Uint8Array, options: Any) => Promise<{ ids: string[] }>][] = [
  ["previous", (bytes, options) => SealingKeys.fromSecret(bytes, options)],
  ["rotateEvery", (bytes, options) => TicketKeys.fromSecret(bytes, options)],
];

for (const [option, call] of READ_LATER) {
  Deno.test(`a secret is checked and copied before "${option}" is read`, async () => {
    let read = 0;
    const taking = (bytes: Uint8Array) => ({
      get [option]() {
        read++;
        structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
        return undefined;
      },
    });
    const gone = detached(secret(1));
    await assertRejects(() => call(gone, taking(gone)), TypeError, '"secret"');
    assertEquals(read, 0);
    const given = secret(1);
    const { ids } = await call(given, taking(given));
    assertEquals([read, given.length], [1, 0]);
    assertEquals(ids, (await call(secret(1), {})).ids);
  });
}

Deno.test("revoke() without an id is refused", async () => {
  const ring = await TicketKeys.generate();
  await assertRejects(() => (ring.revoke as Any)(), TypeError, '"keyId"');
  assert((await inUse(ring)).seals !== null);
});

Deno.test("shared() refuses a store that is none", async () => {
  for (const store of [null, undefined, 7, "redis", {}, { load() {} }, { compareAndSet() {} }]) {
    const given = store as unknown as KeyRingStore;
    await assertRejects(() => TicketKeys.shared(given, { keys }), TypeError, '"store"');
  }
});

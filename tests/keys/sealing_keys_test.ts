/**
 * Sealing keys: which secrets make a ring, what a rotation changes and what it does not, and that
 * nothing shows them.
 */

import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { SealingKeys } from "../../mod.ts";
import { utf8 } from "../../src/bytes.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { open, seal } from "../../src/envelope.ts";
import { sealingKeysInternals } from "../../src/sealing_keys.ts";
import { secret } from "./ring.ts";

const to = { purpose: "session" } as const;
const sealUnder = (keys: SealingKeys) => seal(currentEngine(), keys, to, utf8("content"));
const openWith = (keys: SealingKeys, sealed: Uint8Array) => {
  const { plain, miss } = open(currentEngine(), keys, to, sealed);
  return miss ?? new TextDecoder().decode(plain);
};
const name = (keys: SealingKeys) => sealingKeysInternals.name(keys, "test", utf8("a"), utf8("b"));

Deno.test("generated rings differ and do not open each other's", async () => {
  const [a, b] = [await SealingKeys.generate(), await SealingKeys.generate()];
  assertNotEquals(a.ids, b.ids);
  assertNotEquals(name(a), name(b));
  assertEquals(openWith(a, sealUnder(a)), "content");
  assertEquals(openWith(b, sealUnder(a)), "wrong_key");
});

Deno.test("the same secret makes the same ring", async () => {
  const [a, b] = [await SealingKeys.fromSecret(secret(1)), await SealingKeys.fromSecret(secret(1))];
  assertEquals([a.ids, name(a)], [b.ids, name(b)]);
  assertEquals(openWith(b, sealUnder(a)), "content");
  const other = await SealingKeys.fromSecret(secret(2));
  assertNotEquals([other.ids, name(other)], [a.ids, name(a)]);
  assertEquals(openWith(other, sealUnder(a)), "wrong_key");
});

Deno.test("a secret may be longer than 32 bytes, and every byte counts", async () => {
  const long = new Uint8Array([...secret(1), ...secret(2)]);
  const rings = await Promise.all(
    [long, long.with(63, long[63] ^ 1), secret(1)].map((each) => SealingKeys.fromSecret(each)),
  );
  assertEquals(new Set(rings.map(({ ids }) => ids[0])).size, 3);
});

Deno.test("who changes a secret after handing it over changes nothing", async () => {
  const given = secret(1);
  const keys = await SealingKeys.fromSecret(given);
  given.fill(0);
  assertEquals(keys.ids, (await SealingKeys.fromSecret(secret(1))).ids);
});

Deno.test("a previous secret opens and does not seal", async () => {
  const before = await SealingKeys.fromSecret(secret(1));
  const after = await SealingKeys.fromSecret(secret(2), { previous: [secret(1)] });
  assertEquals(after.ids[1], before.ids[0]);
  assertEquals(openWith(after, sealUnder(before)), "content");
  assertEquals(openWith(before, sealUnder(after)), "wrong_key");
  assertEquals(openWith(await SealingKeys.fromSecret(secret(2)), sealUnder(after)), "content");
});

Deno.test("names stay when secrets change, or nothing would be found again", async () => {
  const one = await SealingKeys.fromSecret(secret(1));
  const two = await SealingKeys.fromSecret(secret(2), { previous: [secret(1)] });
  const three = await SealingKeys.fromSecret(secret(3), { previous: [secret(2), secret(1)] });
  const later = await SealingKeys.fromSecret(secret(3), { nameSecret: secret(1) });
  assertEquals([two, three, later].map(name), Array(3).fill(name(one)));
  assertNotEquals(name(await SealingKeys.fromSecret(secret(3))), name(one));
});

Deno.test("rotation seals anew, opens what was, and keeps names", async () => {
  const keys = await SealingKeys.generate();
  const before = name(keys);
  const sealed: Uint8Array[] = [];
  const ids: string[] = [];
  for (let i = 0; i < 16; i++) {
    sealed.push(sealUnder(keys));
    ids.unshift(keys.ids[0]);
    assertEquals(keys.ids, ids);
    if (i < 15) keys.rotate();
  }
  for (const each of sealed) assertEquals(openWith(keys, each), "content");
  keys.rotate();
  assertEquals([keys.ids.length, keys.ids.includes(ids[15])], [16, false]);
  assertEquals(sealed.map((each) => openWith(keys, each)), [
    "wrong_key",
    ...Array(15).fill("content"),
  ]);
  assertEquals(name(keys), before);
});

Deno.test("a ring as bytes is the same ring, rotated or not", async () => {
  for (
    const keys of [
      await SealingKeys.generate(),
      await SealingKeys.fromSecret(secret(1), { previous: [secret(2), secret(3)] }),
    ]
  ) {
    for (let i = 0; i < 20; i++) {
      const same = await SealingKeys.fromBytes(keys.toBytes());
      assertEquals([same.ids, name(same), same.toBytes()], [keys.ids, name(keys), keys.toBytes()]);
      assertEquals(openWith(same, sealUnder(keys)), "content");
      keys.rotate();
    }
  }
});

Deno.test("names depend on purpose, on each part, and on where one part ends", async () => {
  const keys = await SealingKeys.generate();
  const names = [
    sealingKeysInternals.name(keys, "p", utf8("ab"), utf8("c")),
    sealingKeysInternals.name(keys, "q", utf8("ab"), utf8("c")),
    sealingKeysInternals.name(keys, "p", utf8("a"), utf8("bc")),
    sealingKeysInternals.name(keys, "p", utf8("abc")),
    sealingKeysInternals.name(keys, "p", utf8("abc"), utf8("")),
    sealingKeysInternals.name(keys, "pab", utf8("c")),
  ];
  assertEquals(new Set(names).size, names.length);
  for (const each of names) assert(/^[0-9a-f]{64}$/.test(each));
});

const BAD_SECRETS: [string, unknown][] = [
  ["no bytes", new Uint8Array(0)],
  ["31 bytes", secret(1).subarray(0, 31)],
  ["zeros", new Uint8Array(32)],
  ["one byte repeated", new Uint8Array(64).fill(0x41)],
  ["text", "a secret of more than thirty-two characters"],
  ["an array", Array.from(secret(1))],
  ["an ArrayBuffer", secret(1).buffer],
  ["nothing", undefined],
  ["null", null],
];

for (const [what, bad] of BAD_SECRETS) {
  Deno.test(`${what} is no secret, wherever it is given`, async () => {
    const given = bad as Uint8Array;
    await assertRejects(() => SealingKeys.fromSecret(given), TypeError);
    await assertRejects(() => SealingKeys.fromSecret(secret(1), { previous: [given] }), TypeError);
    if (bad === undefined) return;
    await assertRejects(() => SealingKeys.fromSecret(secret(1), { nameSecret: given }), TypeError);
  });
}

Deno.test("a secret twice in a ring is refused", async () => {
  const twice = [[secret(1)], [secret(2), secret(2)]];
  for (const previous of twice) {
    await assertRejects(() => SealingKeys.fromSecret(secret(1), { previous }), TypeError, "twice");
  }
});

Deno.test("more secrets than a ring keeps are refused", async () => {
  const previous = Array.from({ length: 16 }, (_, i) => secret(i + 2));
  await assertRejects(() => SealingKeys.fromSecret(secret(1), { previous }), TypeError, "previous");
  const most = await SealingKeys.fromSecret(secret(1), { previous: previous.slice(1) });
  assertEquals((await SealingKeys.fromBytes(most.toBytes())).ids, most.ids);
});

Deno.test("what is no ring is refused", async () => {
  const good = (await SealingKeys.fromSecret(secret(1), { previous: [secret(2)] })).toBytes();
  const key = (i: number) => good.slice(39 + 32 * i, 39 + 32 * (i + 1));
  const ring = (...keys: Uint8Array[]) => {
    const length = keys.length * 32;
    return new Uint8Array([
      ...good.subarray(0, 37),
      length >> 8,
      length & 255,
      ...keys.flatMap((each) => [...each]),
    ]);
  };
  assertEquals(ring(key(0), key(1)), good);
  const bad: [string, unknown][] = [
    ["text", "RPSK"],
    ["nothing", undefined],
    ["null", null],
    ["an array", [...good]],
    ["no bytes", new Uint8Array(0)],
    ["another start", good.with(0, 0)],
    ["another format", good.with(4, 2)],
    ["a byte less", good.slice(0, -1)],
    ["a byte more", new Uint8Array([...good, 0])],
    ["no key", ring()],
    ["half a key", new Uint8Array([...good.subarray(0, 37), 0, 16, ...key(0).subarray(16)])],
    ["17 keys", ring(...Array.from({ length: 17 }, (_, i) => secret(i + 1)))],
    ["a zero key", ring(key(0), new Uint8Array(32))],
    ["a key of one byte repeated", ring(new Uint8Array(32).fill(9))],
    ["a key twice", ring(key(0), key(1), key(0))],
    ["a zero name key", good.slice().fill(0, 5, 37)],
  ];
  for (const [what, bytes] of bad) {
    await assertRejects(() => SealingKeys.fromBytes(bytes as Uint8Array), TypeError, "", what);
  }
});

Deno.test("a ring shows its ids and no secrets", async () => {
  const keys = await SealingKeys.fromSecret(secret(1), { previous: [secret(2)] });
  const shown = [
    Deno.inspect(keys, { depth: 10, showHidden: true }),
    String(keys),
    JSON.stringify(keys),
    Object.keys(keys).join(),
  ].join("\n");
  const bytes = keys.toBytes();
  for (let at = 5; at + 4 < bytes.length; at += 4) {
    const part = bytes.subarray(at, at + 4);
    assert(!shown.includes(part.toHex()), "hexadecimal");
    assert(!shown.includes([...part].join(", ")), "numbers");
  }
  for (const id of keys.ids) assert(/^[0-9a-f]{32}$/.test(id) && !bytes.toHex().includes(id));
});

Deno.test("errors do not show secrets", async () => {
  const short = secret(1).subarray(0, 31);
  const error = await assertRejects(() => SealingKeys.fromSecret(short), TypeError);
  const twice = await assertRejects(
    () => SealingKeys.fromSecret(secret(1), { previous: [secret(1)] }),
    TypeError,
  );
  for (const shown of [Deno.inspect(error), Deno.inspect(twice)]) {
    assert(!shown.includes(short.subarray(0, 4).toHex()));
    assert(!shown.includes([...short.subarray(0, 4)].join(", ")));
  }
});

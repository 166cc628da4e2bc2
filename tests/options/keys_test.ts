/** Guards: every option of rings of keys, times every kind of value. */

import { assertEquals, assertRejects } from "@std/assert";
import {
  type KeyRingStore,
  SealingKeys,
  type SharedTicketKeyOptions,
  type TicketKeyOptions,
  TicketKeys,
} from "../../mod.ts";
import { FUNCTIONS, KIND_NAMES, KINDS, STRINGS } from "./kinds.ts";
import { type Rows, testTable, testWhole } from "./table.ts";

type SecretOptions = NonNullable<Parameters<typeof SealingKeys.fromSecret>[1]>;

const secret = (n: number) => Uint8Array.from({ length: 32 }, (_, i) => i * n + 1);
const keys = await SealingKeys.fromSecret(secret(1));

/** A store with one ring, or none. */
function ringStore(): KeyRingStore {
  let kept: { version: string; value: Uint8Array } | null = null;
  return {
    load: () => Promise.resolve(kept),
    compareAndSet(version, value) {
      if (version !== (kept?.version ?? null)) return Promise.resolve(false);
      kept = { version: `${Number(version ?? 0) + 1}`, value: value.slice() };
      return Promise.resolve(true);
    },
  };
}

testTable<SecretOptions>(
  "SealingKeys.fromSecret()",
  {
    previous: { accepts: ["an empty array"] },
    nameSecret: { accepts: [] },
  } satisfies Rows<SecretOptions>,
  (options) => SealingKeys.fromSecret(secret(1), options),
);

testTable<SecretOptions>(
  "SealingKeys.fromSecret()",
  { "previous[0]": { accepts: [], needed: true, put: (value) => ({ previous: [value] }) } },
  (options) => SealingKeys.fromSecret(secret(1), options),
);

/** By schedule: milliseconds up to a year. */
const OWN: Rows<TicketKeyOptions> = {
  // Above a year, and below what keys of a ring leave room for, nothing of these is.
  rotateEvery: { accepts: ["1", "a fraction", "2^31"] },
  openFor: { accepts: ["1", "a fraction"] },
};

const bytes = (await TicketKeys.generate()).toBytes();
testTable<TicketKeyOptions>("TicketKeys.generate()", OWN, (o) => TicketKeys.generate(o));
testTable<TicketKeyOptions>(
  "TicketKeys.fromSecret()",
  OWN,
  (o) => TicketKeys.fromSecret(secret(2), o),
);
testTable<TicketKeyOptions>("TicketKeys.fromBytes()", OWN, (o) => TicketKeys.fromBytes(bytes, o));

testTable<SharedTicketKeyOptions>(
  "TicketKeys.shared()",
  {
    keys: { accepts: [], needed: true },
    name: { accepts: STRINGS, beside: { keys } },
    rotateEvery: { accepts: ["2^31"], beside: { keys } },
    openFor: { accepts: ["1", "a fraction"], beside: { keys } },
    refreshEvery: { accepts: ["1", "a fraction"], beside: { keys } },
    onDiagnostic: { accepts: FUNCTIONS, beside: { keys } },
  } satisfies Rows<SharedTicketKeyOptions>,
  (options) => TicketKeys.shared(ringStore(), options),
);

for (
  const [what, make] of [
    ["SealingKeys.fromSecret()", (o) => SealingKeys.fromSecret(secret(1), o as SecretOptions)],
    ["TicketKeys.generate()", (o) => TicketKeys.generate(o as TicketKeyOptions)],
    ["TicketKeys.fromSecret()", (o) => TicketKeys.fromSecret(secret(2), o as TicketKeyOptions)],
    ["TicketKeys.fromBytes()", (o) => TicketKeys.fromBytes(bytes, o as TicketKeyOptions)],
  ] satisfies [string, (options: unknown) => Promise<unknown>][]
) {
  testWhole(
    what,
    ["undefined", "an object", "an object without a prototype"],
    make,
    new RegExp(`${what.replaceAll(/[().]/g, "\\$&")} options`),
  );
}

Deno.test("a secret, a ring and its store are arguments that are named", async () => {
  for (const kind of KIND_NAMES) {
    const value = KINDS[kind]() as never;
    for (const take of [SealingKeys.fromSecret, TicketKeys.fromSecret]) {
      const error = await assertRejects(() => take(value), TypeError, '"secret"', kind);
      assertEquals(error.constructor, TypeError);
    }
    for (const take of [SealingKeys.fromBytes, TicketKeys.fromBytes]) {
      await assertRejects(() => take(value), TypeError, '"bytes"', kind);
    }
    await assertRejects(() => TicketKeys.shared(value, { keys }), TypeError, '"store"', kind);
  }
});

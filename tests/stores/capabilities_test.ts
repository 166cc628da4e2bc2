/**
 * What a store says that it can do is read once, when a context is made: what it says later, or
 * throws, ends no connection and allows nothing.
 */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  ClientContext,
  memoryStore,
  SealingKeys,
  ServerContext,
  type SessionStore,
  type SessionStoreCapabilities,
} from "../../mod.ts";
import { full, outcome, RESUMED, startServer } from "../pool/pool.ts";
import { VERSIONS, visitAt } from "../server/client.ts";
import { serve } from "../server/in_process.ts";
import { caCert, serverCert } from "../testdata/mod.ts";

const ATOMIC = { atomicTake: true, consistency: "strong" } as const;

/** A store in memory that answers the n-th question for its capabilities like this. */
function storeThat(capabilities: (reads: number) => SessionStoreCapabilities): SessionStore {
  let reads = 0;
  const inner = memoryStore();
  return Object.defineProperty({ ...inner }, "capabilities", {
    get: () => capabilities(reads++),
  });
}

/** Changes its mind once a context has looked at it. */
const FICKLE: [what: string, (reads: number) => SessionStoreCapabilities][] = [
  ["throws", (reads) => {
    if (reads > 0) throw new Error("no capabilities any more");
    return ATOMIC;
  }],
  ["is null", (reads) => reads > 0 ? null as unknown as SessionStoreCapabilities : ATOMIC],
  ["takes no value", (reads) => reads > 0 ? { ...ATOMIC, maxValueBytes: 0 } : ATOMIC],
  ["keeps for ever", (reads) => reads > 0 ? { ...ATOMIC, minTtl: Infinity } : ATOMIC],
];

async function clientContext(store: SessionStore): Promise<ClientContext> {
  const keys = await SealingKeys.generate();
  return new ClientContext({
    caCerts: [caCert("ec")],
    resumption: { store, keys, timeout: 10_000 },
  });
}

for (const [what, capabilities] of FICKLE) {
  for (const maxVersion of VERSIONS) {
    Deno.test(`${maxVersion}: a client whose store's "capabilities" later ${what} resumes`, async () => {
      await using server = await startServer({ maxVersion });
      const context = await clientContext(storeThat(capabilities));
      assertEquals(await outcome(server, context), full("none_stored"));
      assertEquals(await outcome(server, context), RESUMED);
      assertEquals(context.stats().putsFailed, 0);
    });

    Deno.test(`${maxVersion}: a server whose store's "capabilities" later ${what} resumes`, async () => {
      const store = storeThat(capabilities);
      const keys = await SealingKeys.generate();
      await using server = await serve({
        ...serverCert("ec_p256"),
        maxVersion,
        resumption: { mode: "stateful", store, keys, memory: 0, timeout: 10_000 },
      });
      const first = await visitAt(server);
      await server.context.settled();
      const again = await visitAt(server, { session: first.client.session });
      assertEquals([first.server.resumed, again.server.resumed], [false, true]);
    });
  }
}

Deno.test("early data is refused by a store's first word, whatever it says when asked again", async () => {
  const store = storeThat((reads) => ({ ...ATOMIC, atomicTake: reads > 0 }));
  const keys = await SealingKeys.generate();
  assertThrows(
    () =>
      new ServerContext({
        ...serverCert("ec_p256"),
        maxEarlyDataSize: 1000,
        resumption: { mode: "stateful", store, keys },
      }),
    TypeError,
    "atomic take",
  );
});

const BAD: [what: string, capabilities: unknown][] = [
  ["undefined", undefined],
  ["null", null],
  ["atomicTake that is missing", { consistency: "strong" }],
  ["atomicTake of 1", { ...ATOMIC, atomicTake: 1 }],
  ["another consistency", { ...ATOMIC, consistency: "sometimes" }],
  ["volatile that is text", { ...ATOMIC, volatile: "no" }],
  ["minTtl that is text", { ...ATOMIC, minTtl: "60000" }],
  ["minTtl below 0", { ...ATOMIC, minTtl: -1 }],
  ["minTtl that is NaN", { ...ATOMIC, minTtl: NaN }],
  ["minTtl without end", { ...ATOMIC, minTtl: Infinity }],
  ["maxValueBytes that is null", { ...ATOMIC, maxValueBytes: null }],
  ["maxValueBytes that is NaN", { ...ATOMIC, maxValueBytes: NaN }],
];

for (const [what, capabilities] of BAD) {
  Deno.test(`a store is refused for "capabilities" with ${what}`, async () => {
    const store = { ...memoryStore(), capabilities } as unknown as SessionStore;
    const keys = await SealingKeys.generate();
    for (
      const make of [
        () => new ClientContext({ resumption: { store, keys } }),
        () =>
          new ServerContext({
            ...serverCert("ec_p256"),
            resumption: { mode: "stateful", store, keys },
          }),
      ]
    ) {
      const { message } = assertThrows(make, TypeError);
      assertStringIncludes(message, '"resumption.store"');
      assertStringIncludes(message, '"capabilities"');
    }
  });
}

Deno.test('a store whose "capabilities" cannot be read is refused with the cause', async () => {
  const cause = new Error("not today");
  const store = storeThat(() => {
    throw cause;
  });
  const keys = await SealingKeys.generate();
  const error = assertThrows(
    () => new ClientContext({ resumption: { store, keys } }),
    TypeError,
    '"resumption.store"',
  );
  assert(error.cause === cause);
});

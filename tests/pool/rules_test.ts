/**
 * The rules of a pool: how much it keeps, what keeps sessions apart, what is forgotten and when,
 * and that neither the store nor a callback has a say in it.
 */

import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { ClientContext } from "../../mod.ts";
import { movedClock } from "../interop/clock.ts";
import { bounded } from "../interop/visit.ts";
import { connectTo, VERSIONS } from "../server/client.ts";
import { gate, ScriptedStore } from "../server_faults/scripted_store.ts";
import { caCert } from "../testdata/mod.ts";
import { drain, full, makePool, outcome, RESUMED, startServer } from "./pool.ts";

const HOUR_S = 3600;

for (const version of VERSIONS) {
  Deno.test(`a pool in memory resumes the second connection, ${version}`, async () => {
    await using server = await startServer({ maxVersion: version });
    const context = new ClientContext({ caCerts: [caCert("ec")], resumption: "memory" });
    assertEquals(await outcome(server, context), full("none_stored"));
    for (let i = 0; i < 5; i++) assertEquals(await outcome(server, context), RESUMED);
    const { connect, connectGood, hits, misses, missReasons, store } = context.stats();
    assertEquals([connect, connectGood, hits, misses], [6, 6, 5, 1]);
    assertEquals(missReasons, { none_stored: 1 });
    assert(store.operations >= 12, `${store.operations} operations`);
  });

  Deno.test(`two pools in memory share nothing, ${version}`, async () => {
    await using server = await startServer({ maxVersion: version });
    const make = () => new ClientContext({ caCerts: [caCert("ec")], resumption: "memory" });
    const [a, b] = [make(), make()];
    await outcome(server, a);
    assertEquals(await outcome(server, b), full("none_stored"));
    assertEquals(await outcome(server, a), RESUMED);
  });

  Deno.test(`ports, names and network partitions are kept apart, ${version}`, async () => {
    await using server = await startServer({ maxVersion: version });
    const { context, store } = await makePool();
    const places = [{}, { networkPartition: "a" }, { networkPartition: "b" }, {
      hostname: "127.0.0.1",
    }];
    for (const place of places) {
      assertEquals(await outcome(server, context, place), full("none_stored"));
    }
    for (const place of places) assertEquals(await outcome(server, context, place), RESUMED);
    assertEquals(store.values.size, places.length, "partitions in the store");
    const byPort = new ScriptedStore();
    const other = await makePool({ store: byPort });
    for (const port of [1, 2]) {
      assertEquals(
        await outcome(server, other.context, { port }),
        full("none_stored"),
      );
    }
    assertEquals(byPort.values.size, 2);
  });

  Deno.test(`a higher revocation epoch finds nothing older, ${version}`, async () => {
    await using server = await startServer({ maxVersion: version });
    const before = await makePool();
    await outcome(server, before.context);
    const { store } = before;
    const after = await makePool({ store }, { revocationEpoch: 1 });
    assertEquals(await outcome(server, after.context), full("none_stored"));
    assertEquals(await outcome(server, after.context), RESUMED);
    assertEquals(await outcome(server, before.context), RESUMED, "each has its own");
  });

  Deno.test(`contexts that trust or offer other things find nothing, ${version}`, async () => {
    await using server = await startServer({ maxVersion: version });
    const { context, store } = await makePool();
    await outcome(server, context);
    for (
      const options of [
        { caCerts: [caCert("ec"), caCert("rsa")] },
        { alpnProtocols: ["h2"] },
        { dangerDisableVerification: true },
        { maxVersion: version, minVersion: version },
      ]
    ) {
      const other = await makePool({ store }, options);
      assertEquals(await outcome(server, other.context), full("none_stored"));
    }
    assertEquals(await outcome(server, (await makePool({ store })).context), RESUMED);
  });

  Deno.test(`forget() forgets one server, and what is on its way, ${version}`, async () => {
    await using server = await startServer({ maxVersion: version });
    const { context, store } = await makePool();
    await outcome(server, context);
    await outcome(server, context, { hostname: "127.0.0.1" });
    await outcome(server, context, { networkPartition: "a" });
    await context.forget({ hostname: "LOCALHOST.", port: 443 });
    assertEquals(await outcome(server, context), full("none_stored"));
    assertEquals(await outcome(server, context, { hostname: "127.0.0.1" }), RESUMED);
    assertEquals(await outcome(server, context, { networkPartition: "a" }), RESUMED);
    await context.forget({ hostname: "localhost", port: 443, networkPartition: "a" });
    assertEquals(await outcome(server, context, { networkPartition: "a" }), full("none_stored"));

    const open = gate();
    store.on.put = async (partition, value, options) => {
      await open.passed;
      await store.inner.put(partition, value, options);
    };
    const conn = await connectTo(server, { context });
    await conn.getSession();
    const forgotten = context.forget({ hostname: "localhost", port: 443 });
    open.open();
    await bounded(forgotten, "forget()");
    await conn.close();
    store.on.put = undefined;
    assertEquals(await outcome(server, context), full("none_stored"));
  });

  Deno.test(`maxAge counts from the full handshake, not from a renewal, ${version}`, async () => {
    await using server = await startServer({ maxVersion: version });
    const { context, store } = await makePool({ maxAge: 2 * HOUR_S * 1000 });
    using clock = movedClock();
    await outcome(server, context);
    clock.move(HOUR_S);
    assertEquals(await outcome(server, context), RESUMED);
    clock.move(HOUR_S - 60);
    assertEquals(await outcome(server, context), RESUMED);
    clock.move(70);
    // The store in memory keeps nothing that has expired, so it is told not to look.
    store.lookup((partition) => Promise.resolve(store.values.get(partition) ?? null));
    assertEquals(await outcome(server, context), full("expired"));
    assertEquals(context.stats().timeouts, 1);
  });

  Deno.test(`a session stored under a longer maxAge is held to one's own, ${version}`, async () => {
    await using server = await startServer({ maxVersion: version });
    const long = await makePool({ maxAge: 24 * HOUR_S * 1000 });
    const { store } = long;
    const short = await makePool({ store, maxAge: HOUR_S * 1000 });
    using clock = movedClock();
    await outcome(server, long.context);
    clock.move(HOUR_S + 10);
    assertEquals(await outcome(server, short.context), full("expired"));
    await long.context.forget({ hostname: "localhost", port: 443 });
    await outcome(server, long.context);
    assertEquals(await outcome(server, short.context), RESUMED);
  });

  Deno.test(`what a pool stores names no server, ${version}`, async () => {
    await using server = await startServer({ maxVersion: version });
    const { context, store } = await makePool();
    await outcome(server, context, { networkPartition: "tenant-seven" });
    await outcome(server, context, { networkPartition: "tenant-seven" });
    assert(store.values.size > 0);
    const latin1 = new TextDecoder("latin1");
    for (const [partition, value] of store.values) {
      assert(/^[\x21-\x7e]{1,96}$/.test(partition), partition);
      const seen = [partition, latin1.decode(value), value.toHex(), value.toBase64()].join("\n");
      for (const name of ["localhost", "tenant", "443", "TLSv1"]) {
        const hex = new TextEncoder().encode(name).toHex();
        if (name !== "443") assertFalse(seen.includes(name), name);
        assertFalse(partition.includes(hex) || value.toHex().includes(hex) && name !== "443", name);
      }
    }
  });
}

for (const limit of [1, 2, 4]) {
  Deno.test(`a partition holds ${limit} tickets with ticketsPerServer ${limit}`, async () => {
    await using server = await startServer({ tickets: 8 });
    const { context, store } = await makePool({ ticketsPerServer: limit });
    for (let i = 0; i < 4; i++) await outcome(server, context);
    const kept = await drain(store.inner, store.values.keys());
    assertEquals(kept, [limit]);
  });
}

Deno.test("one TLS 1.2 session is kept, and used by many at once", async () => {
  await using server = await startServer({ maxVersion: "TLSv1.2" });
  const { context, store } = await makePool();
  await outcome(server, context);
  const all = await Promise.all(Array.from({ length: 5 }, () => outcome(server, context)));
  assertEquals(all, Array.from({ length: 5 }, () => RESUMED));
  assertEquals(await drain(store.inner, store.values.keys()), [1]);
});

Deno.test("an unlinkable pool stores no TLS 1.2 session, looks for none, and resumes 1.3", async () => {
  await using old = await startServer({ maxVersion: "TLSv1.2" });
  await using server = await startServer();
  const linkable = await makePool();
  await outcome(old, linkable.context);
  const { context, store } = await makePool({ unlinkable: true, store: linkable.store });
  const { put, peek } = store.calls;
  assertEquals(await outcome(old, context), full("none_stored"));
  assertEquals(await outcome(old, context), full("none_stored"));
  assertEquals([store.calls.put, store.calls.peek], [put, peek]);
  await outcome(server, context);
  assertEquals(await outcome(server, context), RESUMED);
});

Deno.test("a refusal drops the family, and what the full handshake brings is used next", async () => {
  for (const maxVersion of VERSIONS) {
    await using before = await startServer({ maxVersion, tickets: 4 });
    await using after = await startServer({ maxVersion, tickets: 2 });
    const { context, store, events } = await makePool();
    await outcome(before, context);
    assertEquals(await outcome(before, context), RESUMED);
    events.length = 0;
    assertEquals(await outcome(after, context), full("declined_by_peer"));
    const types = events.map(({ type }) => type);
    assertEquals(types.slice(0, 3), ["session_offered", "session_missed", "family_dropped"]);
    // Of the old family nothing is left: what is there is what came, and it resumes.
    const came = events.filter(({ type }) => type === "session_received").length;
    store.on.put = () => Promise.resolve();
    if (maxVersion === "TLSv1.3") {
      for (let i = 0; i < came; i++) assertEquals(await outcome(after, context), RESUMED);
      assertEquals(await outcome(after, context), full("none_stored"));
    } else {
      assertEquals(await outcome(after, context), RESUMED);
      assertEquals(await drain(store.inner, store.values.keys()), [1]);
    }
    assertEquals(context.stats().missReasons.declined_by_peer, 1);
  }
});

Deno.test("a refused ticket takes its family and older ones along, and leaves fresher ones", async () => {
  await using server = await startServer({ tickets: 3 });
  await using other = await startServer({ tickets: 3 });
  const { context, store } = await makePool({ ticketsPerServer: 8 });
  using clock = movedClock();
  let put: Uint8Array[] = [];
  store.on.put = (_partition, value) => Promise.resolve(void put.push(value));
  /** What a full handshake puts, ten seconds after the one before. */
  const family = async (at: { port: number }) => {
    put = [];
    clock.move(10);
    assertEquals(await outcome(at, context), full("none_stored"));
    assert(put.length >= 2, `${put.length} tickets`);
    return put;
  };
  const older = await family(server);
  const [refused, sibling] = await family(server);
  const fresher = (await family(other)).slice(0, 3);
  const values = [...fresher, older[0], sibling, refused];
  store.on.take = () => Promise.resolve(values.pop() ?? null);
  put = [];
  assertEquals(await outcome(other, context), full("declined_by_peer"));
  assertEquals(values.length, 0, "all were looked at");
  const hex = (list: Uint8Array[]) => list.map((value) => value.toHex());
  assertEquals(hex(put.slice(0, fresher.length)), hex(fresher), "put back in their order");
  for (const gone of hex([refused, sibling, older[0]])) assertFalse(hex(put).includes(gone));
  assert(put.length > fresher.length, "and what the new handshake brought");
  values.push(...put);
  assertEquals(await outcome(other, context), RESUMED);
});

Deno.test("purge() asks the store, and needs none that can", async () => {
  const store = new ScriptedStore();
  let purged = 0;
  const purging = Object.assign(Object.create(store), {
    purge: () => Promise.resolve(void purged++),
  });
  await (await makePool({ store: purging })).context.purge();
  assertEquals(purged, 1);
  await (await makePool({ store })).context.purge();
  const plain = new ClientContext({ caCerts: [caCert("ec")] });
  await plain.purge();
  await plain.settled();
  await plain.forget({ hostname: "localhost" });
  const { context } = await makePool();
  await assertRejects(() => context.forget({ hostname: "" }), TypeError);
  await assertRejects(() => context.forget({ hostname: "a", port: -1 }), TypeError);
  await assertRejects(() => context.forget({ hostname: "a", host: "b" } as never), TypeError);
});

Deno.test("events tell of a session what happens to it, in order", async () => {
  await using server = await startServer({ tickets: 1 });
  const { context, events } = await makePool({ ticketsPerServer: 1 });
  await outcome(server, context);
  await outcome(server, context);
  assertEquals(events.map(({ type }) => type), [
    "session_missed",
    "session_received",
    "session_offered",
    "session_resumed",
    "session_received",
  ]);
  const [missed, received, offered, resumed] = events;
  assertEquals(missed, {
    type: "session_missed",
    serverName: "localhost",
    reason: "none_stored",
  });
  assert(received.type === "session_received" && offered.type === "session_offered");
  assertEquals([received.serverName, offered.sessionId], ["localhost", received.sessionId]);
  assert(received.expiresAt.getTime() > Date.now());
  assertEquals(resumed, { type: "session_resumed", serverName: "localhost" });
});

Deno.test("an onDiagnostic that throws changes nothing", async () => {
  await using server = await startServer();
  await using other = await startServer();
  let calls = 0;
  const { context, store } = await makePool({}, {
    onDiagnostic() {
      calls++;
      throw new Error("of the callback");
    },
  });
  assertEquals(await outcome(server, context), full("none_stored"));
  assertEquals(await outcome(server, context), RESUMED);
  assertEquals(await outcome(other, context), full("declined_by_peer"));
  store.lookup(() => Promise.reject(new Error("of the store")));
  assertEquals(await outcome(other, context), full("store_error"));
  assert(calls >= 6, `${calls} calls`);
});

/**
 * Each reason of the closed list of `SessionMiss`, provoked: a full handshake, that reason in
 * `sessionMiss`, in `stats().missReasons` and in an event, and nothing else. The table is of every
 * reason there is, or it does not compile.
 */

import { assertEquals } from "@std/assert";
import { ClientContext } from "../../mod.ts";
import type { SessionMiss } from "../../src/handshake_info.ts";
import { movedClock } from "../interop/clock.ts";
import { rebound, visitAt, type VisitAtOptions } from "../server/client.ts";
import type { TestServer } from "../server/in_process.ts";
import { digestAnew, fieldRanges } from "../session/layout.ts";
import { caCert, crl } from "../testdata/mod.ts";
import { full, keysOf, makePool, outcome, RESUMED, startServer, type TestPool } from "./pool.ts";

/** What to connect with, and where to, for the reason. */
interface Provoked {
  pool: TestPool;
  options?: VisitAtOptions;
  server?: TestServer;
  end?: () => void;
}

/** A pool that has resumed once, with tickets left. */
async function warm(server: TestServer): Promise<TestPool> {
  const pool = await makePool();
  assertEquals(await outcome(server, pool.context), full("none_stored"));
  assertEquals(await outcome(server, pool.context), RESUMED);
  return pool;
}

/** A pool that was never used, and a session of its context, by hand. */
async function byHand(
  server: TestServer,
  options: Parameters<typeof makePool>[1] = {},
): Promise<{ pool: TestPool; session: string }> {
  const pool = await makePool({}, options);
  const context = new ClientContext({ caCerts: [caCert("ec")], ...options });
  const { client } = await visitAt(server, { context });
  return { pool, session: client.session! };
}

/** A second pool over the store of one that is warm. */
async function changed(server: TestServer, change: (value: Uint8Array) => Uint8Array) {
  const { store } = await warm(server);
  store.on.take = async (partition) => {
    const value = await store.inner.take(partition);
    return value && change(value);
  };
  return { pool: await makePool({ store }) };
}

const REASONS: Record<SessionMiss, (server: TestServer) => Promise<Provoked>> = {
  none_stored: async () => ({ pool: await makePool() }),
  async expired(server) {
    const { pool, session } = await byHand(server);
    return {
      pool,
      options: { session: rebound(session, { expiresAt: Math.floor(Date.now() / 1000) }) },
    };
  },
  async not_yet_valid(server) {
    const pool = await warm(server);
    const clock = movedClock();
    clock.move(-3600);
    return { pool, end: () => clock[Symbol.dispose]() };
  },
  async other_context(server) {
    const { session } = await byHand(server, { alpnProtocols: ["h2"] });
    return { pool: await makePool(), options: { session } };
  },
  async other_server(server) {
    const { pool, session } = await byHand(server);
    return { pool, options: { session: rebound(session, { port: 444 }) } };
  },
  async wrong_key(server) {
    const { store } = await warm(server);
    return { pool: await makePool({ store, keys: await keysOf(2, 1) }) };
  },
  tampered: (server) => changed(server, (value) => value.with(-1, value.at(-1)! ^ 1)),
  version: (server) => changed(server, (value) => value.with(0, 2)),
  async used_already(server) {
    const pool = await makePool();
    let first: Uint8Array | undefined;
    pool.store.on.put = (partition, value, options) => {
      first ??= value;
      return pool.store.inner.put(partition, value, options);
    };
    // Every look at the store gives what it gave the first time.
    pool.store.on.take = () => Promise.resolve(first ?? null);
    assertEquals(await outcome(server, pool.context), full("none_stored"));
    assertEquals(await outcome(server, pool.context), RESUMED);
    return { pool };
  },
  async chain_invalid() {
    const revoked = await startServer({ cert: "revoked" });
    const before = await makePool({}, { crls: [crl("ec_empty")] });
    assertEquals(await outcome(revoked, before.context), full("none_stored"));
    await revoked[Symbol.asyncDispose]();
    return { pool: await makePool({ store: before.store }, { crls: [crl("ec_revoked")] }) };
  },
  async verify_refused(server) {
    const pool = await makePool({}, { verify: ({ resumed }) => !resumed });
    assertEquals(await outcome(server, pool.context), full("none_stored"));
    return { pool };
  },
  async suite_unavailable(server) {
    const { pool, session } = await byHand(server);
    const bytes = Uint8Array.fromHex(session);
    const { end } = fieldRanges(bytes).find(({ name }) => name === "cipher_suite")!;
    // TLS_AES_128_CCM_SHA256, which no build has.
    return { pool, options: { session: digestAnew(bytes.with(end - 1, 0x04)).toHex() } };
  },
  async store_error() {
    const pool = await makePool();
    pool.store.lookup(() => Promise.reject(new Error("out of order")));
    return { pool };
  },
  async store_timeout() {
    const pool = await makePool({ timeout: 20 });
    pool.store.lookup(() => new Promise(() => {}));
    return { pool };
  },
  async declined_by_peer(server) {
    return { pool: await warm(server), server: await startServer() };
  },
};

const provoked = new Set<string>();

for (const reason of Object.keys(REASONS) as SessionMiss[]) {
  Deno.test(`sessionMiss, stats and an event say ${reason}, and the handshake is full`, async () => {
    await using server = await startServer();
    const { pool, options, server: other, end } = await REASONS[reason](server);
    const before = pool.context.stats();
    pool.events.length = 0;
    try {
      assertEquals(await outcome(other ?? server, pool.context, options), full(reason));
    } finally {
      end?.();
      await other?.[Symbol.asyncDispose]();
    }
    const { missReasons, connectGood, hits } = pool.context.stats();
    assertEquals(
      { ...missReasons, [reason]: (missReasons[reason] ?? 0) - 1 },
      { ...before.missReasons, [reason]: before.missReasons[reason] ?? 0 },
    );
    assertEquals([connectGood, hits], [before.connectGood + 1, before.hits]);
    const missed = pool.events.filter(({ type }) => type === "session_missed");
    assertEquals(missed, [{ type: "session_missed", serverName: "localhost", reason }]);
    provoked.add(reason);
  });
}

Deno.test("every reason was provoked by the tests above", () => {
  assertEquals([...provoked].sort(), Object.keys(REASONS).sort());
});

Deno.test("a connection that asks for no session has no reason", async () => {
  await using server = await startServer();
  const context = new ClientContext({ caCerts: [caCert("ec")] });
  assertEquals(await outcome(server, context), full(null));
  assertEquals(context.stats().missReasons, {});
});

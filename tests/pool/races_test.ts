/**
 * Connections that race for tickets: no TLS 1.3 ticket is offered twice, by one process or by two
 * on one store; and a pool that is warm resumes nearly all of them. What was offered is read from
 * the ClientHellos, on their way through a proxy.
 */

import { assert, assertEquals } from "@std/assert";
import { visit } from "../interop/visit.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { runScript } from "../peers/process.ts";
import { startTcpProxy } from "../peers/raw.ts";
import { startServer as startServerProcess } from "../server/server_process.ts";
import { needs } from "../skips.ts";
import { type Place, prepareStore } from "../stores/open.ts";
import { startRedis } from "../stores/redis_server.ts";
import type { Crowd, CrowdResult } from "./crowd_script.ts";
import { makePool, offeredTickets, secret, startServer } from "./pool.ts";

const script = new URL("./crowd_script.ts", import.meta.url);

function assertDistinct(tickets: string[]): void {
  assertEquals(new Set(tickets).size, tickets.length, "a ticket was offered twice");
}

Deno.test("20 connections at once on a pool of 4 offer 4 tickets, each once", async () => {
  await using server = await startServer({ tickets: 4 });
  await using proxy = startTcpProxy({ targetPort: server.port });
  const { context } = await makePool({ ticketsPerServer: 4 });
  const options = { port: proxy.port, context };
  await visit(options);
  await context.settled();
  const crowd = await Promise.all(Array.from({ length: 20 }, () => visit(options)));
  await context.settled();
  const tickets = offeredTickets(proxy);
  assertDistinct(tickets);
  assert(tickets.length >= 4, `${tickets.length} tickets were offered`);
  const reused = crowd.filter((each) => each.reused).length;
  assertEquals(reused, tickets.length, "each that was offered resumed");
  assertEquals(server.reports.filter(({ resumed }) => resumed).length, reused);
});

Deno.test("waves of connections never offer a ticket twice, and stay warm", async () => {
  await using server = await startDenoServer({ answer: "hello" });
  await using proxy = startTcpProxy({ targetPort: server.port });
  const { context } = await makePool({ ticketsPerServer: 16 });
  const options = { port: proxy.port, context };
  for (let i = 0; i < 8; i++) await visit(options);
  for (let wave = 0; wave < 6; wave++) {
    const crowd = await Promise.all(Array.from({ length: 5 }, () => visit(options)));
    await context.settled();
    assertEquals(crowd.map(({ miss }) => miss), Array.from({ length: 5 }, () => null));
  }
  const tickets = offeredTickets(proxy);
  assertDistinct(tickets);
  assertEquals(tickets.length, 7 + 30);
});

/** 200 connections of two processes over one store, after a first process has warmed it up. */
async function crowds(place: Place): Promise<void> {
  prepareStore(place);
  await using server = await startServerProcess({
    resumption: { mode: "tickets", keys: { from: "secret", secret: secret(3).toHex() } },
  });
  await using proxy = startTcpProxy({ targetPort: server.port });
  const input: Crowd = {
    place,
    secret: secret(4).toHex(),
    port: proxy.port,
    count: 16,
    parallel: 1,
    ticketsPerServer: 32,
  };
  const run = (change: Partial<Crowd>) =>
    runScript<CrowdResult>(script, {
      input: { ...input, ...change },
      flags: ["-A", "--no-check", "--unstable-kv"],
      timeout: 120_000,
    });
  const { misses: first } = await run({});
  assertEquals(first, ["none_stored", ...Array.from({ length: 15 }, () => null)]);
  const both = await Promise.all([0, 1].map(() => run({ count: 100, parallel: 4 })));
  assertEquals(new Set([Deno.pid, ...both.map(({ pid }) => pid)]).size, 3);
  const misses = both.flatMap((each) => each.misses);
  assertEquals(misses.length, 200);
  const resumed = misses.filter((miss) => miss === null).length;
  assert(resumed >= 190, `${resumed} of 200 resumed; else ${[...new Set(misses)]}`);
  const tickets = offeredTickets(proxy);
  assertDistinct(tickets);
  assertEquals(tickets.length, 15 + resumed);
  // The server counts, too.
  const { hits, acceptGood } = await server.stats();
  assertEquals([hits, acceptGood], [15 + resumed, 216]);
}

for (const kind of ["deno_kv", "file", "sqlite"] as const) {
  Deno.test(`two processes, one store, 200 connections: no ticket twice, 95% resumed: ${kind}`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await crowds({ kind, path: `${folder}/sessions` });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test({
  name: "two processes, one store, 200 connections: no ticket twice, 95% resumed: redis",
  ...needs("redis"),
  async fn() {
    await using redis = await startRedis();
    await crowds({ kind: "redis", port: redis.port });
  },
});

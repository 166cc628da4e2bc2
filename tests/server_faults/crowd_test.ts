/**
 * 500 connections at once, and a store that takes 5 ms for everything: none is lost, and when all
 * of them come again, all resume.
 */

import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { memoryStore, type SessionStore } from "../../mod.ts";
import { within } from "../engine/bounded.ts";
import { runScript } from "../peers/process.ts";
import { caCert } from "../testdata/mod.ts";
import type { CrowdInput, Wave } from "./crowd_script.ts";
import { startEchoServer, statefulContext, VERSIONS } from "./echo_server.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const CLIENTS = 500;
const LATENCY_MS = 5;
const LIMIT_MS = 120_000;

function slow(store: SessionStore): SessionStore {
  const later = () => new Promise((resolve) => setTimeout(resolve, LATENCY_MS));
  return {
    capabilities: store.capabilities,
    put: (...args) => later().then(() => store.put(...args)),
    take: (...args) => later().then(() => store.take(...args)),
    peek: (...args) => later().then(() => store.peek(...args)),
    delete: (...args) => later().then(() => store.delete(...args)),
  };
}

for (const { version } of VERSIONS) {
  Deno.test(`${version}: ${CLIENTS} connections at once, twice: none is lost`, async () => {
    const store = slow(memoryStore({ maxPartitions: 10_000 }));
    // On a busy machine all of them together take longer than one store's deadline.
    const context = statefulContext(store, { memory: 0 });
    await using server = await startEchoServer(context, { handshakeTimeout: LIMIT_MS });
    const input: CrowdInput = { port: server.port, ca: caCert("ec"), version, clients: CLIENTS };
    const script = new URL("./crowd_script.ts", import.meta.url);
    const [first, second] = await runScript<Wave[]>(script, { input, timeout: LIMIT_MS });

    const all = { echoed: CLIENTS, sessions: CLIENTS, errors: [] };
    const told = JSON.stringify(context.stats());
    assertEquals(first, { ...all, reused: 0 }, told);
    assertEquals(second, { ...all, reused: CLIENTS }, told);
    assertEquals(server.errors, []);
    await within(context.settled(), "settled()");
    const { accept, acceptGood, hits, cbHits, misses, missReasons, putsFailed, cacheFull } = context
      .stats();
    assertEquals({ accept, acceptGood, hits, cbHits, misses, missReasons, putsFailed, cacheFull }, {
      accept: 2 * CLIENTS,
      acceptGood: 2 * CLIENTS,
      hits: CLIENTS,
      cbHits: CLIENTS,
      misses: 0,
      missReasons: {},
      putsFailed: 0,
      cacheFull: 0,
    });
    assertGreaterOrEqual(context.stats().store.operations, 2 * CLIENTS);
  });
}

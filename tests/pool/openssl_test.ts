/**
 * A context that resumes by itself, against OpenSSL: in one process, and in a new one over a Deno
 * KV file; and that it asks for the tickets it wants (RFC 9149).
 */

import { assert, assertEquals, assertFalse } from "@std/assert";
import { ClientContext, SealingKeys } from "../../mod.ts";
import { denoKvStore } from "../../src/stores/deno_kv.ts";
import { clientHellos } from "../interop/hello.ts";
import {
  full as fullAt,
  RESUMED as RESUMED_AT,
  resumption,
  visit,
  visitOn,
} from "../interop/visit.ts";
import { startOpensslServer, type TlsVersion } from "../peers/openssl.ts";
import { runScript } from "../peers/process.ts";
import { startTcpProxy } from "../peers/raw.ts";
import { connectTo } from "../server/client.ts";
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";
import type { Crowd, CrowdResult } from "./crowd_script.ts";
import { keysOf, makePool, secret, startServer } from "./pool.ts";

const openssl = needs("openssl");
const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const caCerts = [caCert("ec")];
const script = new URL("./crowd_script.ts", import.meta.url);

const inNewProcess = (input: Crowd) =>
  runScript<CrowdResult>(script, { input, flags: ["-A", "--no-check", "--unstable-kv"] });

for (const version of VERSIONS) {
  Deno.test(`OpenSSL resumes from a pool in memory, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    const context = new ClientContext({ caCerts, resumption: "memory" });
    const options = { port: server.port, context };
    assertEquals(resumption(await visit(options)), fullAt("none_stored"));
    for (let i = 0; i < 3; i++) assertEquals(resumption(await visit(options)), RESUMED_AT);
    assertEquals(context.stats().missReasons, { none_stored: 1 });
  });

  Deno.test(`OpenSSL resumes from a pool over Deno KV, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    using kv = await Deno.openKv(":memory:");
    const context = new ClientContext({
      caCerts,
      resumption: { store: denoKvStore(kv), keys: await SealingKeys.generate(), timeout: 10_000 },
    });
    const options = { port: server.port, context };
    assertEquals(resumption(await visit(options)), fullAt("none_stored"));
    for (let i = 0; i < 3; i++) assertEquals(resumption(await visit(options)), RESUMED_AT);
  });

  Deno.test(`a new process resumes over a Deno KV file, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    const kv = await Deno.makeTempFile({ suffix: ".db" });
    try {
      const input = {
        place: { kind: "deno_kv" as const, path: kv },
        secret: secret(7).toHex(),
        port: server.port,
        count: 1,
        parallel: 1,
      };
      const first = await inNewProcess(input);
      assertEquals([first.misses, first.reusedAtServer], [["none_stored"], [false]]);
      const second = await inNewProcess(input);
      assertEquals([second.misses, second.reusedAtServer], [[null], [true]]);
      const unlinkable = await inNewProcess({ ...input, unlinkable: true });
      const resumes = version === "TLSv1.3";
      assertEquals(unlinkable.reusedAtServer, [resumes]);
      const other = await inNewProcess({ ...input, secret: secret(8).toHex() });
      assertEquals([other.misses, other.reusedAtServer], [["none_stored"], [false]]);
      assertEquals(new Set([first.pid, second.pid, other.pid, Deno.pid]).size, 4);
    } finally {
      for (const suffix of ["", "-shm", "-wal"]) {
        await Deno.remove(kv + suffix).catch(() => {});
      }
    }
  });

  Deno.test(
    `OpenSSL restarted with new ticket keys declines, then resumes, ${version}`,
    openssl,
    async () => {
      const { context } = await makePool();
      for (const reason of ["none_stored", "declined_by_peer"]) {
        // Each has keys of its own. To the client it is one server: see `connectTo`.
        await using server = await startOpensslServer({ version, www: "www" });
        const there = async () => resumption(await visitOn(await connectTo(server, { context })));
        assertEquals(await there(), fullAt(reason));
        for (let i = 0; i < 3; i++) assertEquals(await there(), RESUMED_AT);
      }
      assertEquals(context.stats().missReasons, { none_stored: 1, declined_by_peer: 1 });
    },
  );
}

Deno.test("a pool asks for as many tickets as it keeps (RFC 9149)", async () => {
  await using server = await startServer();
  await using proxy = startTcpProxy({ targetPort: server.port });
  const keys = await keysOf(1);
  for (const [ticketsPerServer, request] of [[1, "0101"], [4, "0402"], [64, "4002"]] as const) {
    const { context } = await makePool({ ticketsPerServer, keys });
    await visit({ port: proxy.port, context });
    await context.settled();
    const [hello] = clientHellos(proxy.connections.at(-1)!.fromClient());
    // ticket_request: new_session_count and resumption_count.
    assertEquals(hello.extensions.get(58)?.toHex(), request);
  }
});

Deno.test("who has no pool asks for no number of tickets", async () => {
  await using server = await startServer();
  await using proxy = startTcpProxy({ targetPort: server.port });
  await visit({ port: proxy.port, caCerts });
  const [hello] = clientHellos(proxy.connections[0].fromClient());
  assertFalse(hello.extensions.has(58));
  assert(hello.extensions.has(51), "it is a ClientHello");
});

/**
 * Guards: where the memory of an engine is out, the connection that needed more of it fails, by a code
 * of its own, and no other one; the next connection is made in another engine.
 *
 * @module
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import {
  acceptTls,
  ClientContext,
  ServerContext,
  startTls,
  type TlsConn,
  TlsError,
} from "../../src/api.ts";
import { currentEngine, provideEngine } from "../../src/engine_pool.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { within } from "./bounded.ts";
import { limitedModule } from "./limited_module.ts";

// Contexts and some dozen connections go into it.
provideEngine(await limitedModule(24));

const client = new ClientContext({ caCerts: [caCert("ec")] });
const server = new ServerContext(serverCert("ec_p256"));

/** A stream that takes some chunks before anybody reads. */
function pipe(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream(undefined, { highWaterMark: 64 }, { highWaterMark: 64 });
}

/** A connection, both ends of it. */
async function open(): Promise<[TlsConn, TlsConn]> {
  const up = pipe();
  const down = pipe();
  const accepting = acceptTls({ readable: up.readable, writable: down.writable }, {
    context: server,
  });
  accepting.catch(() => {});
  const starting = startTls({ readable: down.readable, writable: up.writable }, {
    hostname: "localhost",
    context: client,
  });
  starting.catch(() => {});
  return await within(Promise.all([starting, accepting]), "the handshake");
}

async function assertEchoes([a, b]: [TlsConn, TlsConn], length: number): Promise<void> {
  const message = new Uint8Array(length).map((_, i) => i * 7 >> 3);
  const received = new Uint8Array(length);
  for (const [from, to] of [[a, b], [b, a]]) {
    const writing = from.write(message);
    writing.catch(() => {});
    for (let n = 0; n < length;) n += (await within(to.read(received.subarray(n)), "bytes"))!;
    await writing;
    assertEquals(received, message);
  }
}

Deno.test("memory that is out fails the connection that needs it, and no other", async () => {
  const pairs: [TlsConn, TlsConn][] = [];
  const instances = new Set<unknown>();
  const codes = new Map<string, number>();
  for (let i = 0; i < 400; i++) {
    instances.add(currentEngine());
    try {
      pairs.push(await open());
    } catch (error) {
      assert(error instanceof TlsError, String(error));
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
    }
  }
  // The other end of a connection that failed sees its end.
  const expected = ["ERR_TLS_OUT_OF_MEMORY", "ERR_TLS_TRUNCATED"];
  assertEquals([...codes.keys()].filter((code) => !expected.includes(code)), []);
  assertGreater(codes.get("ERR_TLS_OUT_OF_MEMORY") ?? 0, 0);
  assertGreater(instances.size, 2);
  for (const instance of instances) {
    assertEquals((instance as ReturnType<typeof currentEngine>).panic, undefined);
  }
  assertGreater(pairs.length, 350);
  for (const pair of pairs) await assertEchoes(pair, 100);
  await Promise.all(pairs.flat().map((conn) => conn.close()));
  await assertEchoes(await open(), 100_000);
});

Deno.test("a connection that is sent too much for the memory fails alone", async () => {
  // Reads that fill their room make buffers grow, on both sides: one engine cannot have them all.
  const pairs: [TlsConn, TlsConn][] = [];
  for (let i = 0; i < 12; i++) pairs.push(await open());
  const outcomes = await Promise.allSettled(pairs.map((pair) => assertEchoes(pair, 3_000_000)));
  const failures = outcomes.filter((outcome) => outcome.status === "rejected");
  for (const { reason } of failures as PromiseRejectedResult[]) {
    assert(reason instanceof TlsError, String(reason));
    assert(["ERR_TLS_OUT_OF_MEMORY", "ERR_TLS_TRUNCATED"].includes(reason.code), reason.code);
  }
  assertGreater(failures.length, 0, "some of them had no memory");
  assertGreater(outcomes.length, failures.length, "and some came through");
  await Promise.all(pairs.flat().map((conn) => conn.close()));
  await assertEchoes(await open(), 100_000);
});

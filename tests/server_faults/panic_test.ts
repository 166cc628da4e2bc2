/**
 * A bug that stops the engine under a server: it fails the connections and handshakes of that
 * instance, at once; the listener goes on with a fresh one, under the same context and its sessions.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { connectTls, TlsError } from "../../mod.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { until, within } from "../engine/bounded.ts";
import {
  clientContext,
  type EchoServer,
  firstVisit,
  newest,
  startEchoServer,
  statefulContext,
  VERSIONS,
  visit,
} from "./echo_server.ts";
import { clientHello, RawClient, records } from "./raw_client.ts";
import { gate, ScriptedStore } from "./scripted_store.ts";

Deno.test.sanitizer({ ops: true, resources: true });

function panic(): void {
  const instance = currentEngine();
  const error = assertThrows(() => instance.call((exports) => exports.panic_for_test()), TlsError);
  assertEquals(error.code, "ERR_TLS_ENGINE_PANICKED");
  assert(currentEngine() !== instance);
}

/** All that failed at the server failed for the panic. */
function assertPanicked({ errors }: EchoServer, count: number): void {
  assertEquals(errors.map(({ code }) => code), Array(count).fill("ERR_TLS_ENGINE_PANICKED"));
}

Deno.test("a panic ends handshakes that the engine has begun, and the next one is served", async () => {
  await using server = await startEchoServer(statefulContext(new ScriptedStore()));
  using silent = await RawClient.connect(server.port);
  using halfway = await RawClient.connect(server.port);
  await halfway.send(records(await clientHello("TLSv1.3", server.port)));
  await halfway.receive();
  await until(() => server.context.stats().accept === 2, "both handshakes");
  panic();
  await halfway.receiveAll();
  await until(() => server.errors.length === 1, "the failure");
  assertPanicked(server, 1);
  // Whoever had sent nothing has nothing in that engine, and goes on with the next one.
  await silent.send(records(await clientHello("TLSv1.3", server.port)));
  assertEquals((await silent.receive())?.[0], 22, "a ServerHello");
  await visit(server.port, "TLSv1.3");
  assertPanicked(server, 1);
});

for (const { version, lookup } of VERSIONS) {
  Deno.test(`${version}: sessions outlive the engine that made them`, async () => {
    await using server = await startEchoServer(statefulContext(new ScriptedStore()));
    const session = await firstVisit(server, version);
    panic();
    assertEquals((await visit(server.port, version, session)).reused, true);
    assertEquals(newest(server), [true, null]);
  });

  Deno.test(`${version}: a panic while the store is asked fails that handshake`, async () => {
    const store = new ScriptedStore();
    await using server = await startEchoServer(statefulContext(store, { timeout: 20_000 }));
    const session = await firstVisit(server, version);
    const { passed, open } = gate();
    store.on[lookup] = (partition: string) => passed.then(() => store.inner[lookup](partition));
    // The client is in this process: its engine is gone as well.
    const waiting = visit(server.port, version, session);
    waiting.catch(() => {});
    await until(() => store.calls[lookup] === 1, "the lookup");
    panic();
    await assertRejects(() => within(waiting, "the client's end"), TlsError);
    open();
    await until(() => server.errors.length === 1, "the server's error");
    assertPanicked(server, 1);
    store.on = {};
    const next = await firstVisit(server, version);
    assertEquals((await visit(server.port, version, next)).reused, true);
  });

  Deno.test(`${version}: a panic while a session is put does not lose it`, async () => {
    const store = new ScriptedStore();
    await using server = await startEchoServer(statefulContext(store));
    const { passed, open } = gate();
    store.on.put = (...args: Parameters<typeof store.put>) =>
      passed.then(() => store.inner.put(...args));
    const { session } = await visit(server.port, version);
    panic();
    open();
    await within(server.context.settled(), "settled()");
    assertEquals((await visit(server.port, version, session)).reused, true);
  });
}

Deno.test("a panic fails the connections that were handed out, and only those", async () => {
  await using server = await startEchoServer(statefulContext(new ScriptedStore()));
  const connect = () =>
    connectTls({ hostname: "localhost", port: server.port, context: clientContext("TLSv1.3") });
  await using first = await connect();
  await until(() => server.conns.length === 1, "the first connection");
  panic();
  const error = await assertRejects(() => server.conns[0].write(new Uint8Array(1)), TlsError);
  assertEquals(error.code, "ERR_TLS_ENGINE_PANICKED");
  await within(server.conns[0].close(), "the close");

  await using second = await connect();
  await within(first.close(), "the end of the first client");
  await second.write(new Uint8Array(3));
  const n = await within(second.read(new Uint8Array(10)), "the echo");
  assert(n !== null && n > 0);
  assertPanicked(server, 0);
});

Deno.test("panics one after the other leave a server that serves", async () => {
  await using server = await startEchoServer(statefulContext(new ScriptedStore()));
  for (let i = 0; i < 5; i++) {
    panic();
    const session = await firstVisit(server, "TLSv1.3");
    panic();
    assertEquals((await visit(server.port, "TLSv1.3", session)).reused, true);
  }
  assertPanicked(server, 0);
});

/**
 * Guards: what becomes of the example where something is wrong: stores that are down or slow,
 * requests that end early, servers that refuse. And that loading it starts no engine.
 */

import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { within } from "../engine/bounded.ts";
import { reusedByPage, startOpensslServer } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";
import { type Example, installExample } from "./example.ts";
import { visitTunnel } from "./tunnel.ts";
import { type Bindings, bindings, startWorker, type WorkerProcess } from "./worker_process.ts";

// The connections to workerd are those of fetch, which keeps them beyond a test.
Deno.test.sanitizer({ ops: false, resources: false });

const AROUND = ["around.js", "counted.js"].map((name) => join(import.meta.dirname!, name));

let example: Example;
let bundled: string;
Deno.test.beforeAll(async () => {
  example = await installExample();
  ({ bundled } = await example.bundle());
});
Deno.test.afterAll(async () => await example?.[Symbol.asyncDispose]());

/** Starts the Worker over objects of its own. */
async function start(backendPort: number, more: Bindings = {}): Promise<WorkerProcess> {
  const persist = await Deno.makeTempDir({ prefix: "reprise-objects-" });
  const remove = () => Deno.remove(persist, { recursive: true });
  try {
    const all = bindings(backendPort, more);
    const worker = await startWorker({ bundled, around: AROUND, persist, bindings: all });
    return {
      ...worker,
      async [Symbol.asyncDispose]() {
        await worker[Symbol.asyncDispose]();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function counts(worker: WorkerProcess) {
  return await (await fetch(new URL("counts", worker.url))).json();
}

async function failure(worker: WorkerProcess) {
  const response = await fetch(new URL("backend", worker.url));
  const { code, alert } = await response.json();
  return { status: response.status, code, alert };
}

Deno.test(
  "no engine is started before a connection needs it, and then one for all",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ www: "www" });
    await using worker = await start(server.port);
    const none = { compiled: 0, instantiated: 0 };
    const once = { compiled: 0, instantiated: 1 };
    assertEquals((await fetch(worker.url)).status, 404);
    assertEquals((await fetch(new URL("tunnel", worker.url))).status, 404);
    assertEquals(await counts(worker), { whenLoaded: none, now: none });
    await worker.ask();
    assertEquals(await counts(worker), { whenLoaded: none, now: once });
    await worker.ask();
    await visitTunnel(worker.tunnel, "TLSv1.3");
    assertEquals(await counts(worker), { whenLoaded: none, now: once });
  },
);

Deno.test(
  "a put that is slower than the response is complete, as waitUntil waits for it",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ www: "www", numTickets: 1 });
    await using worker = await start(server.port);
    await worker.ask(); // the first one takes longer
    const started = performance.now();
    assertEquals((await worker.ask("?put=3000")).resumed, true);
    assertLess(performance.now() - started, 2_500);
    await pause(5_000);
    const { resumed, miss } = await worker.ask();
    assertEquals([resumed, miss], [true, null]);
  },
);

Deno.test(
  "without waitUntil what was received is lost with the request",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ www: "www", numTickets: 1 });
    await using worker = await start(server.port);
    await worker.ask("?noWait&put=1000");
    await pause(2_000);
    assertEquals((await worker.ask("?put=1000")).miss, "none_stored");
    await pause(3_000);
    assertEquals((await worker.ask()).miss, null);
  },
);

Deno.test("a store that is down costs a full handshake", needs("openssl"), async () => {
  await using server = await startOpensslServer({ www: "www" });
  await using worker = await start(server.port);
  for (let i = 0; i < 3; i++) {
    const { resumed, miss, answer } = await worker.ask("?down");
    assertEquals([resumed, miss, reusedByPage(answer)], [false, "store_error", false]);
  }
  assertEquals((await worker.ask()).miss, "none_stored");
  assertEquals((await worker.ask()).resumed, true);
});

Deno.test(
  "a store that is slow costs its time limit and a full handshake",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ www: "www" });
    await using worker = await start(server.port);
    await worker.ask();
    const started = performance.now();
    const { resumed, miss } = await within(worker.ask("?take=20000"), "the answer");
    assertEquals([resumed, miss], [false, "store_timeout"]);
    assertLess(performance.now() - started, 5_000);
  },
);

Deno.test("a server under another authority is refused by name", needs("openssl"), async () => {
  await using server = await startOpensslServer({ www: "www" });
  await using worker = await start(server.port, { BACKEND_CA: caCert("other") });
  assertEquals(await failure(worker), {
    status: 502,
    code: "ERR_TLS_CERT_UNKNOWN_ISSUER",
    alert: "unknown_ca",
  });
});

for (
  const [version, alert] of [
    ["TLSv1.2", "handshake_failure"],
    ["TLSv1.3", "certificate_required"],
  ] as const
) {
  Deno.test(
    `${version}: without a client certificate the server's refusal is told`,
    needs("openssl"),
    async () => {
      await using server = await startOpensslServer({ version, www: "www", clientAuth: true });
      const none = { CLIENT_CERT: undefined, CLIENT_KEY: undefined };
      await using worker = await start(server.port, none);
      const code = "ERR_TLS_ALERT_RECEIVED";
      assertEquals(await failure(worker), { status: 502, code, alert });
    },
  );
}

Deno.test("a backend that is not there is told", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  await using worker = await start(port);
  const { status, code } = await failure(worker);
  assertEquals([status, code], [502, "ERR_TLS_TRANSPORT"]);
});

Deno.test("what is tunnelled and is no TLS is refused, and the Worker serves on", async () => {
  await using worker = await start(1);
  for (const garbage of [new Uint8Array(100), "text", new TextEncoder().encode("GET / HTTP/1.1")]) {
    const socket = new WebSocket(worker.tunnel);
    const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
    socket.addEventListener("open", () => socket.send(garbage));
    await within(closed, "the socket is closed");
  }
  assertStringIncludes(worker.log(), "No tunnel: ERR_TLS_");
  assert(!worker.log().includes("Uncaught"), worker.log());
  assertEquals((await visitTunnel(worker.tunnel, "TLSv1.3")).client.resumed, false);
});

Deno.test("a tunnel is refused while there is no ring to begin with, and served after", async () => {
  await using worker = await start(1);
  const socket = new WebSocket(`${worker.tunnel}?down`);
  socket.addEventListener("error", (event) => event.preventDefault());
  const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
  await within(closed, "the socket is closed");
  assertEquals((await visitTunnel(worker.tunnel, "TLSv1.3")).client.resumed, false);
});

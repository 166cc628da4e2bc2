/**
 * Guards: the example, as its user has it, in two processes of workerd that have nothing in common
 * but the folder of its Durable Objects: what one began, the other resumes, in both directions.
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { SealingKeys, TicketKeys, TlsError } from "../../mod.ts";
import { contents } from "../keys/ring.ts";
import {
  opensslClient,
  reusedByPage,
  startOpensslServer,
  type TlsVersion,
} from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { type Example, installExample } from "./example.ts";
import { served, startRelay, visitTunnel } from "./tunnel.ts";
import { type Asked, bindings, SECRET, startWorker, type WorkerProcess } from "./worker_process.ts";

// The connections to workerd are those of fetch, which keeps them beyond a test.
Deno.test.sanitizer({ ops: false, resources: false });

const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];

let example: Example;
let bundled: string;
let said: string;
Deno.test.beforeAll(async () => {
  example = await installExample();
  ({ bundled, said } = await example.bundle());
});
Deno.test.afterAll(async () => await example?.[Symbol.asyncDispose]());

/** A folder for objects, which both processes have. */
async function objects() {
  const folder = await Deno.makeTempDir({ prefix: "reprise-objects-" });
  return { folder, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

const start = (persist: string, backendPort = 1): Promise<WorkerProcess> =>
  startWorker({ bundled, persist, bindings: bindings(backendPort) });

/** Runs with one process after the other, over the same objects. */
async function inTwoProcesses<T>(
  port: number,
  visit: (worker: WorkerProcess, process: number) => Promise<T>,
): Promise<[T, T]> {
  await using persist = await objects();
  const pids = new Set<number>();
  const results: T[] = [];
  for (const process of [1, 2]) {
    await using worker = await start(persist.folder, port);
    pids.add(worker.pid);
    results.push(await visit(worker, process));
    await worker.end();
  }
  assertEquals(pids.size, 2);
  return results as [T, T];
}

function how({ protocol, resumed, miss, answer }: Asked) {
  return { protocol, resumed, miss, atServer: reusedByPage(answer) };
}

Deno.test("the example type-checks against the package and the types of Workers", async () => {
  await example.checkTypes();
  const file = join(example.folder, "worker.ts");
  const source = await Deno.readTextFile(file);
  try {
    await Deno.writeTextFile(file, source.replace("caCerts: [env.BACKEND_CA]", "caCert: 1"));
    await assertRejects(() => example.checkTypes(), Error, "'caCert' does not exist");
  } finally {
    await Deno.writeTextFile(file, source);
  }
});

Deno.test("wrangler takes its configuration, with the object bound", () => {
  assertStringIncludes(said, "env.SESSIONS (SessionStoreObject)");
  assert(!/warn/i.test(said), said);
});

for (const version of VERSIONS) {
  Deno.test(
    `${version}: process 2 resumes at OpenSSL what process 1 kept in the Durable Object`,
    needs("openssl"),
    async () => {
      await using server = await startOpensslServer({ version, www: "www", clientAuth: true });
      const [first, second] = await inTwoProcesses(server.port, (worker) => worker.ask());
      const protocol = version;
      assertEquals(how(first), { protocol, resumed: false, miss: "none_stored", atServer: false });
      assertEquals(how(second), { protocol, resumed: true, miss: null, atServer: true });
      for (const { answer } of [first, second]) assertStringIncludes(answer, "CN=client ec");
    },
  );

  Deno.test(`${version}: process 2 resumes by the ticket that process 1 gave to Reprise`, async () => {
    let session: Uint8Array | undefined;
    const [first, second] = await inTwoProcesses(1, async ({ tunnel }) => {
      const visit = await visitTunnel(tunnel, version, session);
      session = visit.session!;
      return visit;
    });
    const full = { protocol: version, resumed: false, miss: null };
    const resumed = { protocol: version, resumed: true, miss: null };
    assertEquals([first.client, first.worker], [full, full]);
    assertEquals([second.client, second.worker], [resumed, resumed]);
  });

  Deno.test(
    `${version}: process 2 resumes by the ticket that process 1 gave to OpenSSL`,
    needs("openssl"),
    async () => {
      const file = await Deno.makeTempFile();
      try {
        const [first, second] = await inTwoProcesses(1, async ({ tunnel }, process) => {
          await using relay = startRelay(tunnel);
          return await opensslClient({
            port: relay.port,
            version,
            stdin: "GET / HTTP/1.0\r\n\r\n",
            ...(process === 1 ? { sessOut: file } : { sessIn: file }),
          });
        });
        assertEquals([first.reused, served(first.stdout).resumed], [false, false]);
        assertEquals([second.reused, served(second.stdout).resumed], [true, true]);
        assertEquals(served(second.stdout).protocol, version);
      } finally {
        await Deno.remove(file);
      }
    },
  );
}

Deno.test("a ticket of one Worker is worth nothing at one that has other objects", async () => {
  await using here = await objects();
  await using there = await objects();
  await using one = await start(here.folder);
  await using other = await start(there.folder);
  const { session } = await visitTunnel(one.tunnel, "TLSv1.3");
  const { client, worker } = await visitTunnel(other.tunnel, "TLSv1.3", session!);
  assertEquals([client.resumed, worker.resumed], [false, false]);
});

Deno.test("the ring is sealed: in what the object gives, and on the disk", async () => {
  await using persist = await objects();
  const around = ["around.js", "counted.js"].map((name) => join(import.meta.dirname!, name));
  let value: Uint8Array;
  {
    await using worker = await startWorker({
      bundled,
      around,
      persist: persist.folder,
      bindings: bindings(1),
    });
    await visitTunnel(worker.tunnel, "TLSv1.3");
    value = await (await fetch(new URL("ring", worker.url))).bytes();
    await worker.end();
  }
  const store = {
    load: () => Promise.resolve({ version: "1", value }),
    compareAndSet: () => Promise.reject(new Error("the ring is as it should be")),
  };
  const ring = await TicketKeys.shared(store, { keys: await SealingKeys.fromSecret(SECRET) });
  const secrets = contents(ring).map(({ key }) => key.toHex());
  assert(secrets.length > 0);
  const other = await SealingKeys.fromSecret(SECRET.toReversed());
  await assertRejects(() => TicketKeys.shared(store, { keys: other }), TlsError, "cannot be used");

  const files = await filesUnder(persist.folder);
  assert(files.some((hex) => hex.includes(value.toHex())), "the sealed ring is on the disk");
  for (const hex of [value.toHex(), ...files]) {
    for (const secret of secrets) assert(!hex.includes(secret));
  }
});

/** Everything that is kept, in hexadecimal; what the test itself put there is left out. */
async function filesUnder(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) found.push(...await filesUnder(path));
    else if (!name.endsWith(".json")) found.push((await Deno.readFile(path)).toHex());
  }
  return found;
}

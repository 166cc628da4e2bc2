/**
 * Guards: closed connections give their wasm memory back, whatever they were closed in the middle
 * of; what a connection holds while it is open is bounded, too.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { ClientContext, connectTls } from "../../mod.ts";
import { ClientEngine } from "../../src/client_engine.ts";
import { EngineInstance } from "../../src/engine.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { startGarbageServer } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";
import { within } from "./bounded.ts";
import module from "../../src/entrypoints/wasm_deno.js";

Deno.test.sanitizer({ ops: true, resources: true });

const PAGE = 64 * 1024;
const hostname = "127.0.0.1";
const context = new ClientContext({ caCerts: [caCert("ec")] });

function memory(): number {
  return currentEngine().memory.buffer.byteLength;
}

async function beginAndFree(times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const { connection } = await ClientEngine.begin({
      context,
      // Of each server no more is remembered than is bounded.
      serverName: `host-${i}.example`,
      port: 443,
    });
    connection.inputSpace();
    assert(connection.pollTransmit() !== undefined);
    connection.free();
  }
}

Deno.test("10,000 handshakes begun and freed leave the memory as it was", async () => {
  await beginAndFree(200);
  const before = memory();
  await beginAndFree(9_800);
  assertEquals(memory(), before);
});

Deno.test("many connections at once take memory, and give it to the next ones", async () => {
  const many = async () => {
    const clients: ClientEngine[] = [];
    for (let i = 0; i < 300; i++) {
      const client = await ClientEngine.begin({ context, serverName: "localhost", port: 443 });
      client.connection.inputSpace();
      clients.push(client);
    }
    for (const { connection } of clients) connection.free();
  };
  await many();
  const before = memory();
  for (let round = 0; round < 5; round++) await many();
  // Blocks of other sizes may lie between: a little slack, not a connection's worth of each.
  assertLessOrEqual(memory(), before + 4 * PAGE);
});

Deno.test("hundreds of connections to a real server leave the memory as it was", async () => {
  await using server = await startDenoServer();
  const options = { hostname, port: server.port };
  const contexts = [
    context,
    new ClientContext({ caCerts: [caCert("ec")], maxVersion: "TLSv1.2" }),
  ];
  const bytes = new Uint8Array(20_000);
  const buffer = new Uint8Array(64 * 1024);
  const visit = async (times: number) => {
    for (let i = 0; i < times; i++) {
      const under = contexts[i % 2];
      const conn = await connectTls({ ...options, context: under });
      await conn.write(bytes);
      for (let n = 0; n < bytes.length;) n += (await within(conn.read(buffer), "the echo"))!;
      const session = await conn.getSession();
      await conn.close();
      const again = await connectTls({ ...options, context: under, session: session! });
      if (i % 3 > 0) await again.write(bytes); // its echo is not read
      await again.close();
    }
  };
  await visit(10);
  const before = memory();
  await visit(100);
  assertLessOrEqual(memory(), before + PAGE);
});

Deno.test("handshakes that fail leave the memory as it was", async () => {
  await using server = await startDenoServer({ cert: "other_ca" });
  await using garbage = startGarbageServer();
  const fail = async (times: number) => {
    for (let i = 0; i < times; i++) {
      const { port } = i % 2 === 0 ? server : garbage;
      const failed = connectTls({ hostname, port, context });
      await within(failed.then(() => assert(false), () => {}), "the handshake fails");
    }
  };
  await fail(10);
  const before = memory();
  await fail(150);
  assertLessOrEqual(memory(), before + PAGE);
});

Deno.test(
  "a connection that is not read holds a bounded part of what it is sent",
  needs("openssl"),
  async () => {
    const cwd = await Deno.makeTempDir();
    try {
      await Deno.writeFile(`${cwd}/file.bin`, new Uint8Array(8 * 1024 * 1024));
      await using server = await startOpensslServer({ version: "TLSv1.2", www: "WWW", cwd });
      const before = memory();
      await using conn = await connectTls({ hostname, port: server.port, context });
      await conn.write(new TextEncoder().encode("GET /file.bin HTTP/1.0\r\n\r\n"));
      const ahead = conn.sessions();
      await ahead.next(); // the ticket of 1.2 is there already
      const next = ahead.next(); // reads ahead until there is no room
      await new Promise((resolve) => setTimeout(resolve, 300));
      assertLess(memory(), before + 1024 * 1024);
      const buffer = new Uint8Array(100_000);
      let length = 0;
      for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) length += n;
      assertLess(8 * 1024 * 1024, length);
      assertEquals((await within(next, "sessions() ends with the connection")).done, true);
    } finally {
      await Deno.remove(cwd, { recursive: true });
    }
  },
);

Deno.test("instances have memories of their own", () => {
  const [one, other] = [new EngineInstance(module), new EngineInstance(module)];
  assert(one.memory !== other.memory);
  const before = other.memory.buffer.byteLength;
  one.memory.grow(1);
  assertEquals(other.memory.buffer.byteLength, before);
});

/**
 * Guards: bytes that a caller, a callback or a store gave, and that are gone, are an error of theirs:
 * they never reach the engine, and no other connection ends for them.
 *
 * @module
 */

import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import {
  acceptTls,
  ClientContext,
  inspectSession,
  SealingKeys,
  ServerContext,
  type ServerContextOptions,
  Session,
  startTls,
  TicketKeys,
  type TlsConn,
} from "../../mod.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { within } from "./bounded.ts";

/** A byte array whose buffer was transferred. */
function detached(): Uint8Array {
  const bytes = new Uint8Array(100).fill(1);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

/** A byte array whose buffer shrank below it. */
function outOfBounds(): Uint8Array {
  const buffer = new ArrayBuffer(100, { maxByteLength: 100 });
  const bytes = new Uint8Array(buffer, 50, 50);
  buffer.resize(10);
  return bytes;
}

/** A stream that takes some chunks before anybody reads. */
function pipe(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream(undefined, { highWaterMark: 16 }, { highWaterMark: 16 });
}

const GONE = { detached, outOfBounds };

async function open(
  client: ClientContext,
  server: ServerContext,
  options: { earlyData?: Uint8Array; session?: Uint8Array } = {},
): Promise<[TlsConn, TlsConn]> {
  const up = pipe();
  const down = pipe();
  return await within(
    Promise.all([
      startTls({ readable: down.readable, writable: up.writable }, {
        hostname: "localhost",
        context: client,
        ...options,
      }),
      acceptTls({ readable: up.readable, writable: down.writable }, { context: server }),
    ]),
    "the handshake",
  );
}

const CLIENT = new ClientContext({ caCerts: [caCert("ec")] });
const server = (options: Partial<ServerContextOptions> = {}) =>
  new ServerContext({ ...serverCert("ec_p256"), ...options });

/** Runs something with an innocent connection beside it, which goes on. */
async function beside(action: () => Promise<void>): Promise<void> {
  const [a, b] = await open(CLIENT, server());
  const instance = currentEngine();
  await action();
  assertEquals(instance.panic, undefined);
  const buffer = new Uint8Array(10);
  await Promise.all([a.write(new Uint8Array([7])), b.read(buffer)]);
  assertEquals(buffer[0], 7);
  await Promise.all([a.close(), b.close()]);
}

for (const [name, gone] of Object.entries(GONE)) {
  Deno.test(`arguments whose bytes are gone are TypeErrors, ${name}`, async () => {
    await beside(async () => {
      const keys = await SealingKeys.generate();
      await assertRejects(() => Session.open(gone(), keys), TypeError);
      await assertRejects(async () => await Session.fromBytes(gone()), TypeError);
      await assertRejects(async () => await inspectSession(gone(), keys), TypeError);
      await assertRejects(() => SealingKeys.fromSecret(gone()), TypeError);
      await assertRejects(() => SealingKeys.fromBytes(gone()), TypeError);
      await assertRejects(() => TicketKeys.fromSecret(gone()), TypeError);
      await assertRejects(() => TicketKeys.fromBytes(gone()), TypeError);
      await assertRejects(
        () => Promise.resolve().then(() => server({ ocspResponse: gone() })),
        TypeError,
      );
      await assertRejects(() => open(CLIENT, server(), { session: gone() }), TypeError);
      await assertRejects(() => open(CLIENT, server(), { earlyData: gone() }), TypeError);
      const [a, b] = await open(CLIENT, server());
      await assertRejects(() => a.write(gone()), TypeError);
      await assertRejects(() => a.read(gone()), TypeError);
      await Promise.all([a.close(), b.close()]);
    });
  });

  Deno.test(`a client's store that gives bytes that are gone costs a full handshake, ${name}`, async () => {
    await beside(async () => {
      const keys = await SealingKeys.generate();
      const store = { ...memoryStore(), take: () => Promise.resolve(gone()) };
      const context = new ClientContext({ caCerts: [caCert("ec")], resumption: { store, keys } });
      const [a, b] = await open(context, server());
      assertEquals([a.sessionReused, a.sessionMiss], [false, "store_error"]);
      await Promise.all([a.close(), b.close()]);
    });
  });

  Deno.test(`a server's store that gives bytes that are gone costs a full handshake, ${name}`, async () => {
    await beside(async () => {
      const keys = await SealingKeys.generate();
      const inner = memoryStore();
      let lies = false;
      const store = {
        ...inner,
        take: (partition: string) => lies ? Promise.resolve(gone()) : inner.take(partition),
      };
      const stateful = server({ resumption: { mode: "stateful", store, keys } });
      const [a, b] = await open(CLIENT, stateful);
      const session = (await a.getSession())!;
      await Promise.all([a.close(), b.close()]);
      lies = true;
      const [c, d] = await open(CLIENT, stateful, { session: session.toBytes() });
      assertFalse(c.sessionReused);
      assertEquals(d.sessionMiss, "store_error");
      await Promise.all([c.close(), d.close()]);
    });
  });

  Deno.test(`session data whose bytes are gone ends that handshake alone, ${name}`, async () => {
    await beside(async () => {
      const keys = await SealingKeys.generate();
      const resumption = { mode: "stateful", store: memoryStore(), keys } as const;
      const context = server({ resumption, sessionData: () => gone() });
      const outcome = await Promise.allSettled([open(CLIENT, context)]);
      assertEquals(outcome[0].status, "rejected");
      assert(currentEngine().panic === undefined);
    });
  });

  Deno.test(`a ring's store that gives bytes that are gone is an error of the ring, ${name}`, async () => {
    await beside(async () => {
      const keys = await SealingKeys.generate();
      const store = {
        load: () => Promise.resolve({ version: "1", value: gone() }),
        compareAndSet: () => Promise.resolve(true),
      };
      await assertRejects(() => TicketKeys.shared(store, { keys }));
    });
  });
}

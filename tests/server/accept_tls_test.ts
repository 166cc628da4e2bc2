/**
 * `acceptTls`: the same server over any byte stream, a TCP connection that somebody else accepted or
 * a pipe within the process; and what ends a handshake there.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  acceptTls,
  type AcceptTlsOptions,
  type ByteStreams,
  type KeyRingStore,
  SealingKeys,
  ServerContext,
  type ServerContextOptions,
  startTls,
  type StartTlsOptions,
  TicketKeys,
  type TlsConn,
  TlsError,
} from "../../mod.ts";
import { movedClock } from "../interop/clock.ts";
import { bounded, readAll } from "../interop/visit.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { VERSIONS } from "./client.ts";
import { sharedResumption } from "./shared.ts";

const CERT = serverCert("ec_p256");
const CONTEXT = new ServerContext(CERT);
const CLIENT: StartTlsOptions = { hostname: "localhost", caCerts: [caCert("ec")] };

/** Two ends of a pipe. */
function pipe(): [ByteStreams, ByteStreams] {
  const [up, down] = [new TransformStream<Uint8Array>(), new TransformStream<Uint8Array>()];
  return [
    { readable: down.readable, writable: up.writable },
    { readable: up.readable, writable: down.writable },
  ];
}

for (const version of VERSIONS) {
  const limits = { minVersion: version, maxVersion: version };

  Deno.test(`client and server speak over a pipe, and resume, ${version}`, async () => {
    const resumption = await sharedResumption("stateful");
    const context = new ServerContext({ ...CERT, resumption });
    let session: Uint8Array | undefined;
    for (const expected of [false, true, true]) {
      const [near, far] = pipe();
      const [client, server] = await bounded(
        Promise.all([
          startTls(near, { ...CLIENT, ...limits, session }),
          acceptTls(far, { context }),
        ]),
        "the handshake",
      );
      assertEquals([client.sessionReused, server.sessionReused], [expected, expected]);
      const exchange = async () => {
        // A pipe holds nothing: who only writes waits for who only writes.
        const write = async (conn: TlsConn, text: string) => {
          await conn.write(new TextEncoder().encode(text));
          await conn.closeWrite();
        };
        const [ping, pong] = await Promise.all([
          readAll(server),
          readAll(client),
          write(client, "ping"),
          write(server, "pong"),
        ]);
        assertEquals([ping, pong].map((each) => new TextDecoder().decode(each)), ["ping", "pong"]);
        await context.settled();
        session = (await client.getSession())!.toBytes();
        await Promise.all([client.close(), server.close()]);
      };
      await bounded(exchange(), "the exchange");
    }
  });

  Deno.test(`a TCP connection of Deno.listen is accepted, ${version}`, async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const [near, far] = await Promise.all([
      Deno.connect({ hostname: "127.0.0.1", port }),
      listener.accept(),
    ]);
    const [client, server] = await bounded(
      Promise.all([
        startTls(near, { ...CLIENT, ...limits }),
        acceptTls(far, { context: CONTEXT }),
      ]),
      "the handshake",
    );
    await using _closing = client;
    await using _too = server;
    await server.write(new TextEncoder().encode("hello"));
    await server.closeWrite();
    assertEquals(new TextDecoder().decode(await bounded(readAll(client), "the bytes")), "hello");
  });
}

Deno.test("over a stream without a buffer the client may speak first", async () => {
  const resumption = await sharedResumption("tickets");
  const context = new ServerContext({ ...CERT, resumption });
  const [near, far] = pipe();
  const server = (async () => {
    await using conn = await acceptTls(far, { context });
    const buffer = new Uint8Array(100);
    await conn.write(buffer.subarray(0, (await conn.read(buffer))!));
  })();
  const client = (async () => {
    await using conn = await startTls(near, CLIENT);
    // The server has tickets to send, which nobody reads yet.
    await conn.write(new TextEncoder().encode("hello"));
    return new TextDecoder().decode(await readAll(conn));
  })();
  assertEquals(await bounded(client, "the answer"), "hello");
  await bounded(server, "the server's end");
});

Deno.test("an abort ends the handshake with its reason, and the streams with it", async () => {
  const [near, far] = pipe();
  const abort = new AbortController();
  const accepting = acceptTls(far, { context: CONTEXT, signal: abort.signal });
  const reason = new Error("changed my mind");
  abort.abort(reason);
  assertEquals(await assertRejects(() => bounded(accepting, "the abort")), reason);
  assertEquals((await near.readable.getReader().read()).done, true);
});

Deno.test("a signal that was aborted before is heard", async () => {
  const [, far] = pipe();
  const reason = new Error("too late");
  const accepting = acceptTls(far, { context: CONTEXT, signal: AbortSignal.abort(reason) });
  assertEquals(await assertRejects(() => bounded(accepting, "the abort")), reason);
});

Deno.test("a handshake that does not end is given up", async () => {
  const [near, far] = pipe();
  const error = await assertRejects(
    () => bounded(acceptTls(far, { context: CONTEXT, handshakeTimeout: 100 }), "the timeout"),
    TlsError,
  );
  assertEquals([error.code, error.origin], ["ERR_TLS_HANDSHAKE_TIMEOUT", "peer"]);
  assertEquals((await near.readable.getReader().read()).done, true);
});

/** Options of a context whose answer to something is waited for, until the test gives it. */
const WAITING: [string, (wait: () => Promise<null>) => Promise<ServerContextOptions>][] = [
  ["a certificate", (sni) => Promise.resolve({ ...CERT, sni })],
  ["session data", async (sessionData) => ({
    ...CERT,
    sessionData,
    resumption: await sharedResumption("stateful"),
  })],
  ["ticket keys", async (wait) => {
    const keys = await SealingKeys.generate();
    let stored: Uint8Array | undefined;
    const store: KeyRingStore = {
      async load() {
        if (stored !== undefined) await wait();
        return stored === undefined ? null : { version: "1", value: stored };
      },
      compareAndSet(_, value) {
        stored = value;
        return Promise.resolve(true);
      },
    };
    // Keys of a day ago, which have ended: the ring is waited for.
    using clock = movedClock();
    clock.move(-24 * 60 * 60);
    const ticketKeys = await TicketKeys.shared(store, { keys, rotateEvery: 60_000 });
    return { ...CERT, resumption: { mode: "tickets", ticketKeys } };
  }],
];

for (const [what, options] of WAITING) {
  Deno.test(`an abort while ${what} is waited for ends that handshake alone`, async () => {
    const abort = new AbortController();
    const reason = new Error("changed my mind");
    const answer = Promise.withResolvers<null>();
    const asked = Promise.withResolvers<void>();
    const context = new ServerContext(
      await options(() => {
        asked.resolve();
        return answer.promise;
      }),
    );
    const [ours, theirs] = pipe();
    const [bystander, served] = await bounded(
      Promise.all([startTls(ours, CLIENT), acceptTls(theirs, { context: CONTEXT })]),
      "another handshake",
    );
    const [near, far] = pipe();
    const connecting = startTls(near, CLIENT).catch((error) => error);
    const accepting = acceptTls(far, { context, signal: abort.signal });
    accepting.catch(() => {});
    await bounded(asked.promise, "the question");
    abort.abort(reason);
    assertEquals(await assertRejects(() => bounded(accepting, "the abort")), reason);
    assert(await bounded(connecting, "the client's end") instanceof TlsError);
    // Nothing comes of an answer that comes too late.
    answer.resolve(null);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assertEquals(context.stats().acceptGood, 0);
    const speak = async () => {
      await served.write(new TextEncoder().encode("still here"));
      await served.closeWrite();
    };
    const [heard] = await bounded(Promise.all([readAll(bystander), speak()]), "the other one");
    assertEquals(new TextDecoder().decode(heard), "still here");
    await Promise.all([readAll(served), bystander.close()]);
    await served.close();
  });
}

Deno.test("what the transport fails with is the cause", async () => {
  const cause = new Error("the cable");
  const readable = new ReadableStream<Uint8Array>({ pull: () => Promise.reject(cause) });
  const accepting = acceptTls({ readable, writable: new WritableStream() }, { context: CONTEXT });
  const error = await assertRejects(() => accepting, TlsError);
  assertEquals([error.code, error.cause], ["ERR_TLS_TRANSPORT", cause]);
});

Deno.test("bad options and streams are told by name", async () => {
  const good = { context: CONTEXT };
  const bad: [Partial<ByteStreams>, Record<string, unknown>, string][] = [
    [{ readable: undefined }, {}, "readable"],
    [{ writable: {} as WritableStream }, {}, "writable"],
    [{}, { context: {} }, "context"],
    [{}, { signal: 1 }, "signal"],
    [{}, { handshakeTimeout: -1 }, "handshakeTimeout"],
    [{}, { timeout: 1 }, "timeout"],
  ];
  for (const [streams, options, name] of bad) {
    const [, far] = pipe();
    const given = { ...good, ...options } as unknown as AcceptTlsOptions;
    await assertRejects(() => acceptTls({ ...far, ...streams }, given), TypeError, `"${name}"`);
    assertEquals([far.readable.locked, far.writable.locked], [false, false]);
  }
});

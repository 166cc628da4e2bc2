/**
 * Guards: every option of connections, clients' and servers', times every kind of value. What is
 * accepted makes a connection, and what is refused touches neither streams nor network.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  acceptTls,
  type AcceptTlsOptions,
  type ByteStreams,
  type ClientContextOptions,
  connectTls,
  type ConnectTlsOptions,
  listenTls,
  type ListenTlsOptions,
  startTls,
  type StartTlsOptions,
  type TlsConn,
  TlsError,
  type TlsListener,
} from "../../mod.ts";
import { within } from "../engine/bounded.ts";
import { serve } from "../server/in_process.ts";
import { serverCert } from "../testdata/mod.ts";
import { CLIENT_ROWS } from "./client_rows.ts";
import { type Both, CLIENT, open, pipe, serverContext, textFrom } from "./connections.ts";
import { BYTES, FUNCTIONS, type Kind, KIND_NAMES, KINDS, STRINGS, TIMES } from "./kinds.ts";
import { type Rows, testTable, testWhole } from "./table.ts";

/** Options of a connection that are not the context's. */
type Own<Options> = Omit<Options, keyof ClientContextOptions>;

/** A handshake that is given no time may come to its end or not. */
async function perhapsInTime<T>(opening: Promise<T>): Promise<T | undefined> {
  try {
    return await opening;
  } catch (error) {
    if (error instanceof TlsError && error.code === "ERR_TLS_HANDSHAKE_TIMEOUT") return undefined;
    throw error;
  }
}

const beside = { hostname: "localhost", ...CLIENT };

const ROWS: Rows<Own<StartTlsOptions>, StartTlsOptions> = {
  hostname: { accepts: ["a string"], needed: true, beside: CLIENT },
  port: { accepts: ["0", "-0", "1"], beside },
  serverName: {
    accepts: ["a string"],
    beside,
    async effect({ server }: Both, kind) {
      const asked = kind === "undefined" ? "localhost" : "text";
      assertEquals((await server.handshake()).serverName, asked, kind);
    },
  },
  context: { accepts: ["a ClientContext"], beside: { hostname: "localhost" } },
  session: {
    accepts: BYTES,
    beside,
    effect: ({ client }: Both, kind) =>
      assertEquals(client.sessionMiss, kind === "undefined" ? null : "tampered", kind),
  },
  earlyData: {
    accepts: BYTES,
    beside,
    async effect({ client, server }: Both, kind, value) {
      const expected = kind === "undefined" ? "" : new TextDecoder().decode(
        new Uint8Array(value as Uint8Array), // a decoder takes no shared memory
      );
      await client.write(new TextEncoder().encode("."));
      assertEquals(await textFrom(server, expected.length + 1), `${expected}.`, kind);
    },
  },
  onEarlyDataRejected: { accepts: [], beside },
  networkPartition: { accepts: ["an empty string", ...STRINGS], beside },
  handshakeTimeout: { accepts: TIMES, beside },
  signal: { accepts: ["an AbortSignal"], beside },
};

// The roots inline would not go beside a context: without it nobody is trusted, so none is tried.
const { context: _context, ...withRoots } = ROWS;
testTable<StartTlsOptions>("startTls()", withRoots, (options) => perhapsInTime(open(options)));
testTable<StartTlsOptions>(
  "startTls()",
  { context: { ...ROWS.context, needed: true } },
  async (options) => {
    if (options.context !== undefined) return await open(options);
    throw new TypeError('"context"'); // left out: the roots of Mozilla, as another test has it
  },
);

const ACCEPT_ROWS: Rows<AcceptTlsOptions> = {
  context: { accepts: [], needed: true },
  handshakeTimeout: { accepts: TIMES, beside: { context: serverContext } },
  helloTimeout: { accepts: TIMES, beside: { context: serverContext } },
  signal: { accepts: ["an AbortSignal"], beside: { context: serverContext } },
};

testTable<AcceptTlsOptions>(
  "acceptTls()",
  ACCEPT_ROWS,
  (options) => perhapsInTime(open(beside, options)),
);

const LISTEN_ROWS: Rows<ListenTlsOptions> = {
  port: { accepts: ["0", "-0", "1"], needed: true, beside: { context: serverContext } },
  hostname: { accepts: ["a string"], beside: { context: serverContext, port: 0 } },
  context: { accepts: [], needed: true, beside: { port: 0 } },
  handshakeTimeout: { accepts: TIMES, beside: { context: serverContext, port: 0 } },
  helloTimeout: { accepts: TIMES, beside: { context: serverContext, port: 0 } },
  maxPending: { accepts: ["1"], beside: { context: serverContext, port: 0 } },
  onError: { accepts: FUNCTIONS, beside: { context: serverContext, port: 0 } },
};

testTable<ListenTlsOptions>(
  "listenTls()",
  LISTEN_ROWS,
  async (options) => {
    const listener: TlsListener = listenTls({ hostname: "127.0.0.1", ...options });
    // A port or a name that the system has not is no bad option.
    await listener.listening.catch((error) => assert(error instanceof TlsError));
    return listener;
  },
);

testWhole(
  "startTls()",
  [],
  (options) => startTls(pipe().client, options as StartTlsOptions),
  /connection options|"hostname"/,
);
testWhole(
  "acceptTls()",
  [],
  (options) => acceptTls(pipe().server, options as AcceptTlsOptions),
  /acceptTls options|"context"/,
);
testWhole(
  "listenTls()",
  [],
  (options) => listenTls(options as ListenTlsOptions),
  /listenTls options|"context"/,
);

Deno.test("connectTls(): what is refused is refused before anything is connected", async () => {
  await using server = await serve(serverCert("ec_p256"));
  const good = { hostname: "127.0.0.1", port: server.port, ...CLIENT };
  const rows: Rows<Own<ConnectTlsOptions>, StartTlsOptions> = {
    ...ROWS,
    port: { accepts: ["1"], needed: true, beside },
  };
  for (const [name, { accepts, needed, called = name }] of Object.entries(rows)) {
    for (const kind of KIND_NAMES) {
      const isAccepted = kind === "undefined" ? !needed : accepts.includes(kind);
      if (isAccepted) continue;
      const options = { ...good, [name]: KINDS[kind]() } as ConnectTlsOptions;
      const error = await assertRejects(
        () => within(connectTls(options), `${name}: ${kind}`),
        TypeError,
        `"${called}"`,
        `${name}: ${kind}`,
      );
      assertEquals(error.constructor, TypeError);
    }
  }
  assertEquals(server.reports, []);
  assertEquals(server.errors, []);
  // The counter above would not be 0 if anybody had come.
  await using _conn = await connectTls(good);
  assertEquals(server.context.stats().accept, 1);
});

Deno.test("an option of the context is refused inline with the words of the context", async () => {
  for (const [name, { accepts, needed, beside, called = name }] of Object.entries(CLIENT_ROWS)) {
    for (const kind of KIND_NAMES) {
      if (kind === "undefined" ? !needed : accepts.includes(kind)) continue;
      const streams = pipe().client;
      const options = { hostname: "localhost", ...beside, [name]: KINDS[kind]() };
      const starting = () => startTls(streams, options as StartTlsOptions);
      const error = await assertRejects(starting, TypeError, undefined, `${name}: ${kind}`);
      const named = [`"${called}"`, `"${called}.`].some((each) => error.message.includes(each));
      assert(named, `${name}: ${kind}: ${error.message}`);
      assert(!streams.readable.locked && !streams.writable.locked);
    }
  }
});

Deno.test("getSession(): its options are accepted or refused by their kind, and named", async () => {
  await using both = await open(beside);
  const { client } = both;
  type Options = NonNullable<Parameters<TlsConn["getSession"]>[0]>;
  // This server gives no tickets: what ends the wait is the other option.
  const rows: Rows<Options> = {
    timeout: { accepts: TIMES },
    signal: { accepts: ["an AbortSignal"] },
  };
  for (const [name, { accepts }] of Object.entries(rows)) {
    for (const kind of KIND_NAMES) {
      const cell = `${name}: ${kind}`;
      const ended = AbortSignal.abort("ended");
      const other = name === "timeout" ? { signal: ended } : { timeout: 1 };
      const asked = client.getSession({ ...other, [name]: KINDS[kind]() } as Options);
      if (kind !== "undefined" && !accepts.includes(kind)) {
        const error = await assertRejects(() => within(asked, cell), TypeError, `"${name}"`, cell);
        assertEquals(error.constructor, TypeError, cell);
      } else if (name === "timeout") {
        assertEquals(await within(asked.catch((reason) => reason), cell), "ended", cell);
      } else assertEquals(await within(asked, cell), null, cell);
    }
  }
  for (const kind of KIND_NAMES) {
    if (kind === "undefined" || kind.startsWith("an object")) continue;
    const asked = () => client.getSession(KINDS[kind]() as Options);
    await assertRejects(asked, TypeError, undefined, kind);
  }
});

Deno.test("streams are two streams that nobody has locked, read once", async () => {
  const { client } = pipe();
  for (const kind of KIND_NAMES) {
    const value = KINDS[kind]();
    for (const end of ["readable", "writable"] as const) {
      if (end === "readable" && kind === "a ReadableStream") continue;
      const streams = { ...client, [end]: value } as ByteStreams;
      for (
        const opening of [
          () => startTls(streams, beside),
          () => acceptTls(streams, { context: serverContext }),
        ]
      ) {
        const error = await assertRejects(opening, TypeError, `"${end}"`, `${end}: ${kind}`);
        assertEquals(error.constructor, TypeError);
      }
    }
    await assertRejects(() => startTls(value as ByteStreams, beside), TypeError, '"', kind);
  }
  assert(!client.readable.locked && !client.writable.locked);

  const reader = client.readable.getReader();
  await assertRejects(() => startTls(client, beside), TypeError, '"readable" is locked');
  reader.releaseLock();
  client.writable.getWriter();
  await assertRejects(() => startTls(client, beside), TypeError, '"writable" is locked');
  assert(!client.readable.locked, "the one was not locked when the other could not be");
});

Deno.test("a listener's address may be a name, an address, or an IPv6 address with a zone", async () => {
  const listen = (hostname: string) => listenTls({ port: 0, context: serverContext, hostname });
  for (const hostname of ["127.0.0.1", "localhost", "::1", "[::1]", "0.0.0.0", "::"]) {
    await using listener = listen(hostname);
    await within(listener.listening.catch((error) => assert(error instanceof TlsError)), hostname);
  }
  await using zoned = listen("fe80::1%no_such_zone");
  await assertRejects(() => zoned.listening, TlsError);
  for (const bad of ["a b", "127.0.0.1:80", "fe80::1%", "fe80::1%a b", "127.1", "user@host", "*"]) {
    assertThrows(() => listen(bad), TypeError, '"hostname"', bad);
  }
});

/** Nothing here is accepted by a kind that no test of the other files has seen. */
Deno.test("the accepted kinds are names of kinds", () => {
  const named = [ROWS, ACCEPT_ROWS, LISTEN_ROWS, CLIENT_ROWS].flatMap((rows) =>
    Object.values(rows).flatMap(({ accepts }) => accepts as readonly Kind[])
  );
  for (const kind of named) assert(KIND_NAMES.includes(kind), kind);
  assert(KIND_NAMES.length > 60);
});

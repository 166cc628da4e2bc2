/**
 * Early data that a server must not take (RFC 8446 §8 and §4.2.10): where a replay could not be
 * noticed, where the session or what it was agreed under is not the same, where there is too much.
 * The connection goes on, and the client may send it again.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  callbackStore,
  memoryStore,
  SealingKeys,
  ServerContext,
  type ServerContextOptions,
  Session,
  type SessionStore,
  TicketKeys,
} from "../../mod.ts";
import { sessionInternals } from "../../src/session.ts";
import { denoKvStore } from "../../src/stores/deno_kv.ts";
import { movedClock } from "../interop/clock.ts";
import { bounded, readAll } from "../interop/visit.ts";
import { opensslClient } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { caCert, clientCert, clientCertPaths, serverCert } from "../testdata/mod.ts";
import { answered } from "./answer.ts";
import { clientDer } from "./certificates.ts";
import { connectTo, type VisitAtOptions } from "./client.ts";
import { type Handler, serve, type TestServer } from "./in_process.ts";

const CERT = serverCert("ec_p256");
const EARLY = "do it now";
const LIMIT = 1000;

type Stateful = Extract<ServerContextOptions["resumption"], { mode: "stateful" }>;

/** A store that may be trusted with early data, for the length of a test. */
async function withResumption(test: (resumption: Stateful) => Promise<void>): Promise<void> {
  using kv = await Deno.openKv(":memory:");
  await test({ mode: "stateful", store: denoKvStore(kv), keys: await SealingKeys.generate() });
}

/** Each server keeps what it heard after the handshake. */
function hearing(): { handler: Handler; heard: string[] } {
  const heard: string[] = [];
  return {
    heard,
    handler: async (conn) => {
      await using closing = conn;
      heard.push(new TextDecoder().decode(await readAll(closing)));
    },
  };
}

/** A connection with nothing but early data; what became of it at the client. */
async function open(server: TestServer, options: VisitAtOptions = {}) {
  await using conn = await connectTo(server, { caCerts: [caCert("ec")], ...options });
  const session = (await conn.getSession())?.toBytes().toHex();
  await conn.closeWrite();
  await bounded(readAll(conn), "the server's end");
  const { earlyData, resumed } = await conn.handshake();
  return { session, earlyData, resumed };
}

/** A session whose server is said to take more early data than it does. */
function allowing(session: string, maxEarlyData: number): string {
  const given = Session.fromBytes(Uint8Array.fromHex(session));
  const state = sessionInternals.state(given).slice();
  // session_state.ts: version, suite, psk<1..2^8-1>, age_add, max_early_data_size.
  new DataView(state.buffer).setUint32(4 + 1 + state[4] + 4, maxEarlyData);
  return sessionInternals.make(sessionInternals.binding(given), state).toBytes().toHex();
}

/** A second server, other than the first one, and whether the session is resumed there. */
interface Refused {
  name: string;
  first?: Partial<ServerContextOptions>;
  second: Partial<ServerContextOptions>;
  resumed: boolean;
  client?: VisitAtOptions;
}

const REFUSED: Refused[] = [
  {
    name: "another application protocol is agreed on",
    first: { alpnProtocols: ["a", "b"] },
    second: { alpnProtocols: ["b", "a"] },
    resumed: true,
    client: { alpnProtocols: ["a", "b"] },
  },
  {
    name: "the configuration is another one",
    second: { revocationEpoch: 1 },
    resumed: false,
  },
  {
    name: "verify refuses the stored chain",
    first: { clientAuth: "required", caCerts: [caCert("ec")] },
    second: {
      clientAuth: "required",
      caCerts: [caCert("ec")],
      verify: ({ resumed }) => !resumed,
    },
    resumed: false,
    client: clientCert("ec"),
  },
  { name: "early data is off by now", second: { maxEarlyDataSize: 0 }, resumed: true },
];

for (const { name, first = {}, second, resumed, client = {} } of REFUSED) {
  for (const onEarlyDataRejected of ["resend", "report"] as const) {
    Deno.test(`early data is refused where ${name}; the client ${onEarlyDataRejected}s`, () =>
      withResumption(async (resumption) => {
        const { handler, heard } = hearing();
        const options = { ...CERT, resumption, maxEarlyDataSize: LIMIT };
        await using one = await serve({ ...options, ...first }, { handler });
        await using two = await serve({ ...options, ...second }, { handler });
        const { session } = await open(one, client);
        const seen = await open(two, {
          ...client,
          session,
          earlyData: new TextEncoder().encode(EARLY),
          onEarlyDataRejected,
        });
        assertEquals([seen.resumed, seen.earlyData], [resumed, "rejected"]);
        const [report] = two.reports;
        assertEquals(
          [report.resumed, report.earlyData, report.early],
          [resumed, "rejected", null],
        );
        assertEquals(heard, ["", onEarlyDataRejected === "resend" ? EARLY : ""]);
        assertEquals(two.context.stats().earlyData, { accepted: 0, rejected: 1 });
        assertEquals(two.errors, []);
      }));
  }
}

// What is over the limit, as a server that cannot decrypt it counts, is not sent early.
for (const [length, limit] of [[1, LIMIT], [LIMIT, LIMIT], [40_000, LIMIT], [40_000, 33_000]]) {
  Deno.test(`${length} bytes of ${limit} that are refused end nothing`, () =>
    withResumption(async (resumption) => {
      const { handler, heard } = hearing();
      const options = { ...CERT, resumption, maxEarlyDataSize: limit };
      const client = { alpnProtocols: ["a", "b"] };
      await using one = await serve({ ...options, alpnProtocols: ["a", "b"] }, { handler });
      await using two = await serve({ ...options, alpnProtocols: ["b", "a"] }, { handler });
      const { session } = await open(one, client);
      const earlyData = new Uint8Array(length).fill(120);
      const seen = await open(two, { ...client, session, earlyData });
      assertEquals([seen.resumed, seen.earlyData], [true, "rejected"]);
      assertEquals(heard, ["", "x".repeat(length)]);
      assertEquals(two.errors, []);
    }));
}

Deno.test("who sends more early data than was allowed is not heard at all", () =>
  withResumption(async (resumption) => {
    const { handler, heard } = hearing();
    await using server = await serve(
      { ...CERT, resumption, maxEarlyDataSize: LIMIT },
      { handler },
    );
    const first = await open(server);
    const session = allowing(first.session!, 100_000);
    const earlyData = new Uint8Array(50_000).fill(120);
    const error = await open(server, { session, earlyData }).then(() => null, (error) => error);
    assert(error !== null);
    await server.failed(1);
    assertEquals([server.errors[0].code, heard], ["ERR_TLS_PEER_MISBEHAVED", [""]]);
    assertEquals(server.context.stats().earlyData, { accepted: 0, rejected: 0 });
  }));

Deno.test(
  "early data is refused after a HelloRetryRequest",
  needs("openssl"),
  () =>
    withResumption(async (resumption) => {
      await using server = await serve({ ...CERT, resumption, maxEarlyDataSize: LIMIT });
      const file = await Deno.makeTempFile();
      const options = { port: server.port, version: "TLSv1.3", stdin: "hello\n" } as const;
      await opensslClient({ ...options, sessOut: file });
      const seen = await opensslClient({
        ...options,
        sessIn: file,
        earlyData: EARLY,
        // A share of the first one alone, which the server does not know.
        args: ["-groups", "P-521:P-256"],
      });
      await Deno.remove(file);
      assertEquals([seen.reused, seen.earlyData], [true, "rejected"]);
      const { resumed, early } = answered(seen.stdout);
      assertEquals([resumed, early], [true, null]);
    }),
);

for (const takes of [true, false]) {
  const what = takes ? "lets in" : "keeps out";
  Deno.test(
    `early data of a session that cannot be resumed: verify ${what} who sent it`,
    needs("openssl"),
    () =>
      withResumption(async (resumption) => {
        const asked: boolean[] = [];
        let puts = 0;
        const store: SessionStore = {
          ...resumption.store,
          put(...args) {
            puts++;
            return resumption.store.put(...args);
          },
        };
        await using server = await serve({
          ...CERT,
          resumption: { ...resumption, store },
          maxEarlyDataSize: LIMIT,
          clientAuth: "required",
          caCerts: [caCert("ec")],
          async verify({ resumed }) {
            asked.push(resumed);
            await new Promise((resolve) => setTimeout(resolve, 20));
            return asked.length < 3 || takes;
          },
        });
        const file = await Deno.makeTempFile();
        const options = {
          port: server.port,
          version: "TLSv1.3",
          stdin: "hello\n",
          cert: clientCertPaths("ec"),
        } as const;
        const suite = (name: string) => ["-ciphersuites", name];
        const first = await opensslClient({
          ...options,
          sessOut: file,
          args: suite("TLS_AES_128_GCM_SHA256"),
        });
        assertEquals(answered(first.stdout).peer[0], clientDer("ec"));
        const before = puts;
        // The session is there, and its suite is not offered: that rustls finds out alone.
        const second = await opensslClient({
          ...options,
          sessIn: file,
          earlyData: EARLY,
          args: suite("TLS_AES_256_GCM_SHA384"),
        });
        await Deno.remove(file);
        assertEquals(asked, [false, true, false]);
        if (takes) {
          assertEquals([second.reused, second.earlyData], [false, "rejected"]);
          const { resumed, early, peer } = answered(second.stdout);
          assertEquals([resumed, early, peer[0]], [false, null, clientDer("ec")]);
          assertEquals(puts - before, 2);
        } else {
          await server.failed(1);
          assertEquals(server.errors.map(({ code }) => code), ["ERR_TLS_CERT_INVALID"]);
          assertEquals([server.reports.length, puts - before], [1, 0]);
          // rustls has no way to send an alert of ours by then: the client sees the end alone.
          assert(second.code !== 0 && !second.stdout.includes('"resumed"'));
        }
      }),
  );
}

Deno.test(
  "early data that took its time is refused; the session is resumed",
  needs("openssl"),
  () =>
    withResumption(async (resumption) => {
      await using server = await serve({ ...CERT, resumption, maxEarlyDataSize: LIMIT });
      const file = await Deno.makeTempFile();
      const options = { port: server.port, stdin: "hello\n" };
      await opensslClient({ ...options, sessOut: file });
      using clock = movedClock();
      // The client says by its own clock how old the ticket is: a flight that was held back tells.
      clock.move(90);
      const seen = await opensslClient({ ...options, sessIn: file, earlyData: EARLY });
      await Deno.remove(file);
      assertEquals([seen.reused, seen.earlyData], [true, "rejected"]);
      assertEquals(answered(seen.stdout).early, null);
    }),
);

Deno.test("a store in memory is not trusted with early data until it has filled", async () => {
  const store = memoryStore();
  const resumption: Stateful = { mode: "stateful", store, keys: await SealingKeys.generate() };
  const { handler, heard } = hearing();
  await using server = await serve({ ...CERT, resumption, maxEarlyDataSize: LIMIT }, { handler });
  const earlyData = new TextEncoder().encode(EARLY);
  const one = await open(server);
  const two = await open(server, { session: one.session });
  assertEquals(two.resumed, true, "without early data it is resumed");
  const three = await open(server, { session: two.session, earlyData });
  assertEquals([three.resumed, three.earlyData], [false, "rejected"]);
  using clock = movedClock();
  clock.move(61);
  const four = await open(server);
  const five = await open(server, { session: four.session, earlyData });
  assertEquals([five.resumed, five.earlyData], [true, "accepted"]);
  assertEquals(heard, ["", "", EARLY, "", ""]);
  assertEquals(server.reports[4].early, EARLY);
});

for (
  const [what, take] of [
    ["fails", () => Promise.reject(new Error("as it was told"))],
    ["hangs", () => new Promise<never>(() => {})],
    ["has nothing", () => Promise.resolve(null)],
    ["returns garbage", () => Promise.resolve(new Uint8Array(500).fill(1))],
  ] satisfies [string, SessionStore["take"]][]
) {
  Deno.test(`early data is refused where the store ${what}`, () =>
    withResumption(async (resumption) => {
      const { handler, heard } = hearing();
      const options = { ...CERT, maxEarlyDataSize: LIMIT };
      await using one = await serve({ ...options, resumption }, { handler });
      const store = { ...resumption.store, take };
      const failing = { ...resumption, store, timeout: 100 };
      await using two = await serve({ ...options, resumption: failing }, { handler });
      const { session } = await open(one);
      const earlyData = new TextEncoder().encode(EARLY);
      const seen = await open(two, { session, earlyData });
      assertEquals([seen.resumed, seen.earlyData], [false, "rejected"]);
      assertEquals(heard, ["", EARLY]);
      assertEquals(two.reports[0].early, null);
    }));
}

Deno.test("early data needs a store that gives a session once, and tells so", async () => {
  const keys = await SealingKeys.generate();
  const trusted = memoryStore();
  const weak = (capabilities: Partial<SessionStore["capabilities"]>): SessionStore => ({
    ...trusted,
    capabilities: { ...trusted.capabilities, ...capabilities },
  });
  const early = (resumption: ServerContextOptions["resumption"], maxEarlyDataSize = LIMIT) => () =>
    new ServerContext({ ...CERT, maxEarlyDataSize, resumption });
  const stateful = (store: SessionStore) => ({ mode: "stateful", store, keys } as const);
  assert(early(stateful(trusted))() instanceof ServerContext);
  const bad: [ServerContextOptions["resumption"], string][] = [
    [undefined, "resumption"],
    [{ mode: "tickets", ticketKeys: await TicketKeys.generate() }, '"stateful"'],
    [stateful(callbackStore(new Map())), "atomic take"],
    [stateful(weak({ atomicTake: false })), "atomic take"],
    [stateful(weak({ consistency: "eventual" })), "strong consistency"],
  ];
  for (const [resumption, message] of bad) {
    const error = assertThrows(early(resumption), TypeError, message);
    assert(error.message.includes('"maxEarlyDataSize"'), error.message);
    assert(early(resumption, 0)() instanceof ServerContext);
  }
});

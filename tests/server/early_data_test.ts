/**
 * Early data (RFC 8446 §2.3) that a server takes: every byte of it, apart from the rest, known as
 * early at both ends; from OpenSSL and from our client, in a new server process too.
 */

import { assert, assertEquals } from "@std/assert";
import { SealingKeys, type ServerContextOptions } from "../../mod.ts";
import { denoKvStore } from "../../src/stores/deno_kv.ts";
import { bounded, readAll } from "../interop/visit.ts";
import { opensslClient } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { caCert, clientCert, serverCert } from "../testdata/mod.ts";
import { answered, reportOn } from "./answer.ts";
import { clientDer } from "./certificates.ts";
import { connectTo, visitAt, type VisitAtOptions } from "./client.ts";
import { fleet } from "./fleet.ts";
import { serve, type ServeOptions, type TestServer } from "./in_process.ts";
import { startServer } from "./server_process.ts";

const CERT = serverCert("ec_p256");
const CLIENT: VisitAtOptions = { caCerts: [caCert("ec")] };

/** A server with a store that may be trusted with early data. */
async function withServer(
  options: ServerContextOptions,
  serveOptions: ServeOptions,
  test: (server: TestServer) => Promise<void>,
): Promise<void> {
  using kv = await Deno.openKv(":memory:");
  const resumption = {
    mode: "stateful",
    store: denoKvStore(kv),
    keys: await SealingKeys.generate(),
  } as const;
  await using server = await serve({ ...CERT, resumption, ...options }, serveOptions);
  await test(server);
}

function text(of: Uint8Array): string {
  return new TextDecoder().decode(of);
}

function bytes(of: string): Uint8Array {
  return new TextEncoder().encode(of);
}

Deno.test("OpenSSL's early data reaches a new server process", needs("openssl"), async () => {
  await using own = await fleet("a store in a Deno KV file");
  const spec = { resumption: own.resumption, maxEarlyDataSize: 16_384 };
  const file = `${own.folder}/session`;
  {
    await using server = await startServer(spec);
    const first = await opensslClient({ port: server.port, stdin: "hello\n", sessOut: file });
    assertEquals(first.earlyData, "none");
    assertEquals((await server.stats()).earlyData, { accepted: 0, rejected: 0 });
  }
  await using server = await startServer(spec);
  const options = { port: server.port, stdin: "hello\n", sessIn: file };
  const second = await opensslClient({ ...options, earlyData: "early bird\n" });
  assertEquals([second.reused, second.earlyData], [true, "accepted"]);
  const report = answered(second.stdout);
  assertEquals([report.resumed, report.earlyData, report.early], [
    true,
    "accepted",
    "early bird\n",
  ]);
  // The store gave it away: who comes again, comes too late.
  const third = await opensslClient({ ...options, earlyData: "early bird\n" });
  assertEquals([third.reused, third.earlyData], [false, "rejected"]);
  const { earlyData, hits, missReasons } = await server.stats();
  assertEquals([earlyData, hits], [{ accepted: 1, rejected: 1 }, 1]);
  assertEquals(Object.values(missReasons), [1]);
});

Deno.test("our client's early data is apart from what follows it", async () => {
  const heard: string[] = [];
  await withServer({ maxEarlyDataSize: 1000 }, {
    handler: async (conn) => {
      await using closing = conn;
      heard.push(text(await readAll(closing)));
    },
  }, async (server) => {
    const speak = async (options: VisitAtOptions) => {
      await using conn = await connectTo(server, { ...CLIENT, ...options });
      const session = await conn.getSession();
      await conn.write(bytes("and then the rest"));
      await conn.closeWrite();
      await bounded(readAll(conn), "the server's end");
      return { info: await conn.handshake(), session: session!.toBytes().toHex() };
    };
    const first = await speak({});
    const second = await speak({ session: first.session, earlyData: bytes("first things") });
    assertEquals([first, second].map(({ info }) => info.earlyData), ["none", "accepted"]);
    assertEquals(
      server.reports.map(({ earlyData, early }) => [earlyData, early]),
      [["none", null], ["accepted", "first things"]],
    );
    assertEquals(heard, ["and then the rest", "and then the rest"]);
    assertEquals(server.context.stats().earlyData, { accepted: 1, rejected: 0 });
  });
});

/** What a server that skips them may count of so many bytes: those of their records, encrypted. */
const counted = (length: number) => length + 17 * Math.ceil(length / 16_384);

for (const length of [1, 16_384, 16_385, 300_000]) {
  Deno.test(`${length} bytes of early data, as many as may be, arrive whole`, async () => {
    await withServer({ maxEarlyDataSize: counted(length) }, {}, async (server) => {
      const earlyData = new Uint8Array(length).map((_, i) => 32 + (i * 7 + (i >> 8)) % 95);
      const first = await visitAt(server, CLIENT);
      const session = first.client.session!;
      const second = await visitAt(server, { ...CLIENT, session, earlyData });
      assertEquals(second.client.info.earlyData, "accepted");
      assertEquals(second.server.earlyData, "accepted");
      assert(server.reports[1].early === text(earlyData), "other bytes");
    });
  });
}

for (const onEarlyDataRejected of ["resend", "report"] as const) {
  const what = onEarlyDataRejected === "resend"
    ? "what is over the size follows after the handshake"
    : "who has to send the rest himself sends all of it early or nothing";
  Deno.test(what, () => overTheSize(onEarlyDataRejected));
}

async function overTheSize(onEarlyDataRejected: "resend" | "report"): Promise<void> {
  const heard: string[] = [];
  await withServer({ maxEarlyDataSize: counted(1000) }, {
    handler: async (conn) => {
      await using closing = conn;
      heard.push(text(await readAll(closing)));
    },
  }, async (server) => {
    const open = async (options: VisitAtOptions) => {
      await using conn = await connectTo(server, { ...CLIENT, ...options });
      const session = (await conn.getSession())!.toBytes().toHex();
      await conn.closeWrite();
      await bounded(readAll(conn), "the server's end");
      return session;
    };
    const session = await open({});
    const earlyData = bytes("x".repeat(1000) + "y".repeat(500));
    await open({ session, earlyData, onEarlyDataRejected });
    const [, { earlyData: became, early }] = server.reports;
    const resend = onEarlyDataRejected === "resend";
    assertEquals([became, early], resend ? ["accepted", "x".repeat(1000)] : ["none", null]);
    assertEquals(heard, ["", resend ? "y".repeat(500) : ""]);
  });
}

Deno.test("a resumption without early data has no earlyReadable", async () => {
  const seen: unknown[] = [];
  await withServer({ maxEarlyDataSize: 1000 }, {
    handler: async (conn) => {
      await using closing = conn;
      seen.push(closing.earlyReadable, (await reportOn(closing)).resumed);
      await closing.write(bytes('{"resumed":0}\n'));
    },
  }, async (server) => {
    const first = await visitAt(server, CLIENT);
    await visitAt(server, { ...CLIENT, session: first.client.session });
    assertEquals(seen, [null, false, null, true]);
  });
});

Deno.test("earlyReadable can be asked for more than once", async () => {
  const seen: string[] = [];
  await withServer({ maxEarlyDataSize: 1000 }, {
    handler: async (conn) => {
      await using closing = conn;
      for (let i = 0; i < 2; i++) {
        const { earlyReadable } = closing;
        if (earlyReadable !== null) seen.push(await new Response(earlyReadable).text());
      }
      await closing.write(bytes('{"resumed":0}\n'));
    },
  }, async (server) => {
    const { session } = (await visitAt(server, CLIENT)).client;
    await visitAt(server, { ...CLIENT, session, earlyData: bytes("again") });
    assertEquals(seen, ["again", "again"]);
  });
});

Deno.test("early data comes with the client's chain, once verify has taken it", async () => {
  const asked: boolean[] = [];
  const options: ServerContextOptions = {
    maxEarlyDataSize: 1000,
    clientAuth: "required",
    caCerts: [caCert("ec")],
    async verify({ resumed }) {
      asked.push(resumed);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return true;
    },
  };
  await withServer(options, {}, async (server) => {
    const client = { ...CLIENT, ...clientCert("ec") };
    const { session } = (await visitAt(server, client)).client;
    const seen = await visitAt(server, { ...client, session, earlyData: bytes("it is me") });
    const { resumed, earlyData, early, peer } = seen.server;
    assertEquals([resumed, earlyData, early], [true, "accepted", "it is me"]);
    assertEquals(peer, [clientDer("ec")]);
    assertEquals(asked, [false, true]);
  });
});

Deno.test("session data and application protocol come with early data", async () => {
  const options: ServerContextOptions = {
    maxEarlyDataSize: 1000,
    alpnProtocols: ["a", "b"],
    sessionData: () => bytes("kept"),
  };
  await withServer(options, {}, async (server) => {
    const client = { ...CLIENT, alpnProtocols: ["b", "a"] };
    const { session } = (await visitAt(server, client)).client;
    const seen = await visitAt(server, { ...client, session, earlyData: bytes("early") });
    const { earlyData, sessionData, alpn } = seen.server;
    assertEquals([earlyData, sessionData, alpn], ["accepted", "kept", "a"]);
  });
});

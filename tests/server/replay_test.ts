/**
 * Replay of early data (RFC 8446 §8): what an attacker recorded, and sends again to the same server
 * or to another process on the same store, is early data nowhere. Whoever comes first, the session
 * is taken once.
 */

import { assert, assertEquals } from "@std/assert";
import { ClientContext, connectTls } from "../../mod.ts";
import { ClientEngine } from "../../src/client_engine.ts";
import { bounded, readAll, visit } from "../interop/visit.ts";
import { readRecords, startTcpProxy } from "../peers/raw.ts";
import { caCert } from "../testdata/mod.ts";
import { answered } from "./answer.ts";
import { type Fleet, fleet } from "./fleet.ts";
import { type ServerProcess, startServer } from "./server_process.ts";

const EARLY = "pay 100";
const PRE_SHARED_KEY = 41;
const CLIENT = { caCerts: [caCert("ec")] };

function spec({ resumption }: Fleet) {
  return { resumption, maxEarlyDataSize: 16_384 };
}

/** Whether a server took up a session: its ServerHello says so in the clear. */
function selectedSession(fromServer: Uint8Array): boolean {
  const [hello] = readRecords(fromServer);
  assertEquals([hello.type, hello.bytes[5]], [22, 2], "a ServerHello");
  const view = new DataView(hello.bytes.buffer, hello.bytes.byteOffset, hello.bytes.length);
  let at = 5 + 4 + 2 + 32;
  at += 1 + view.getUint8(at) + 2 + 1;
  const end = at + 2 + view.getUint16(at);
  for (at += 2; at < end; at += 4 + view.getUint16(at + 2)) {
    if (view.getUint16(at) === PRE_SHARED_KEY) return true;
  }
  return false;
}

/** Sends recorded bytes to a server; whether it took up the session. */
async function replay(server: ServerProcess, flight: Uint8Array): Promise<boolean> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  for (let at = 0; at < flight.length;) at += await conn.write(flight.subarray(at));
  const received = new Uint8Array(16 * 1024);
  const reading = async () => {
    let length = 0;
    for (;;) {
      const n = await conn.read(received.subarray(length)).catch(() => null);
      if (n === null) break;
      length += n;
      if (length >= 5 && length >= 5 + (received[3] << 8 | received[4])) break;
    }
    return received.slice(0, length);
  };
  return selectedSession(await bounded(reading(), "a ServerHello"));
}

/** Early data that two servers have delivered together. */
async function delivered(counts: [ServerProcess, number][]): Promise<string[]> {
  const reports = await Promise.all(counts.map(([server, count]) => server.connections(count)));
  return reports.flat().flatMap(({ early }) => early === null ? [] : [early]);
}

Deno.test("a recorded flight is early data once, at two processes on one store", async () => {
  await using own = await fleet("a store in a Deno KV file");
  await using one = await startServer(spec(own));
  await using two = await startServer(spec(own));
  await using proxy = startTcpProxy({ targetPort: one.port });
  const first = await visit({ ...CLIENT, port: proxy.port });
  const conn = await connectTls({
    ...CLIENT,
    hostname: "localhost",
    port: proxy.port,
    session: Uint8Array.fromHex(first.session!),
    earlyData: new TextEncoder().encode(EARLY),
  });
  await conn.write(new TextEncoder().encode("\n"));
  const report = answered(new TextDecoder().decode(await bounded(readAll(conn), "an answer")));
  await conn.close();
  assertEquals([report.earlyData, report.early], ["accepted", EARLY]);

  const recorded = proxy.connections[1].fromClient();
  const records = readRecords(recorded);
  assert(records.filter(({ type }) => type === 23).length >= 2, "early data, then the Finished");
  const servers = [one, two, one, two, two, one];
  const taken = await Promise.all(servers.map((server) => replay(server, recorded)));
  assertEquals(taken, servers.map(() => false));
  await Promise.all([one.failures(3), two.failures(3)]);
  assertEquals(await delivered([[one, 2], [two, 0]]), [EARLY]);
  const stats = await Promise.all([one.stats(), two.stats()]);
  assertEquals(stats.map(({ hits, acceptGood }) => [hits, acceptGood]), [[1, 2], [0, 0]]);
});

Deno.test("a flight that is held back, and sent to many at once, is taken by one", async () => {
  await using own = await fleet("a store in a Deno KV file");
  await using one = await startServer(spec(own));
  await using two = await startServer(spec(own));
  const context = new ClientContext(CLIENT);
  const target = { context, serverName: "localhost", port: one.port, networkPartition: "" };
  for (let round = 0; round < 3; round++) {
    const { session } = await visit({ context, port: one.port });
    const client = await ClientEngine.begin(
      target,
      Uint8Array.fromHex(session!),
      new TextEncoder().encode(EARLY),
    );
    const flight = client.connection.pollTransmit()!.slice();
    assertEquals(readRecords(flight).map(({ type }) => type).filter((type) => type === 23), [23]);
    client.connection.transmitted();
    client.connection.free();
    const servers = Array.from({ length: 12 }, (_, i) => i % 2 === 0 ? one : two);
    const taken = await Promise.all(servers.map((server) => replay(server, flight)));
    assertEquals(taken.filter((each) => each).length, 1);
    // The attacker was first: what the client itself sends early is not taken any more.
    const conn = await connectTls({
      context,
      hostname: "localhost",
      port: one.port,
      session: Uint8Array.fromHex(session!),
      earlyData: new TextEncoder().encode(`${EARLY}\n`),
    });
    const report = answered(new TextDecoder().decode(await bounded(readAll(conn), "an answer")));
    await conn.close();
    assertEquals([report.resumed, report.earlyData, report.early], [false, "rejected", null]);
  }
  const failed = await Promise.all([one.failures(18), two.failures(18)]);
  assertEquals(failed.map(({ length }) => length), [18, 18]);
  assertEquals(await delivered([[one, 6], [two, 0]]), []);
});

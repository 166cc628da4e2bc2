/**
 * How many TLS 1.3 tickets a server sends: as many as its option says, or as the client asks for
 * (RFC 9149), to a bound; each of them is good.
 */

import { assertEquals } from "@std/assert";
import {
  ClientContext,
  memoryStore,
  SealingKeys,
  type Session,
  startTls,
  type TlsConn,
} from "../../mod.ts";
import { bounded } from "../interop/visit.ts";
import { opensslClient } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { connectTo, resumed, visitAt } from "./client.ts";
import { serve } from "./in_process.ts";
import { MODES, sharedResumption } from "./shared.ts";

const CERT = serverCert("ec_p256");
const CA = { caCerts: [caCert("ec")] };

/** All sessions of a connection that the server ends. */
async function sessionsOf(conn: TlsConn): Promise<Session[]> {
  const all = async () => {
    await using closing = conn;
    await closing.write(new TextEncoder().encode("hello\n"));
    const buffer = new Uint8Array(4096);
    while (await closing.read(buffer) !== null);
    return await Array.fromAsync(closing.sessions());
  };
  return await bounded(all(), "the end of the connection");
}

for (const mode of MODES) {
  for (const tickets of [undefined, 0, 1, 2, 8]) {
    const option = tickets === undefined ? {} : { tickets };
    const expected = tickets ?? 2;

    Deno.test(
      `tickets ${tickets}: OpenSSL gets ${expected}, ${mode}`,
      needs("openssl"),
      async () => {
        const resumption = await sharedResumption(mode, option);
        await using server = await serve({ ...CERT, resumption });
        const { stdout } = await opensslClient({ port: server.port, stdin: "hello\n" });
        const got = [...stdout.matchAll(/Post-Handshake New Session Ticket arrived/g)];
        assertEquals(got.length, expected);
      },
    );

    Deno.test(`tickets ${tickets}: each of ours resumes, ${mode}`, async () => {
      const resumption = await sharedResumption(mode, option);
      await using server = await serve({ ...CERT, resumption });
      const sessions = await sessionsOf(await connectTo(server, CA));
      assertEquals(sessions.length, expected);
      for (const session of sessions) {
        const seen = await visitAt(server, { ...CA, session: session.toBytes().toHex() });
        assertEquals(resumed(seen), [true, true]);
      }
      assertEquals(new Set(sessions.map(({ id }) => id)).size, expected);
    });
  }

  for (const [wanted, expected] of [[1, 1], [5, 5], [8, 8], [20, 8]]) {
    Deno.test(`a client that asks for ${wanted} tickets gets ${expected}, ${mode}`, async () => {
      await using server = await serve({ ...CERT, resumption: await sharedResumption(mode) });
      const context = new ClientContext({
        ...CA,
        resumption: {
          store: memoryStore(),
          keys: await SealingKeys.generate(),
          ticketsPerServer: wanted,
        },
      });
      const tcp = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      const conn = await startTls(tcp, { hostname: "localhost", port: 443, context });
      assertEquals((await sessionsOf(conn)).length, expected);
    });
  }
}

Deno.test("a server without resumption sends no ticket, and takes up none", async () => {
  await using server = await serve(CERT);
  assertEquals(await sessionsOf(await connectTo(server, CA)), []);
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const { client } = await visitAt(server, { version });
    assertEquals(client.session, null);
    await using other = await serve({ ...CERT, resumption: await sharedResumption("tickets") });
    const { session } = (await visitAt(other, { version })).client;
    const seen = await visitAt(server, { version, session });
    assertEquals([...resumed(seen), seen.server.miss], [false, false, null]);
  }
});

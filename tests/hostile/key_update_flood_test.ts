/**
 * KeyUpdates that ask for answers, from a peer that takes none of them (RFC 8446 §4.6.3): what waits
 * to be sent must stay small. Over pipes without buffers, so that nothing takes the answers but the
 * victim's own memory.
 */

import { assert, assertEquals } from "@std/assert";
import { acceptTls, ClientContext, ServerContext, startTls, type TlsConn } from "../../mod.ts";
import { within } from "../engine/bounded.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { Client, concat, type Peer, pipe, Server } from "./attacker/mod.ts";
import type { Role } from "./attack.ts";
import { watched } from "./watch.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const KiB = 1024;
/** Turns of 32 KeyUpdates and one byte of data: 860 KB of answers, had they a place to go. */
const TURNS = 1_000;

const server = new ServerContext(serverCert("ec_p256"));
const client = new ClientContext({ caCerts: [caCert("ec")] });

/** Both ends of a connection after its handshake. */
async function establish(victim: Role): Promise<{ conn: TlsConn; peer: Peer }> {
  const [stream, streams] = pipe();
  const versions = ["TLSv1.3"] as const;
  const peer = victim === "server"
    ? new Client(stream, { versions })
    : new Server(stream, { versions, tickets: 0 });
  const [conn] = await Promise.all([
    victim === "server"
      ? acceptTls(streams, { context: server })
      : startTls(streams, { hostname: "localhost", context: client }),
    peer.handshake(),
  ]);
  return { conn, peer };
}

/** Reads to the end; how much there was. */
async function sink(conn: TlsConn): Promise<number> {
  const buffer = new Uint8Array(64 * KiB);
  let received = 0;
  for (let n; (n = await conn.read(buffer)) !== null;) received += n;
  return received;
}

/** What the engine takes for its first connection is not held against the flood. */
Deno.test.beforeAll(async () => {
  const { conn, peer } = await establish("server");
  const ending = peer.bye();
  await conn.close();
  await ending;
  await peer[Symbol.asyncDispose]();
});

for (const victim of ["server", "client"] as const) {
  Deno.test(
    `a ${victim} answers KeyUpdates by one while its answer waits, and keeps nothing of the others`,
    watched({ wasm: 256 * KiB }, async (watch) => {
      const { conn, peer } = await establish(victim);
      const reading = sink(conn);
      reading.catch(() => {});
      for (let turns = 0; turns < TURNS; turns++) {
        const updates = Array.from({ length: 32 }, () => peer.keyUpdate(true));
        const writing = peer.stream.write(concat(...updates, peer.data(new Uint8Array(1))));
        await within(writing, "the victim reads on");
        // Both ends are in this thread: without a pause they leave the timers no time.
        await new Promise((resolve) => setTimeout(resolve));
      }
      await watch.look();
      const ending = peer.readToEnd();
      await peer.send(peer.alert("close_notify"));
      assertEquals(await within(reading, "the victim has read to the end"), TURNS);
      await within(conn.close(), "the victim closes");
      assertEquals((await within(ending, "the end")).closeNotify, true);
      // RFC 8446 §4.6.3: one answer may be for several. The second is for those that came after
      // the first was on its way.
      const answers = peer.messages.filter((type) => type === 24).length;
      assert(answers >= 1 && answers <= 2, `${answers} answers`);
      await peer[Symbol.asyncDispose]();
    }),
  );
}

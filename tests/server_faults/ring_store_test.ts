/**
 * Tickets under a ring whose store fails, hangs or lies: handshakes go on, with tickets as long as a
 * key seals, resumed as long as one opens.
 */

import { assert, assertEquals } from "@std/assert";
import { ServerContext, TicketKeys } from "../../mod.ts";
import { within } from "../engine/bounded.ts";
import { movedClock } from "../interop/clock.ts";
import { TestRingStore } from "../keys/ring_store.ts";
import { serverCert } from "../testdata/mod.ts";
import { keys, newest, startEchoServer, VERSIONS, visit } from "./echo_server.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const HOUR = 3600;
/** Long enough for a ticket to come, short enough to wait for none. */
const NO_TICKET = { timeout: 200 };

async function ticketServer(store: TestRingStore) {
  const ticketKeys = await TicketKeys.shared(store, {
    keys,
    rotateEvery: HOUR * 1000,
    openFor: 10 * HOUR * 1000,
  });
  return await startEchoServer(
    new ServerContext({
      ...serverCert("ec_p256"),
      resumption: { mode: "tickets", ticketKeys },
    }),
  );
}

for (const { version } of VERSIONS) {
  for (const fault of ["rejects", "hangs", "answers garbage"] as const) {
    Deno.test(`${version}: a ring store that ${fault} fails no handshake`, async () => {
      using clock = movedClock();
      const store = new TestRingStore();
      await using server = await ticketServer(store);
      const { session } = await visit(server.port, version);
      assert(session !== undefined);
      const { promise, resolve } = Promise.withResolvers<null>();
      store.onLoad = () => {
        if (fault === "rejects") throw new Error("down");
        return fault === "hangs" ? promise : { version: "1", value: new Uint8Array(99) };
      };

      // The key that seals is at hand: nothing has changed.
      clock.move(HOUR / 3);
      const again = await visit(server.port, version, session);
      assertEquals([again.reused, again.session !== undefined], [true, true]);

      // None seals any more; what was sealed opens.
      clock.move(3 * HOUR);
      const late = await visit(server.port, version, again.session, NO_TICKET);
      assertEquals([late.reused, ...newest(server)], [true, true, null]);
      const full = await visit(server.port, version, undefined, NO_TICKET);
      assertEquals([full.reused, full.session], [false, undefined]);
      assertEquals(server.errors, []);

      store.onLoad = undefined;
      resolve(null);
      clock.move(2);
      await within(visit(server.port, version), "a visit");
      clock.move(2);
      const { session: next } = await visit(server.port, version);
      assert(next !== undefined, "when the store is well again there are tickets");
      assertEquals((await visit(server.port, version, next)).reused, true);
      assertEquals(newest(server), [true, null]);
    });
  }
}

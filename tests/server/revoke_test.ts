/**
 * Guards: a ticket whose key was revoked costs a full handshake, at the server that revoked it at
 * once and at the others after their next look at the ring, and gets a ticket that resumes.
 */

import { assert, assertEquals } from "@std/assert";
import { SealingKeys, TicketKeys } from "../../mod.ts";
import { until } from "../engine/bounded.ts";
import { movedClock } from "../interop/clock.ts";
import { serverCert } from "../testdata/mod.ts";
import { resumed, VERSIONS, visitAt } from "./client.ts";
import { serve } from "./in_process.ts";
import { kvRingStore } from "./kv_ring_store.ts";

const CERT = serverCert("ec_p256");
const tickets = (ticketKeys: TicketKeys) => ({ mode: "tickets", ticketKeys } as const);

for (const version of VERSIONS) {
  Deno.test(`a ticket under a revoked key is declined: wrong_key, ${version}`, async () => {
    const ticketKeys = await TicketKeys.generate();
    await using server = await serve({ ...CERT, resumption: tickets(ticketKeys) });
    const first = await visitAt(server, { version });
    await ticketKeys.revoke(ticketKeys.ids[0]);
    const second = await visitAt(server, { version, session: first.client.session });
    assertEquals([...resumed(second), second.server.miss], [false, false, "wrong_key"]);
    const third = await visitAt(server, { version, session: second.client.session });
    assertEquals(resumed(third), [true, true]);
  });

  Deno.test(`servers that share a ring follow a revocation, ${version}`, async () => {
    using kv = await Deno.openKv(":memory:");
    const keys = await SealingKeys.generate();
    const ring = () => TicketKeys.shared(kvRingStore(kv), { keys });
    const [here, there] = [await ring(), await ring()];
    await using first = await serve({ ...CERT, resumption: tickets(here) });
    await using second = await serve({ ...CERT, resumption: tickets(there) });
    const one = await visitAt(first, { version });
    const [stolen] = here.ids;
    await here.revoke(stolen);
    using clock = movedClock();
    clock.move(61);
    await visitAt(second, { version });
    await until(() => !there.ids.includes(stolen), "the other server's look at the ring");
    const declined = await visitAt(second, { version, session: one.client.session });
    assertEquals([...resumed(declined), declined.server.miss], [false, false, "wrong_key"]);
    const again = await visitAt(first, { version, session: declined.client.session });
    assertEquals(resumed(again), [true, true]);
    assert(here.ids[0] === there.ids[0]);
  });
}

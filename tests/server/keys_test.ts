/**
 * Sessions and the keys they are sealed under: old keys open until they end, then sessions under
 * them are declined; a session that is too large for a ticket goes without one.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { SealingKeys, TicketKeys } from "../../mod.ts";
import { callbackStore } from "../../src/stores/callback.ts";
import { movedClock } from "../interop/clock.ts";
import { caCert, clientCert, serverCert } from "../testdata/mod.ts";
import { resumed, VERSIONS, visitAt } from "./client.ts";
import { serve } from "./in_process.ts";
import { kvRingStore } from "./kv_ring_store.ts";
import { MODES, sharedResumption } from "./shared.ts";

const CERT = serverCert("ec_p256");
const HOUR_MS = 60 * 60 * 1000;

for (const version of VERSIONS) {
  Deno.test(`a ticket under the key before is resumed, and renewed, ${version}`, async () => {
    const ticketKeys = await TicketKeys.generate();
    await using server = await serve({ ...CERT, resumption: { mode: "tickets", ticketKeys } });
    const first = await visitAt(server, { version });
    const [before] = ticketKeys.ids;
    await ticketKeys.rotate();
    assertNotEquals(ticketKeys.ids[0], before);
    assert(ticketKeys.ids.includes(before));
    const second = await visitAt(server, { version, session: first.client.session });
    assertEquals(resumed(second), [true, true]);
    await ticketKeys.rotate();
    const third = await visitAt(server, { version, session: second.client.session });
    assertEquals(resumed(third), [true, true]);
  });

  Deno.test(`a ticket under a key that has ended is declined: wrong_key, ${version}`, async () => {
    const ticketKeys = await TicketKeys.generate({ rotateEvery: HOUR_MS, openFor: HOUR_MS });
    await using server = await serve({ ...CERT, resumption: { mode: "tickets", ticketKeys } });
    using clock = movedClock();
    const first = await visitAt(server, { version });
    const [before] = ticketKeys.ids;
    clock.move(1.9 * 60 * 60);
    const second = await visitAt(server, { version, session: first.client.session });
    assertEquals(resumed(second), [true, true]);
    const again = await visitAt(server, { version });
    clock.move(2.1 * 60 * 60);
    const late = await visitAt(server, { version, session: again.client.session });
    assertEquals(resumed(late), [false, false]);
    assertEquals(server.context.stats().missReasons, { wrong_key: 1 });
    assert(!ticketKeys.ids.includes(before), "it is erased");
  });

  Deno.test(`a ticket under another ring is declined: wrong_key, ${version}`, async () => {
    const ring =
      async () => ({ mode: "tickets", ticketKeys: await TicketKeys.generate() } as const);
    await using first = await serve({ ...CERT, resumption: await ring() });
    await using second = await serve({ ...CERT, resumption: await ring() });
    const { client } = await visitAt(first, { version });
    const seen = await visitAt(second, { version, session: client.session });
    assertEquals([...resumed(seen), seen.server.miss], [false, false, "wrong_key"]);
    assertEquals(second.context.stats().missReasons, { wrong_key: 1 });
  });

  Deno.test(`a stored session under another sealing key is declined, ${version}`, async () => {
    const store = callbackStore(new Map());
    const nameSecret = new Uint8Array(32).map((_, i) => i);
    const under = async (secret: number, ...previous: number[]) => {
      const [own, ...old] = [secret, ...previous].map((first) =>
        new Uint8Array(32).map((_, i) => first + i)
      );
      const keys = await SealingKeys.fromSecret(own, { previous: old, nameSecret });
      return await serve({ ...CERT, resumption: { mode: "stateful", store, keys } });
    };
    await using first = await under(1);
    await using rotated = await under(2, 1);
    await using other = await under(3);
    const one = await visitAt(first, { version });
    const two = await visitAt(rotated, { version, session: one.client.session });
    assertEquals(resumed(two), [true, true], "the key before opens");
    const three = await visitAt(first, { version });
    const seen = await visitAt(other, { version, session: three.client.session });
    assertEquals([...resumed(seen), seen.server.miss], [false, false, "wrong_key"]);
  });

  Deno.test(`servers that share a ring follow its rotation, ${version}`, async () => {
    using kv = await Deno.openKv(":memory:");
    const keys = await SealingKeys.generate();
    const ring = () => TicketKeys.shared(kvRingStore(kv), { keys, refreshEvery: 1 });
    const [here, there] = [await ring(), await ring()];
    const resumption = (ticketKeys: TicketKeys) => ({ mode: "tickets", ticketKeys } as const);
    await using first = await serve({ ...CERT, resumption: resumption(here) });
    await using second = await serve({ ...CERT, resumption: resumption(there) });
    const one = await visitAt(first, { version });
    await here.rotate();
    assertNotEquals(here.ids[0], there.ids[0]);
    const two = await visitAt(first, { version });
    // The other server learns of it without being told: it refreshes while it serves.
    using clock = movedClock();
    for (let visits = 0; there.ids[0] !== here.ids[0]; visits++) {
      assert(visits < 100, "it never does");
      clock.move(0.01);
      await visitAt(second, { version });
    }
    const three = await visitAt(second, { version, session: one.client.session });
    assertEquals(resumed(three), [true, true]);
    const four = await visitAt(second, { version, session: two.client.session });
    assertEquals(resumed(four), [true, true]);
  });
}

Deno.test("servers with one secret agree on its keys as they rotate", async () => {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const keys = () => TicketKeys.fromSecret(secret, { rotateEvery: HOUR_MS });
  const resumption = async () => ({ mode: "tickets", ticketKeys: await keys() } as const);
  await using first = await serve({ ...CERT, resumption: await resumption() });
  await using second = await serve({ ...CERT, resumption: await resumption() });
  using clock = movedClock();
  const { client } = await visitAt(first);
  clock.move(60 * 60);
  assertEquals(resumed(await visitAt(second, { session: client.session })), [true, true]);
  const later = await visitAt(first);
  clock.move(2 * 60 * 60);
  const late = await visitAt(second, { session: later.client.session });
  assertEquals([...resumed(late), late.server.miss], [false, false, "wrong_key"]);
});

/** A chain that does not fit into a ticket beside as much session data as there may be. */
const LARGE = {
  cert: [clientCert("rsa").cert, caCert("rsa"), caCert("intermediate"), caCert("other")].join("\n"),
  key: clientCert("rsa").key,
};

for (const version of VERSIONS) {
  for (const mode of MODES) {
    Deno.test(
      `a session over 4 KiB is resumed from a store, and gets no ticket, ${mode}, ${version}`,
      async () => {
        await using server = await serve({
          ...CERT,
          clientAuth: "required",
          caCerts: [caCert("rsa")],
          sessionData: () => new Uint8Array(2048).fill(65),
          resumption: await sharedResumption(mode),
        });
        const first = await visitAt(server, { version, ...LARGE });
        assertEquals(first.server.peer.length, 4);
        const { ticketsTooLarge, putsFailed } = server.context.stats();
        if (mode === "tickets") {
          assertEquals(ticketsTooLarge, version === "TLSv1.3" ? 2 : 1);
          assertEquals(first.client.session, null);
          assertEquals(resumed(await visitAt(server, { version, ...LARGE })), [false, false]);
          assertEquals(server.context.stats().missReasons, {});
        } else {
          assertEquals([ticketsTooLarge, putsFailed], [0, 0]);
          const options = { version, ...LARGE, session: first.client.session };
          const second = await visitAt(server, options);
          assertEquals(resumed(second), [true, true]);
          assertEquals(second.server.sessionData, "A".repeat(2048));
        }
      },
    );
  }
}

/**
 * Guards: whoever waits for a TCP connection that does not come about is told in time. The connect
 * itself goes on in the system, as nothing takes it back: hence no sanitizer of operations here.
 *
 * @module
 */

import { assert, assertStrictEquals } from "@std/assert";
import { connectTls } from "../../mod.ts";
import { staysPending } from "../engine/bounded.ts";
import { linuxOnly, startFullListener } from "../transport/full_listener.ts";
import { rejection, tlsError, to } from "./fixtures.ts";

Deno.test(
  "an abort during the TCP connect rejects with the signal's reason",
  linuxOnly,
  async () => {
    await using listener = await startFullListener();
    for (const reason of [new Error("not any more"), "a string", { any: "object" }, 0, null]) {
      const controller = new AbortController();
      const connecting = connectTls(to(listener, { signal: controller.signal }));
      assert(await staysPending(connecting, 20));
      controller.abort(reason);
      assertStrictEquals(await rejection(connecting), reason);
    }
  },
);

Deno.test("a peer that does not accept: ERR_TLS_HANDSHAKE_TIMEOUT", linuxOnly, async () => {
  await using listener = await startFullListener();
  const connecting = connectTls(to(listener, { handshakeTimeout: 200 }));
  await tlsError(connecting, "ERR_TLS_HANDSHAKE_TIMEOUT");
});

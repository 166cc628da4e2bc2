/**
 * Guards: callbacks that are told something change nothing, however they fail: none of their errors or
 * rejections ends a connection, or reaches nobody.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  acceptTls,
  ClientContext,
  listenTls,
  ServerContext,
  startTls,
  TicketKeys,
} from "../../mod.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { until, within } from "../engine/bounded.ts";

const FAILURES: Record<string, () => void> = {
  throw: () => {
    throw new Error("of the callback");
  },
  reject: () => Promise.reject(new Error("of the callback")) as unknown as void,
};

for (const [how, fail] of Object.entries(FAILURES)) {
  Deno.test(`key logs and diagnostics that ${how} end nothing`, async () => {
    const rejections: unknown[] = [];
    const onRejection = (event: PromiseRejectionEvent) => {
      event.preventDefault();
      rejections.push(event.reason);
    };
    addEventListener("unhandledrejection", onRejection);
    let told = 0;
    const callback = () => {
      told++;
      return fail();
    };
    const server = new ServerContext({
      ...serverCert("ec_p256"),
      resumption: { mode: "tickets", ticketKeys: await TicketKeys.generate() },
      keyLog: callback,
      onDiagnostic: callback,
    });
    const client = new ClientContext({
      caCerts: [caCert("ec")],
      resumption: "memory",
      keyLog: callback,
      onDiagnostic: callback,
    });
    for (const resumed of [false, true]) {
      const [up, down] = [pipe(), pipe()];
      const [a, b] = await within(
        Promise.all([
          startTls({ readable: down.readable, writable: up.writable }, {
            hostname: "localhost",
            context: client,
          }),
          acceptTls({ readable: up.readable, writable: down.writable }, { context: server }),
        ]),
        "the handshake",
      );
      assertEquals([a.sessionReused, b.sessionReused], [resumed, resumed]);
      await a.getSession();
      await client.settled();
      await Promise.all([a.close(), b.close()]);
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
    removeEventListener("unhandledrejection", onRejection);
    assertEquals([told > 10, rejections], [true, []]);
  });

  Deno.test(`an onError that ${how}s ends nothing`, async () => {
    let told = 0;
    const listener = listenTls({
      hostname: "127.0.0.1",
      port: 0,
      context: new ServerContext(serverCert("ec_p256")),
      onError: () => {
        told++;
        return fail();
      },
    });
    const { port } = await listener.listening;
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    await until(() => told === 1, "the failure is told");
    await listener.close();
  });
}

function pipe(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream(undefined, { highWaterMark: 16 }, { highWaterMark: 16 });
}

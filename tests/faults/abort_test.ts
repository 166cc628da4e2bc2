/**
 * Guards: a signal ends whatever is waited for, by its own reason and no other error, and leaves
 * nothing behind; after its part is over it has no effect.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { ClientContext, connectTls, startTls } from "../../mod.ts";
import { staysPending, until, within } from "../engine/bounded.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { startSilentServer } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";
import { bytesOf, context, hostname, readText, rejection, to } from "./fixtures.ts";

Deno.test.sanitizer({ ops: true, resources: true });

/** Reasons may be any value. */
const REASONS: unknown[] = [new Error("not any more"), "a string", { any: "object" }, 0, null];

Deno.test("an aborted signal rejects with its reason, and nobody is asked", async () => {
  await using server = startSilentServer();
  for (const reason of REASONS) {
    const signal = AbortSignal.abort(reason);
    assertStrictEquals(await rejection(connectTls(to(server, { signal }))), reason);
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const starting = startTls({ readable, writable }, { hostname, context, signal });
    assertStrictEquals(await rejection(starting), reason);
  }
  assertEquals(server.accepted(), 0);
});

Deno.test("an abort during the handshake rejects with the signal's reason", async () => {
  await using server = startSilentServer();
  for (const [i, reason] of REASONS.entries()) {
    const controller = new AbortController();
    const connecting = connectTls(to(server, { signal: controller.signal }));
    connecting.catch(() => {});
    await until(() => server.accepted() === i + 1, "the connection is there");
    controller.abort(reason);
    assertStrictEquals(await rejection(connecting), reason);
  }
});

Deno.test("a signal that times out rejects with its TimeoutError", async () => {
  await using server = startSilentServer();
  const error = await rejection(connectTls(to(server, { signal: AbortSignal.timeout(50) })));
  assertInstanceOf(error, DOMException);
  assertEquals(error.name, "TimeoutError");
});

Deno.test("an abort without a reason rejects with an AbortError", async () => {
  await using server = startSilentServer();
  const controller = new AbortController();
  const connecting = connectTls(to(server, { signal: controller.signal }));
  connecting.catch(() => {});
  controller.abort();
  const error = await rejection(connecting);
  assertInstanceOf(error, DOMException);
  assertEquals(error.name, "AbortError");
});

Deno.test("an abort during a verify callback that hangs rejects with the reason", async () => {
  await using server = await startDenoServer();
  const controller = new AbortController();
  const answer = Promise.withResolvers<boolean>();
  let asked = 0;
  const verify = () => {
    asked++;
    return answer.promise;
  };
  const hanging = new ClientContext({ caCerts: [caCert("ec")], verify });
  const { signal } = controller;
  const connecting = connectTls(to(server, { context: hanging, signal }));
  connecting.catch(() => {});
  await until(() => asked === 1, "the callback is asked");
  const reason = new Error("not any more");
  controller.abort(reason);
  assertStrictEquals(await rejection(connecting), reason);
  // An answer that comes too late harms nobody.
  answer.resolve(true);
  await answer.promise;
});

Deno.test("an abort while the stored chain is verified rejects with the reason", async () => {
  await using server = await startDenoServer();
  let answer: boolean | Promise<boolean> = true;
  let stored = 0;
  const asking = new ClientContext({
    caCerts: [caCert("ec")],
    verify: ({ resumed }) => {
      if (resumed) stored++;
      return answer;
    },
  });
  const first = await connectTls(to(server, { context: asking }));
  const session = (await first.getSession())!;
  await first.close();

  const late = Promise.withResolvers<boolean>();
  answer = late.promise;
  const controller = new AbortController();
  const { signal } = controller;
  const connecting = connectTls(to(server, { context: asking, session, signal }));
  connecting.catch(() => {});
  await until(() => stored === 1, "the callback is asked about the session");
  const reason = { not: "any more" };
  controller.abort(reason);
  assertStrictEquals(await rejection(connecting), reason);
  late.resolve(true);

  // The session was not offered: it still can be.
  answer = true;
  await using again = await connectTls(to(server, { context: asking, session }));
  assertEquals([again.sessionReused, again.sessionMiss], [true, null]);
});

Deno.test("an abort during startTls ends the streams and rejects with the reason", async () => {
  const fromPeer = new TransformStream<Uint8Array, Uint8Array>();
  const toPeer = new TransformStream<Uint8Array, Uint8Array>();
  const controller = new AbortController();
  const streams = { readable: fromPeer.readable, writable: toPeer.writable };
  const starting = startTls(streams, { hostname, context, signal: controller.signal });
  starting.catch(() => {});
  const reader = toPeer.readable.getReader();
  assertEquals((await within(reader.read(), "the ClientHello")).value?.[0], 22);
  const reason = new Error("not any more");
  controller.abort(reason);
  assertStrictEquals(await rejection(starting), reason);
  const writer = fromPeer.writable.getWriter();
  await rejection(writer.write(new Uint8Array(1)));
  assert((await within(reader.read(), "the end")).done);
});

Deno.test("an abort after the handshake has no effect", needs("openssl"), async () => {
  await using server = await startOpensslServer({ rev: true });
  const controller = new AbortController();
  await using conn = await connectTls(
    to(server, { signal: controller.signal, handshakeTimeout: 5_000 }),
  );
  controller.abort(new Error("too late"));
  await conn.write(bytesOf("abc\n"));
  assertEquals(await readText(conn), "cba\n");
});

Deno.test(
  "getSession() rejects with its signal's reason, and the connection goes on",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ version: "TLSv1.3", rev: true, numTickets: 0 });
    await using conn = await connectTls(to(server));
    for (const reason of REASONS) {
      assertStrictEquals(
        await rejection(conn.getSession({ signal: AbortSignal.abort(reason) })),
        reason,
      );
      const controller = new AbortController();
      const waiting = conn.getSession({ signal: controller.signal, timeout: 60_000 });
      assert(await staysPending(waiting, 20));
      controller.abort(reason);
      assertStrictEquals(await rejection(waiting), reason);
    }
    await conn.write(bytesOf("abc\n"));
    assertEquals(await readText(conn), "cba\n");
  },
);

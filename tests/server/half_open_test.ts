/**
 * Guards: how many handshakes a server has under way, and who goes first where there are too many: by
 * what each has shown of a client, not by luck.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { acceptTls, ServerContext, TlsError } from "../../mod.ts";
import { HalfOpen, HalfOpenHandshake } from "../../src/half_open.ts";
import { HandshakeClock } from "../../src/handshake_clock.ts";
import { within } from "../engine/bounded.ts";
import { serverCert } from "../testdata/mod.ts";

const LIMITS = { helloTimeout: 1_000, handshakeTimeout: 10_000 };

/** Handshakes of a context that takes so many, and how often one was refused. */
function halfOpen(max: number) {
  let refused = 0;
  const handshakes = new HalfOpen(max, () => refused++);
  return { handshakes, refused: () => refused };
}

const codeOf = (handshake: HalfOpenHandshake) => (handshake.signal.reason as TlsError)?.code;

Deno.test("the oldest that sent nothing goes first, then the oldest without a whole ClientHello", () => {
  const { handshakes, refused } = halfOpen(4);
  const [hello, silent1, silent2, handshake] = Array.from(
    { length: 4 },
    () => handshakes.enter(LIMITS),
  );
  handshakes.advance(hello, "hello");
  handshakes.advance(handshake, "hello");
  handshakes.advance(handshake, "handshake");
  const gone = [silent1, silent2, hello];
  for (const [i, next] of gone.entries()) {
    const newcomer = handshakes.enter(LIMITS);
    handshakes.advance(newcomer, "hello");
    handshakes.advance(newcomer, "handshake");
    assertEquals(codeOf(next), "ERR_TLS_OVERLOADED");
    assertEquals(gone.filter(({ signal }) => signal.aborted).length, i + 1);
  }
  // What is under way is served: nobody goes for a newcomer.
  const error = assertThrows(() => handshakes.enter(LIMITS), TlsError);
  assertEquals([error.code, error.origin], ["ERR_TLS_OVERLOADED", "local"]);
  assertEquals([handshakes.size, handshakes.unheard, refused()], [4, 0, 4]);
  // A handshake that takes too long makes room at last.
  handshake.age = 60_000;
  handshakes.enter(LIMITS);
  assertEquals(codeOf(handshake), "ERR_TLS_OVERLOADED");
});

Deno.test("an owner lets go of its own handshakes only", () => {
  const { handshakes } = halfOpen(10);
  const [mine, yours] = [{}, {}];
  const first = handshakes.enter({ ...LIMITS, owner: yours });
  assert(!handshakes.canEvict(mine));
  assert(!handshakes.evict(mine));
  const second = handshakes.enter({ ...LIMITS, owner: mine });
  assert(handshakes.evict(mine));
  assertEquals([first.signal.aborted, second.signal.aborted], [false, true]);
});

Deno.test("leaving twice, and advancing what has left, does nothing", () => {
  const { handshakes } = halfOpen(2);
  const one = handshakes.enter(LIMITS);
  handshakes.leave(one);
  handshakes.leave(one);
  handshakes.advance(one, "handshake");
  assertEquals(handshakes.size, 0);
});

Deno.test("a clock ends what is late, each by its own limit", async () => {
  const clock = new HandshakeClock();
  const times: [string, number][] = [];
  const start = performance.now();
  const open = [[40, 400, "silent"], [40, 400, "handshake"], [Infinity, 200, "hello"]] as const;
  const ended = open.map(([helloTimeout, handshakeTimeout, stage]) => {
    const handshake = new HalfOpenHandshake({ helloTimeout, handshakeTimeout });
    handshake.stage = stage;
    clock.add(handshake);
    return handshake.race(new Promise<never>(() => {})).catch((error: TlsError) => {
      times.push([error.message, performance.now() - start]);
    });
  });
  await within(Promise.all(ended), "their ends");
  assertEquals(times.map(([message]) => message), [
    "The client sent nothing within 40 ms",
    "No handshake within 200 ms",
    "No handshake within 400 ms",
  ]);
  for (const [i, [, ms]] of times.entries()) assert(ms >= [40, 200, 400][i] - 10, `${ms}`);
});

Deno.test("a turn of the event loop that took long is not time that a client had", async () => {
  const clock = new HandshakeClock();
  const handshake = new HalfOpenHandshake({ helloTimeout: 400, handshakeTimeout: Infinity });
  clock.add(handshake);
  for (const end = performance.now() + 600; performance.now() < end;);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert(!handshake.signal.aborted, "after 620 ms, of which 600 were this process's own");
  await within(handshake.race(new Promise<never>(() => {})).catch(() => {}), "its end");
});

Deno.test("acceptTls() counts against the maxPending of its context", async () => {
  const context = new ServerContext({ ...serverCert("ec_p256"), maxPending: 2 });
  const accept = () => {
    const up = new TransformStream<Uint8Array, Uint8Array>();
    const down = new TransformStream<Uint8Array, Uint8Array>();
    const accepting = acceptTls({ readable: up.readable, writable: down.writable }, { context });
    accepting.catch(() => {});
    return { accepting, up };
  };
  const [first, second, third] = [accept(), accept(), accept()];
  // Nobody has sent anything: the oldest goes for the third.
  const error = await assertRejects(() => within(first.accepting, "its end"), TlsError);
  assertEquals(error.code, "ERR_TLS_OVERLOADED");
  assertEquals([context.stats().accept, context.stats().refused], [3, 1]);
  for (const { accepting, up } of [second, third]) {
    up.writable.close().catch(() => {});
    const ended = await assertRejects(() => within(accepting, "its end"), TlsError);
    assertEquals(ended.code, "ERR_TLS_TRUNCATED");
  }
});

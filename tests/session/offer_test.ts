/**
 * What a session is bound to and until when, to the second: which ones are offered, and what
 * becomes of the states that the engine receives. Without a server: the ClientHello tells.
 */

import { assertEquals, assertRejects } from "@std/assert";
import { X509Certificate } from "node:crypto";
import { ClientContext, Session } from "../../mod.ts";
import { ClientEngine } from "../../src/client_engine.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { receivedSession } from "../../src/session_offer.ts";
import { movedClock } from "../interop/clock.ts";
import { serverCert } from "../testdata/mod.ts";
import { fixture } from "./fixtures.ts";
import { fieldRanges, someTls12, someTls13, stateBytes, withDigest } from "./layout.ts";

const DAY_S = 24 * 60 * 60;
const context = new ClientContext({ dangerDisableVerification: true });

/** The fixture as a session of this context, with other times. */
function sessionOf(times: { handshake: number; received?: number; expires: number }): Uint8Array {
  const bytes = fixture("format1_tls13");
  const view = new DataView(bytes.buffer);
  const at = (name: string) => fieldRanges(bytes).find((field) => field.name === name)!.start;
  bytes.set(Uint8Array.fromHex(context.fingerprint), at("context_fingerprint"));
  view.setBigUint64(at("handshake_time"), BigInt(times.handshake));
  view.setBigUint64(at("received_at"), BigInt(times.received ?? times.handshake));
  view.setBigUint64(at("expires_at"), BigInt(times.expires));
  return withDigest(bytes.subarray(0, -32));
}

/** Whether the session is offered, or why not. The clock is that of the test. */
async function offer(session: Session | Uint8Array, atSeconds: number): Promise<string> {
  using clock = movedClock();
  clock.set(atSeconds);
  const { port } = Session.fromBytes(fixture("format1_tls13"));
  const client = await ClientEngine.begin({ context, serverName: "localhost", port }, session);
  client.connection.free();
  // What was offered counts as declined, as nobody answers.
  return client.sessionMiss === "declined_by_peer" ? "offered" : client.sessionMiss!;
}

const T = 1_800_000_000;

Deno.test("a session is offered up to the second before its end", async () => {
  const session = sessionOf({ handshake: T, expires: T + 100 });
  assertEquals(await offer(session, T), "offered");
  assertEquals(await offer(session, T + 99.999), "offered");
  assertEquals(await offer(session, T + 100), "expired");
  assertEquals(await offer(session, T + 1_000_000), "expired");
});

Deno.test("a session is not offered 7 days after its handshake, whatever it says", async () => {
  const session = sessionOf({ handshake: T, received: T + 6 * DAY_S, expires: T + 30 * DAY_S });
  assertEquals(await offer(session, T + 7 * DAY_S - 1), "offered");
  assertEquals(await offer(session, T + 7 * DAY_S), "expired");
});

Deno.test("a session of the future is not offered, but for a minute of another clock", async () => {
  const handshake = sessionOf({ handshake: T, received: T - 50, expires: T + 100 });
  const received = sessionOf({ handshake: T - 50, received: T, expires: T + 100 });
  for (const session of [handshake, received]) {
    assertEquals(await offer(session, T - 60), "offered");
    assertEquals(await offer(session, T - 61), "not_yet_valid");
  }
});

Deno.test("a disposed Session is not offered, and ends no handshake", async () => {
  const session = Session.fromBytes(sessionOf({ handshake: T, expires: T + 100 }));
  session[Symbol.dispose]();
  const miss = await offer(session, T);
  assertEquals(miss === "offered", false, miss);
});

Deno.test("an object that is no session is refused", async () => {
  await assertRejects(() => offer("text" as unknown as Uint8Array, T), TypeError);
  await assertRejects(() => offer({} as unknown as Uint8Array, T), TypeError);
  assertEquals(await offer(new Uint8Array(3), T), "tampered");
});

const leaf = new Uint8Array(new X509Certificate(serverCert("ec_p256").cert).raw);
const expiredCert = new X509Certificate(serverCert("expired").cert);
const seconds = (date: string) => Date.parse(date) / 1000;

/** What becomes of a state that is received: seconds from `receivedAt` to its end, or `null`. */
function kept(
  state: Partial<Parameters<typeof someTls13>[0]> & { tls12?: boolean },
  age = 0,
): number | null {
  const { tls12, ...fields } = { receivedAt: BigInt(T), chain: [leaf], ...state };
  const bytes = stateBytes(tls12 ? someTls12(fields as object) : someTls13(fields));
  const receivedAt = Number(fields.receivedAt);
  const target = { context, serverName: "localhost", port: 1 };
  const session = receivedSession(bytes, target, null, receivedAt - age, currentEngine());
  if (session === null) return null;
  assertEquals(session.createdAt.getTime() / 1000, receivedAt - age);
  return session.expiresAt.getTime() / 1000 - receivedAt;
}

Deno.test("a received session ends with the server's hint", () => {
  assertEquals(kept({ lifetime: 300n }), 300);
  assertEquals(kept({ lifetime: 300n, tls12: true }), 300);
});

Deno.test("on TLS 1.3 a lifetime of 0 means discard; on 1.2 it is unspecified: 7 days", () => {
  assertEquals(kept({ lifetime: 0n }), null);
  assertEquals(kept({ lifetime: 0n, tls12: true }), 7 * DAY_S);
});

Deno.test("a received session ends 7 days after the full handshake, whatever the hint", () => {
  const lifetime = BigInt(0xffffffff);
  assertEquals(kept({ lifetime }), 7 * DAY_S);
  assertEquals(kept({ lifetime }, 6 * DAY_S), DAY_S);
  assertEquals(kept({ lifetime: 7200n }, 7 * DAY_S - 60), 60);
  assertEquals(kept({ lifetime: 7200n }, 7 * DAY_S), null);
});

Deno.test("a received session ends with the first certificate of its chain to end", () => {
  const end = seconds(new X509Certificate(leaf).validTo);
  assertEquals(kept({ lifetime: 7200n, receivedAt: BigInt(end - 100) }), 100);
});

Deno.test("a certificate that ended before, as servers send them along, does not count", () => {
  const chain = [leaf, new Uint8Array(expiredCert.raw)];
  assertEquals(kept({ lifetime: 7200n, chain }), 7200);
  const receivedAt = BigInt(seconds(expiredCert.validTo) - 100);
  assertEquals(kept({ lifetime: 7200n, chain, receivedAt }), 100, "it did not end yet");
});

Deno.test("a state that is none makes no session", () => {
  const target = { context, serverName: "localhost", port: 1 };
  for (const state of [new Uint8Array(0), stateBytes(someTls13()).subarray(1)]) {
    assertEquals(receivedSession(state, target, null, T, currentEngine()), null);
  }
});

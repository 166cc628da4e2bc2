/**
 * Early data: too much, too late, twice, and without a session (RFC 8446 §4.2.10, §4.5 and §8).
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type Attack, onServers, type Outcome } from "../attack.ts";
import {
  ascii,
  type Client,
  type ClientOptions,
  decodeServerHello,
  endOfEarlyData,
  extensions,
  ExtensionType,
  findExtension,
  HandshakeType,
} from "../attacker/mod.ts";
import { resumptionOf, sessionFrom } from "./sessions.ts";

const misbehaved = "ERR_TLS_PEER_MISBEHAVED";
const badMac = { code: misbehaved, alert: "bad_record_mac" };

/** What the server takes. */
const LIMIT = 1_000;
const EARLY = ascii("early");

/** Sends early data with an honest session, and goes on as the script says. */
function early(
  name: string,
  options: ClientOptions,
  run: (client: Client) => Promise<void>,
  outcome: Outcome,
  maxEarlyDataSize = LIMIT,
): Attack[] {
  return onServers({
    name,
    versions: ["TLSv1.3"],
    serve: { resumption: resumptionOf("stateful"), options: { maxEarlyDataSize } },
    async run(client, scene) {
      const session = await sessionFrom(client, scene);
      await run(await scene.open({ sessions: [session], earlyData: EARLY, ...options }));
    },
    outcome,
  });
}

/** Completes the handshake, and looks at what became of the early data. */
function completes(accepted: boolean): (client: Client) => Promise<void> {
  return async (client) => {
    await client.handshake();
    assertEquals(client.earlyDataAccepted, accepted);
  };
}

/** The attacks. */
export const EARLY_DATA: Attack[] = [
  ...early("takes early data", {}, completes(true), "goes on"),
  ...early(
    "passes over early data that it does not take",
    {},
    completes(false),
    "goes on",
    0,
  ),
  ...early(
    "passes over early data that needs a HelloRetryRequest first",
    { shares: [] },
    completes(false),
    "goes on",
  ),
  ...early(
    "refuses early data beyond its limit",
    { earlyData: new Uint8Array(20_000) },
    (client) => client.handshake(),
    { code: misbehaved },
  ),
  ...early(
    "refuses early data that it does not take, and that does not end",
    { earlyData: new Uint8Array(1_000_000) },
    (client) => client.handshake(),
    { code: misbehaved },
    0,
  ),
  ...early(
    "refuses early data behind its end",
    {},
    async (client) => {
      await client.handshake("server_flight");
      await client.sendHandshake(endOfEarlyData());
      await client.send(client.data(EARLY));
    },
    badMac,
  ),
  ...early(
    "refuses a Finished without the end of early data",
    { rewrite: (message) => message[0] === HandshakeType.end_of_early_data ? [] : message },
    async (client) => {
      await client.handshake();
      await client.readToEnd();
    },
    badMac,
  ),
  ...early(
    "refuses an end of early data where none was sent",
    { earlyData: undefined },
    async (client) => {
      client.framing.rewrite = (message) =>
        message[0] === HandshakeType.finished ? [endOfEarlyData(), message] : message;
      await client.handshake();
      await client.readToEnd();
    },
    { code: misbehaved, alert: "unexpected_message" },
  ),
  ...early(
    "refuses a certificate among early data",
    {},
    async (client) => {
      await client.handshake("server_flight");
      await client.send(client.message(new Uint8Array([HandshakeType.certificate, 0, 0, 0])));
    },
    { code: misbehaved },
  ),
  ...onServers({
    name: "shakes hands fully with who announces early data without a session",
    versions: ["TLSv1.3"],
    serve: { resumption: resumptionOf("stateful"), options: { maxEarlyDataSize: LIMIT } },
    after: null,
    peer: { hello: (hello) => hello.extensions.push(extensions.earlyData()) },
    run: (client) => client.handshake(),
    outcome: "goes on",
  }),
  ...onServers({
    name: "takes a flight with early data once, however often it is sent again",
    versions: ["TLSv1.3"],
    serve: { resumption: resumptionOf("stateful"), options: { maxEarlyDataSize: LIMIT } },
    async run(client, scene) {
      const session = await sessionFrom(client, scene);
      const first = await scene.open({ sessions: [session], earlyData: EARLY });
      const flight = recording(first);
      await first.handshake("client_hello");
      const recorded = flight();
      await first.handshake();
      assert(first.earlyDataAccepted);
      await first.bye();
      assertEquals((await scene.end()).handshake?.earlyData, "accepted");
      for (let replays = 0; replays < 10; replays++) {
        const again = await scene.open();
        await again.send(recorded);
        const { body } = await again.receiveHandshake(HandshakeType.server_hello);
        const answer = decodeServerHello(body);
        assertEquals(findExtension(answer, ExtensionType.pre_shared_key), undefined);
        await again[Symbol.asyncDispose]();
        assertEquals((await scene.end()).handshake, null);
      }
      const last = await scene.open();
      await last.handshake();
    },
    outcome: "goes on",
  }),
];

/** Keeps what a client sends from now on; returns what gives it out. */
function recording({ stream }: Client): () => Uint8Array {
  const write = stream.write;
  const sent: number[] = [];
  stream.write = (bytes) => {
    sent.push(...bytes);
    return write(bytes);
  };
  return () => {
    stream.write = write;
    return Uint8Array.from(sent);
  };
}

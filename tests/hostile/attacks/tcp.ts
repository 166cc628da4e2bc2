/**
 * The stream below TLS: half-closed and reset at every stage of a handshake and after it, and senders
 * that are slow or silent.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type Attack, onBoth, onClients, onServers, type Role } from "../attack.ts";
import type { Peer, Stage } from "../attacker/mod.ts";

const truncated = { code: "ERR_TLS_TRUNCATED" };

const timedOut = { code: "ERR_TLS_HANDSHAKE_TIMEOUT" };

/** Victims whose time limit is to be reached. */
const handshakeTimeout = 2_000;
const IMPATIENT = { serve: { listen: { handshakeTimeout } }, connect: { handshakeTimeout } };

/** Stages after which a victim waits for the attacker, so that an end is in its handshake. */
function waiting(victim: Role): readonly (Stage | null)[] {
  return victim === "server"
    ? [null, "client_hello", "server_hello", "server_flight"]
    : ["client_hello", "server_hello"];
}

/** What an end at a stage is called. */
function at(stage: Stage | null): string {
  return stage === null ? "before the ClientHello" : `after ${stage}`;
}

/** An attack for each stage of each victim. */
function atEachStage(
  name: string,
  run: (peer: Peer) => Promise<void>,
  code: string | string[],
): Attack[] {
  const stages = (victim: Role) => [...waiting(victim), "established" as const];
  return [
    ...stages("server").flatMap((after) =>
      onServers({ name: `${name} ${at(after)}`, after, run, outcome: { code } })
    ),
    ...stages("client").flatMap((after) =>
      onClients({ name: `${name} ${at(after)}`, after, run, outcome: { code } })
    ),
  ];
}

/** The attacks. */
export const TCP: Attack[] = [
  ...atEachStage("takes an end of the stream for no end of data", async (peer) => {
    await peer.closeWrite();
  }, truncated.code),
  ...atEachStage("tells of a reset", (peer) => {
    peer.stream.reset();
    return Promise.resolve();
    // The system may take a reset for an end, where nothing is on its way.
  }, ["ERR_TLS_TRANSPORT", "ERR_TLS_TRUNCATED"]),
  ...onBoth({
    name: "takes an end of the stream within a record for no end of data",
    async run(peer) {
      await peer.send(peer.data(new Uint8Array(1000)).subarray(0, 500));
      await peer.closeWrite();
    },
    outcome: truncated,
  }),
  ...onBoth({
    name: "can answer whoever closed one direction",
    serve: { behaviour: "answer at the end" },
    connect: { behaviour: "answer at the end" },
    async run(peer) {
      await peer.send(peer.data(new Uint8Array(1000)), peer.alert("close_notify"));
      await peer.closeWrite();
      await peer.receiveData(1000);
    },
    outcome: "ends",
  }),
  ...onBoth({
    name: "leaves who trickles the handshake when the time is over",
    after: null,
    ...IMPATIENT,
    peer: { chunk: 1, pause: 20 },
    run: (peer) => peer.handshake(),
    outcome: timedOut,
  }),
  ...onBoth({
    name: "leaves who falls silent, at any stage of the handshake, when the time is over",
    after: null,
    ...IMPATIENT,
    async run(peer, scene, { victim }) {
      const stages = waiting(victim);
      let next: Peer = peer;
      for (const [i, stage] of stages.entries()) {
        if (i > 0) next = await scene.open();
        if (stage !== null) await next.handshake(stage);
      }
      for (const _ of stages) {
        const { error } = await scene.end();
        assertEquals(error?.code, timedOut.code);
      }
    },
    outcome: "as the script says",
  }),
];

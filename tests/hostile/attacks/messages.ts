/**
 * Handshake messages after the handshake: those that nobody waits for, that do not end, that are not
 * what they say, and too many of them (RFC 8446 §4.6, RFC 5246 §7.4.1).
 *
 * @module
 */

import { assert } from "@std/assert";
import { type Attack, onBoth, onClients, onServers } from "../attack.ts";
import {
  concat,
  handshakeMessage,
  HandshakeType,
  helloRequest,
  keyUpdate,
  type Peer,
  u24,
  u8,
} from "../attacker/mod.ts";

const misbehaved = "ERR_TLS_PEER_MISBEHAVED";
const unexpected = { code: misbehaved, alert: "unexpected_message" };
const undecodable = { code: misbehaved, alert: "decode_error" };

/** The beginning of a message that claims to have 65,535 bytes, and has so many of them. */
function unfinished(type: number, length: number): Uint8Array {
  return concat(u8(type), u24(0xffff), new Uint8Array(length));
}

/** A message that the victim may get at this time, by its type. */
function expectedType(victim: "client" | "server", version: string): number {
  if (version === "TLSv1.3") return HandshakeType.key_update;
  return victim === "client" ? HandshakeType.hello_request : HandshakeType.client_hello;
}

/** The same message a thousand times. */
function flood(peer: Peer, message: Uint8Array): Uint8Array[] {
  return Array.from({ length: 1000 }, () => peer.message(message));
}

/** Messages of each type that has no business there, or not with this content. */
function unexpectedTypes(): Attack[] {
  return Object.entries(HandshakeType).flatMap(([name, type]) => {
    // A HelloRequest with something in it counts as one: see below.
    if (type === HandshakeType.hello_request) return [];
    const run = (peer: Peer) => peer.send(peer.message(handshakeMessage(type, new Uint8Array(64))));
    const script = { name: `refuses a ${name} of nonsense after the handshake`, run };
    return onBoth({ ...script, outcome: { code: misbehaved } });
  });
}

/** The attacks. */
export const MESSAGES: Attack[] = [
  ...onBoth({
    name: "refuses a 64 KiB message after the handshake, in records of one byte",
    async run(peer, _scene, { victim, version }) {
      const message = unfinished(expectedType(victim, version), 20_000);
      await peer.sendAnyway(peer.message(message, 1));
    },
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a 64 KiB message after the handshake before it is complete",
    async run(peer, _scene, { victim, version }) {
      const message = unfinished(expectedType(victim, version), 60_000);
      await peer.sendAnyway(peer.message(message));
    },
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a message after the handshake that claims 16 MiB",
    run: (peer) => peer.send(peer.message(concat(u8(24), u24(0xffffff), new Uint8Array(8)))),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a message of no known type after the handshake",
    run: (peer) => peer.send(peer.message(handshakeMessage(99, new Uint8Array(10)))),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses an empty Finished after the handshake",
    run: (peer) => peer.send(peer.message(handshakeMessage(HandshakeType.finished))),
    outcome: unexpected,
  }),
  ...unexpectedTypes(),
  ...onBoth({
    name: "refuses data between the parts of a message",
    async run(peer, _scene, { victim, version }) {
      const message = unfinished(expectedType(victim, version), 100);
      await peer.send(peer.message(message), peer.data(new Uint8Array(10)));
    },
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses an alert between the parts of a message",
    async run(peer, _scene, { victim, version }) {
      const message = unfinished(expectedType(victim, version), 100);
      await peer.send(peer.message(message), peer.alert("user_canceled", 1));
    },
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a KeyUpdate that is no yes or no",
    versions: ["TLSv1.3"],
    run: (peer) => peer.send(peer.keyUpdate(2)),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a KeyUpdate that is empty",
    versions: ["TLSv1.3"],
    run: (peer) => peer.send(peer.message(handshakeMessage(HandshakeType.key_update))),
    outcome: undecodable,
  }),
  ...onBoth({
    name: "refuses a KeyUpdate with a byte too many",
    versions: ["TLSv1.3"],
    run: (peer) =>
      peer.send(peer.message(handshakeMessage(HandshakeType.key_update, new Uint8Array(2)))),
    outcome: undecodable,
  }),
  ...onBoth({
    name: "refuses a KeyUpdate with another message behind it in the record",
    versions: ["TLSv1.3"],
    run: (peer) => peer.send(peer.message(concat(keyUpdate(false), keyUpdate(false)))),
    outcome: unexpected,
  }),
  ...onBoth({
    name: "refuses old keys after a KeyUpdate",
    versions: ["TLSv1.3"],
    run: (peer) => peer.send(peer.message(keyUpdate(false)), peer.data(new Uint8Array(10))),
    outcome: { code: misbehaved, alert: "bad_record_mac" },
  }),
  ...onBoth({
    name: "refuses new keys without a KeyUpdate",
    versions: ["TLSv1.3"],
    async run(peer) {
      peer.nextKey();
      await peer.send(peer.data(new Uint8Array(10)));
    },
    outcome: { code: misbehaved, alert: "bad_record_mac" },
  }),
  ...onBoth({
    name: "refuses a KeyUpdate",
    versions: ["TLSv1.2"],
    run: (peer) => peer.send(peer.message(keyUpdate(true))),
    outcome: unexpected,
  }),
  ...onBoth({
    name: "refuses a hundred KeyUpdates without data in between",
    versions: ["TLSv1.3"],
    async run(peer) {
      await peer.sendAnyway(...Array.from({ length: 100 }, () => peer.keyUpdate(false)));
    },
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "follows a thousand KeyUpdates with data in between",
    versions: ["TLSv1.3"],
    async run(peer) {
      const turn = () => concat(peer.keyUpdate(true), peer.data(new Uint8Array(1)));
      await peer.send(...Array.from({ length: 1000 }, turn));
      await peer.receiveData(1000);
      // RFC 8446 §4.6.3: one answer may be for several.
      assert(peer.messages.includes(HandshakeType.key_update));
    },
    outcome: "goes on",
  }),
  ...onClients({
    name: "answers one HelloRequest with no_renegotiation, and goes on",
    versions: ["TLSv1.2"],
    async run(peer) {
      await peer.send(peer.message(helloRequest()));
      await peer.echo();
      assert(peer.alerts.some(({ name, level }) => name === "no_renegotiation" && level === 1));
    },
    outcome: "goes on",
  }),
  ...onClients({
    name: "refuses HelloRequests without an end",
    versions: ["TLSv1.2"],
    async run(peer) {
      await peer.sendAnyway(...flood(peer, helloRequest()));
    },
    outcome: { code: misbehaved },
  }),
  ...onServers({
    name: "answers one ClientHello with no_renegotiation, and goes on",
    versions: ["TLSv1.2"],
    async run(peer) {
      await peer.send(peer.message(peer.transcript.messages[0]));
      await peer.echo();
      assert(peer.alerts.some(({ name, level }) => name === "no_renegotiation" && level === 1));
    },
    outcome: "goes on",
  }),
  ...onServers({
    name: "refuses ClientHellos after the handshake without an end",
    versions: ["TLSv1.2"],
    async run(peer) {
      await peer.sendAnyway(...flood(peer, peer.transcript.messages[0]));
    },
    outcome: { code: misbehaved },
  }),
  ...onServers({
    name: "refuses a ClientHello after the handshake",
    versions: ["TLSv1.3"],
    async run(peer) {
      await peer.send(peer.message(peer.transcript.messages[0]));
    },
    outcome: unexpected,
  }),
];

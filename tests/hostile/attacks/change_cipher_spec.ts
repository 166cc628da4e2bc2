/**
 * ChangeCipherSpec at odd times and of odd content (RFC 8446 §5 and §D.4, RFC 5246 §7.1).
 *
 * @module
 */

import { type Attack, onBoth, onClients, onServers, type Role } from "../attack.ts";
import { ContentType, NO_PROTECTION, type Peer, type Stage, u8 } from "../attacker/mod.ts";

const misbehaved = "ERR_TLS_PEER_MISBEHAVED";
const unexpected = { code: misbehaved, alert: "unexpected_message" };

function many(peer: Peer, count: number): Uint8Array[] {
  return Array.from({ length: count }, () => peer.changeCipherSpec());
}

/** The last stage of TLS 1.3 in which a victim waits for the attacker's Finished. */
function beforeFinished(victim: Role): Stage {
  return victim === "server" ? "server_flight" : "server_hello";
}

/** The attacks. */
export const CHANGE_CIPHER_SPEC: Attack[] = [
  ...onServers({
    name: "refuses a ChangeCipherSpec before the ClientHello",
    after: null,
    run: (peer) => peer.send(peer.changeCipherSpec()),
    outcome: unexpected,
  }),
  ...onClients({
    name: "refuses a ChangeCipherSpec before the ServerHello",
    after: "client_hello",
    run: (peer) => peer.send(peer.changeCipherSpec()),
    outcome: unexpected,
  }),
  ...onBoth({
    name: "passes over two in the handshake",
    versions: ["TLSv1.3"],
    after: "client_hello",
    async run(peer, _scene, { victim }) {
      await peer.handshake(beforeFinished(victim));
      await peer.send(peer.changeCipherSpec());
      await peer.handshake();
    },
    outcome: "goes on",
  }),
  ...onBoth({
    name: "refuses a thousand in the handshake",
    versions: ["TLSv1.3"],
    after: "client_hello",
    async run(peer, _scene, { victim }) {
      await peer.handshake(beforeFinished(victim));
      await peer.sendAnyway(...many(peer, 1000));
    },
    outcome: unexpected,
  }),
  ...onBoth({
    name: "refuses a ChangeCipherSpec with another content",
    versions: ["TLSv1.3"],
    after: "client_hello",
    async run(peer, _scene, { victim }) {
      await peer.handshake(beforeFinished(victim));
      await peer.send(peer.changeCipherSpec(u8(2)));
    },
    outcome: unexpected,
  }),
  ...onBoth({
    name: "refuses a ChangeCipherSpec of two bytes",
    versions: ["TLSv1.3"],
    after: "client_hello",
    async run(peer, _scene, { victim }) {
      await peer.handshake(beforeFinished(victim));
      await peer.send(peer.changeCipherSpec(new Uint8Array([1, 1])));
    },
    outcome: unexpected,
  }),
  ...onBoth({
    name: "refuses a protected ChangeCipherSpec",
    versions: ["TLSv1.3"],
    run: (peer) => peer.send(peer.record(ContentType.change_cipher_spec, u8(1))),
    outcome: unexpected,
  }),
  ...onBoth({
    name: "refuses a ChangeCipherSpec after the handshake",
    run: (peer) => peer.send(peer.changeCipherSpec()),
    outcome: { code: misbehaved },
  }),
  ...onServers({
    name: "refuses a ChangeCipherSpec before the keys are there",
    versions: ["TLSv1.2"],
    after: "server_flight",
    // CVE-2014-0224: keys of nothing would be taken.
    run: (peer) => peer.send(peer.changeCipherSpec()),
    outcome: unexpected,
  }),
  ...onClients({
    name: "refuses a ChangeCipherSpec before the keys are there",
    versions: ["TLSv1.2"],
    after: "server_hello",
    run: (peer) => peer.send(peer.changeCipherSpec()),
    outcome: unexpected,
  }),
  ...onBoth({
    name: "refuses a Finished in the clear, without a ChangeCipherSpec",
    versions: ["TLSv1.2"],
    after: "server_flight",
    async run(peer) {
      peer.changeCipherSpec = () => new Uint8Array(0);
      const message = peer.message.bind(peer);
      peer.message = (bytes, fragment) => {
        if (bytes[0] === 20) peer.sealing = NO_PROTECTION;
        return message(bytes, fragment);
      };
      await peer.handshake();
      await peer.readToEnd();
    },
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a second ChangeCipherSpec",
    versions: ["TLSv1.2"],
    after: "server_flight",
    async run(peer) {
      const once = peer.changeCipherSpec.bind(peer);
      let made = 0;
      peer.changeCipherSpec = () => made++ === 0 ? new Uint8Array([...once(), ...once()]) : once();
      await peer.handshake();
      await peer.readToEnd();
    },
    outcome: { code: misbehaved },
  }),
];

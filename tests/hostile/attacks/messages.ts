/**
 * Handshake messages that nobody waits for, that do not end, or that are not what they say.
 *
 * @module
 */

import { type Attack, onBoth } from "../attack.ts";
import { concat, HandshakeType, u24, u8 } from "../attacker/mod.ts";

const misbehaved = "ERR_TLS_PEER_MISBEHAVED";

/** The attacks. */
export const MESSAGES: Attack[] = [
  ...onBoth({
    name: "refuses a 64 KiB message after the handshake, in records of one byte",
    async run(peer) {
      const message = concat(
        u8(HandshakeType.new_session_ticket),
        u24(0xffff),
        new Uint8Array(0xffff),
      );
      await peer.sendAnyway(peer.message(message.subarray(0, 20_000), 1));
    },
    outcome: { code: misbehaved },
  }),
];

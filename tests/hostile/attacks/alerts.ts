/**
 * Alerts: of every code, too many warnings, of no known level, in pieces, at odd times
 * (RFC 8446 §6, RFC 5246 §7.2).
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type Attack, onBoth, onServers } from "../attack.ts";
import { Alert, concat, ContentType, type Peer, Refused, u8 } from "../attacker/mod.ts";

const misbehaved = "ERR_TLS_PEER_MISBEHAVED";

/** Codes of no name, beside those that have one. */
const NAMELESS = [1, 99, 255];

function warnings(peer: Peer, count: number, description: keyof typeof Alert): Uint8Array[] {
  return Array.from({ length: count }, () => peer.alert(description, 1));
}

/** The attacks. */
export const ALERTS: Attack[] = [
  ...onBoth({
    name: "tells each fatal alert by its name, after the handshake",
    async run(peer, scene) {
      const named = Object.entries(Alert).filter(([name]) => name !== "close_notify");
      const all = [...named, ...NAMELESS.map((code) => [`alert(${code})`, code] as const)];
      let next: Peer = peer;
      for (const [name, code] of all) {
        await next.send(next.alert(code, 2));
        await next.readToEnd();
        const { error } = await scene.end();
        assertEquals([error?.code, error?.alert], ["ERR_TLS_ALERT_RECEIVED", name]);
        next = await scene.open();
        await next.handshake();
      }
    },
    outcome: "ends",
  }),
  ...onBoth({
    name: "tells each fatal alert by its name, in the handshake",
    after: "client_hello",
    async run(peer, scene, { victim }) {
      let next: Peer = peer;
      for (const name of ["handshake_failure", "protocol_version", "internal_error"] as const) {
        if (victim === "server") await next.handshake("server_flight");
        await next.send(next.alert(name));
        await next.readToEnd();
        const { error } = await scene.end();
        assertEquals([error?.code, error?.alert], ["ERR_TLS_ALERT_RECEIVED", name]);
        next = await scene.open();
        await next.handshake("client_hello");
      }
    },
    outcome: "goes on",
  }),
  ...onBoth({
    name: "passes over four warnings, and goes on",
    versions: ["TLSv1.2"],
    run: (peer) => peer.send(...warnings(peer, 4, "no_renegotiation")),
    outcome: "goes on",
  }),
  ...onBoth({
    name: "refuses warnings without an end",
    versions: ["TLSv1.2"],
    async run(peer) {
      await peer.sendAnyway(...warnings(peer, 1000, "no_renegotiation"));
    },
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses a warning, of which TLS 1.3 has none",
    versions: ["TLSv1.3"],
    run: (peer) => peer.send(peer.alert("unrecognized_name", 1)),
    outcome: { code: misbehaved, alert: "decode_error" },
  }),
  ...onBoth({
    name: "passes over user_canceled, and reads the close_notify behind it",
    run: (peer) => peer.send(peer.alert("user_canceled", 1), peer.alert("close_notify")),
    outcome: "ends",
  }),
  ...onBoth({
    name: "passes over four times user_canceled, and goes on",
    run: (peer) => peer.send(...warnings(peer, 4, "user_canceled")),
    outcome: "goes on",
  }),
  ...onBoth({
    name: "refuses user_canceled without an end",
    async run(peer) {
      await peer.sendAnyway(...warnings(peer, 1000, "user_canceled"));
    },
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses an alert of level 0",
    run: (peer) => peer.send(peer.alert("user_canceled", 0)),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "refuses an alert of level 255",
    run: (peer) => peer.send(peer.alert("handshake_failure", 255)),
    outcome: { code: misbehaved },
  }),
  ...onBoth({
    name: "takes close_notify for the end, whatever its level",
    run: (peer) => peer.send(peer.alert("close_notify", 2)),
    outcome: "ends",
  }),
  ...onBoth({
    name: "refuses an alert in two records",
    run: (peer) =>
      peer.send(peer.record(ContentType.alert, u8(2)), peer.record(ContentType.alert, u8(40))),
    outcome: { code: misbehaved, alert: "decode_error" },
  }),
  ...onBoth({
    name: "refuses two alerts in a record",
    run: (peer) => {
      const alert = concat(u8(1), u8(Alert.user_canceled));
      return peer.send(peer.record(ContentType.alert, concat(alert, alert)));
    },
    outcome: { code: misbehaved, alert: "decode_error" },
  }),
  ...onServers({
    name: "refuses a warning before the ClientHello, or passes over it",
    after: null,
    async run(client, scene) {
      await client.send(client.alert("user_canceled", 1));
      // No event tells that the victim has read it, which it does before the hello is there.
      await new Promise((resolve) => setTimeout(resolve, 300));
      const refused = await client.handshake().then(() => false, (error) => {
        if (!(error instanceof Refused)) throw error;
        return true;
      });
      if (!refused) await client.echo();
      await client.bye();
      const { error } = await scene.end();
      assertEquals(error?.code, refused ? misbehaved : undefined);
    },
    outcome: "as the script says",
  }),
  ...onBoth({
    name: "takes close_notify in the handshake for no end of data, but a failure",
    after: "client_hello",
    async run(peer, _scene, { victim }) {
      if (victim === "server") await peer.handshake("server_flight");
      await peer.send(peer.alert("close_notify"));
      await peer.closeWrite();
    },
    // TLS 1.3 knows no warnings, once it is agreed on.
    outcome: ({ victim, version }) =>
      victim === "server" && version === "TLSv1.3"
        ? { code: misbehaved }
        : { code: "ERR_TLS_TRUNCATED" },
  }),
];

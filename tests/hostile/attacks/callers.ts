/**
 * What a peer sees or can do because of what the victim's program does: a writable that is aborted, a
 * buffer that is transferred away, a request that waits for its response.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type Attack, onBoth, onClients } from "../attack.ts";
import { ascii, concat, HandshakeType, type Server, u24, u8 } from "../attacker/mod.ts";
import type { Behaviour } from "../victims/protocol.ts";

/** What a failure of a request may be called: the connection's own error, or HTTP's around it. */
const FAILED = ["ERR_TLS_PEER_MISBEHAVED", "ERR_HTTP_CLOSED", "ERR_HTTP_TRUNCATED"];

const RESPONSE = ascii("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");

/** Data that is cut off must not look whole: no close_notify. */
function cutOff(name: string, behaviour: Behaviour): Attack[] {
  return onBoth({
    name: `sends no close_notify when ${name}`,
    serve: { behaviour },
    connect: { behaviour },
    async run(peer, scene) {
      const { closeNotify } = await peer.readToEnd();
      assert(peer.received > 0, "Some data has come");
      assertEquals(closeNotify, false);
      await scene.end();
    },
    outcome: "as the script says",
  });
}

/** Reads the head of a request. */
async function receiveRequest(server: Server): Promise<void> {
  let head = "";
  while (!head.endsWith("\r\n\r\n")) {
    head += new TextDecoder().decode(await server.receiveData(1));
  }
}

/** The attacks. */
export const CALLERS: Attack[] = [
  ...cutOff("its writable is aborted", "abort writable"),
  ...cutOff("what is piped into its writable fails", "pipe that fails"),
  ...cutOff("piping into its writable is aborted", "pipe that is aborted"),
  ...onBoth({
    name: "reads on when the buffer of a waiting read() was transferred away",
    serve: { behaviour: "detach" },
    connect: { behaviour: "detach" },
    async run(peer) {
      // What comes for the buffer that is gone is not lost; and it fills the engine's.
      const data = new Uint8Array(300_000).fill(7);
      const sending = peer.sendAnyway(peer.data(data));
      assertEquals(await peer.receiveData(data.length), data);
      await sending;
    },
    outcome: "goes on",
  }),
  ...onClients({
    name: "has its request answered",
    connect: { behaviour: "fetch" },
    async run(server, scene) {
      await receiveRequest(server);
      await server.send(server.data(RESPONSE));
      const { body, error } = await scene.end();
      assertEquals([body, error], ["ok", null]);
    },
    outcome: "as the script says",
  }),
  ...onClients({
    name: "has its request fail at a message after the handshake that does not end",
    connect: { behaviour: "fetch", headTimeout: 5_000 },
    async run(server, scene, { version }) {
      await receiveRequest(server);
      const type = version === "TLSv1.3"
        ? HandshakeType.new_session_ticket
        : HandshakeType.hello_request;
      const message = concat(u8(type), u24(0xffff), new Uint8Array(20_000));
      await server.sendAnyway(server.message(message, 1));
      const { error } = await scene.end();
      assert(FAILED.includes(error?.code ?? ""), JSON.stringify(error));
    },
    outcome: "as the script says",
  }),
  ...onClients({
    name: "gives a request up whose server sends empty records only",
    connect: { behaviour: "fetch", headTimeout: 5_000 },
    async run(server, scene) {
      await receiveRequest(server);
      const empty = Array.from({ length: 1000 }, () => server.data(new Uint8Array(0)));
      await server.sendAnyway(...empty);
      const { error } = await scene.end();
      assert(FAILED.includes(error?.code ?? ""), JSON.stringify(error));
    },
    outcome: "as the script says",
  }),
];

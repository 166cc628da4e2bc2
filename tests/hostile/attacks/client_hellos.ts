/**
 * ClientHellos that servers are sent: versions and downgrades, groups and key shares, suites,
 * extensions that are unknown, double or misplaced (RFC 8446 §4.1.2 and §4.2, RFC 5246 §7.4.1.2).
 *
 * @module
 */

import { assert } from "@std/assert";
import { type Attack, onServers, type Script } from "../attack.ts";
import {
  type Client,
  type ClientHello,
  concat,
  DOWNGRADE_SENTINEL,
  dropExtension,
  extensions,
  ExtensionType,
  findExtension,
  handshakeMessage,
  HandshakeType,
  keyShare,
  NamedGroup,
  sameBytes,
  setExtension,
  u16,
  u8,
  vector16,
} from "../attacker/mod.ts";

const misbehaved = "ERR_TLS_PEER_MISBEHAVED";
const incompatible = "ERR_TLS_PEER_INCOMPATIBLE";
const illegal = { code: misbehaved, alert: "illegal_parameter" };

/** Sends a ClientHello that was changed, and sees what comes. */
export function helloWith(
  name: string,
  change: (hello: ClientHello) => void,
  more: Omit<Script<Client>, "name" | "run">,
): Attack[] {
  const peer = { ...more.peer, hello: change };
  return onServers({
    ...more,
    name,
    after: null,
    peer,
    async run(client) {
      // A HelloRetryRequest is answered by the same hello again, which is changed again.
      await client.handshake("server_hello");
    },
  });
}

const share = (group: number, key: Uint8Array) => extensions.clientKeyShares([{ group, key }]).data;
const { x25519, secp256r1: p256 } = NamedGroup;

/** What servers are sent. */
const HELLOS: Attack[] = [
  ...helloWith("answers a hello with an extension that nobody knows", (hello) => {
    hello.extensions.unshift(extensions.unknownExtension(1000));
  }, { outcome: "goes on" }),
  ...helloWith("answers a hello with 500 extensions that nobody knows", (hello) => {
    const unknown = Array.from(
      { length: 500 },
      (_, i) => extensions.unknownExtension(10, 0x1000 + i),
    );
    hello.extensions.unshift(...unknown);
  }, { outcome: "goes on" }),
  ...helloWith("refuses a hello with an extension twice", (hello) => {
    hello.extensions.unshift(extensions.supportedGroups(["x25519"]));
  }, { outcome: { code: misbehaved } }),
  ...helloWith("refuses a hello without null compression", (hello) => {
    hello.compressions = [1];
  }, { outcome: { code: incompatible, alert: "illegal_parameter" } }),
  ...helloWith("refuses a hello without any compression", (hello) => {
    hello.compressions = [];
  }, { outcome: { code: misbehaved } }),
  ...helloWith("refuses a hello without suites", (hello) => {
    hello.suites = [];
  }, { outcome: { code: misbehaved } }),
  ...helloWith("refuses a hello with suites of others only", (hello) => {
    hello.suites = [0x0005, 0x000a, 0x1399];
  }, { outcome: { code: incompatible, alert: "handshake_failure" } }),
  ...helloWith("answers a hello with ten thousand suites that nobody knows", (hello) => {
    hello.suites.push(...Array.from({ length: 10_000 }, (_, i) => 0x6000 + i));
  }, { outcome: "goes on" }),
  ...helloWith("refuses a hello with a session id of 33 bytes", (hello) => {
    hello.sessionId = new Uint8Array(33);
  }, { outcome: { code: misbehaved } }),
  ...helloWith("refuses a hello of TLS 1.1", (hello) => {
    hello.version = 0x0302;
    dropExtension(hello, ExtensionType.supported_versions);
  }, {
    versions: ["TLSv1.2"],
    outcome: { code: incompatible, alert: "protocol_version" },
  }),
  ...helloWith("refuses a hello of versions that nobody knows", (hello) => {
    setExtension(
      hello,
      ExtensionType.supported_versions,
      extensions.supportedVersions([0x7f17, 0x0399]).data,
    );
  }, {
    versions: ["TLSv1.3"],
    outcome: { code: incompatible, alert: "protocol_version" },
  }),
  ...helloWith("refuses a hello without groups", (hello) => {
    dropExtension(hello, ExtensionType.supported_groups);
  }, { versions: ["TLSv1.3"], outcome: { code: incompatible } }),
  ...helloWith("refuses a hello with groups of others only", (hello) => {
    setExtension(hello, ExtensionType.supported_groups, vector16(u16(0x9999)));
  }, { versions: ["TLSv1.3"], outcome: { code: incompatible } }),
  ...helloWith("refuses a hello without signature algorithms", (hello) => {
    dropExtension(hello, ExtensionType.signature_algorithms);
  }, { outcome: { code: incompatible } }),
  ...helloWith("refuses a hello without key shares", (hello) => {
    dropExtension(hello, ExtensionType.key_share);
  }, { versions: ["TLSv1.3"], outcome: { code: incompatible, alert: "missing_extension" } }),
  ...helloWith("refuses a share that is a byte too short", (hello) => {
    setExtension(hello, ExtensionType.key_share, share(x25519, new Uint8Array(31).fill(9)));
  }, { versions: ["TLSv1.3"], outcome: { code: misbehaved } }),
  ...helloWith("refuses a share that leads to zeros", (hello) => {
    setExtension(hello, ExtensionType.key_share, share(x25519, new Uint8Array(32)));
  }, { versions: ["TLSv1.3"], outcome: { code: misbehaved } }),
  ...helloWith("refuses a share that is no point of the curve", (hello) => {
    const point = concat(u8(4), new Uint8Array(64).fill(1));
    setExtension(hello, ExtensionType.key_share, share(p256, point));
  }, { versions: ["TLSv1.3"], outcome: { code: misbehaved } }),
  ...helloWith("refuses two shares of a group", (hello) => {
    const entry = { group: x25519, key: keyShare("x25519").publicKey };
    setExtension(
      hello,
      ExtensionType.key_share,
      extensions.clientKeyShares([entry, entry]).data,
    );
  }, { versions: ["TLSv1.3"], outcome: illegal }),
  ...onServers({
    name: "asks for another share once, and goes on",
    versions: ["TLSv1.3"],
    after: null,
    peer: { shares: [] },
    run: (client) => client.handshake(),
    outcome: "goes on",
  }),
  ...helloWith("refuses a second hello without the share that was asked for", (hello) => {
    setExtension(hello, ExtensionType.key_share, vector16());
  }, { versions: ["TLSv1.3"], outcome: { code: misbehaved } }),
  ...onServers({
    name: "refuses a second hello with another share than was asked for",
    versions: ["TLSv1.3"],
    after: null,
    peer: {
      shares: [],
      hello(hello) {
        const { data } = extensions.clientKeyShares([{ group: 0x9999, key: new Uint8Array(32) }]);
        setExtension(hello, ExtensionType.key_share, data);
      },
    },
    run: (client) => client.handshake("server_hello"),
    outcome: { code: misbehaved },
  }),
  ...onServers({
    name: "refuses a second hello for another name",
    versions: ["TLSv1.3"],
    after: null,
    peer: {
      shares: [],
      hello(hello) {
        const first = findExtension(hello, ExtensionType.key_share)!.length === 2;
        const { data } = extensions.serverName(first ? "localhost" : "other.example");
        setExtension(hello, ExtensionType.server_name, data);
      },
    },
    run: (client) => client.handshake("server_hello"),
    outcome: { code: misbehaved },
  }),
  ...onServers({
    name: "refuses a second hello instead of the client's flight",
    versions: ["TLSv1.3"],
    after: "server_flight",
    async run(client) {
      await client.send(client.message(client.transcript.messages[0]));
    },
    outcome: { code: misbehaved },
  }),
  ...onServers({
    name: "shakes hands in TLS 1.2 with who ignores that it could do better",
    versions: ["TLSv1.2"],
    after: "server_hello",
    async run(client) {
      // RFC 8446 §4.1.3: the server tells clients of TLS 1.3; this one does not look.
      const end = client.serverHello.random.subarray(-8);
      assert(sameBytes(end, DOWNGRADE_SENTINEL), "The server tells that it speaks TLS 1.3");
      await client.handshake();
    },
    outcome: "goes on",
  }),
];

/** Renegotiation, as a ClientHello tells of it (RFC 5746 §3.6). */
const RENEGOTIATION: Attack[] = [
  ...helloWith("refuses a hello that claims to renegotiate", (hello) => {
    setExtension(hello, ExtensionType.renegotiation_info, concat(u8(12), new Uint8Array(12)));
  }, { versions: ["TLSv1.2"], outcome: { code: misbehaved } }),
];

/** ClientHellos that are no messages of their length. */
const LENGTHS: Attack[] = [
  ...onServers({
    name: "refuses an empty ClientHello",
    after: null,
    peer: { rewrite: () => handshakeMessage(HandshakeType.client_hello) },
    run: (client) => client.handshake("server_hello"),
    outcome: { code: misbehaved, alert: "decode_error" },
  }),
  ...onServers({
    name: "refuses a ClientHello with a byte behind it",
    after: null,
    peer: {
      rewrite: (message) =>
        message[0] === HandshakeType.client_hello
          ? handshakeMessage(message[0], message.subarray(4), new Uint8Array(1))
          : message,
    },
    run: (client) => client.handshake("server_hello"),
    outcome: { code: misbehaved, alert: "decode_error" },
  }),
  ...onServers({
    name: "refuses another message instead of a ClientHello",
    after: null,
    peer: { rewrite: (message) => handshakeMessage(HandshakeType.finished, message) },
    run: (client) => client.handshake("server_hello"),
    outcome: { code: misbehaved, alert: "unexpected_message" },
  }),
];

/** The attacks. */
export const CLIENT_HELLOS: Attack[] = [...HELLOS, ...RENEGOTIATION, ...LENGTHS];

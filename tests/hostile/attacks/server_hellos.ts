/**
 * What clients are answered: ServerHellos, HelloRetryRequests and EncryptedExtensions that choose what
 * was not offered (RFC 8446 §4.1.3, §4.1.4 and §4.3.1, RFC 5246 §7.4.1.3).
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type Attack, onClients, type Script } from "../attack.ts";
import {
  concat,
  DOWNGRADE_SENTINEL,
  dropExtension,
  encryptedExtensions,
  type Extension,
  extensions,
  ExtensionType,
  findExtension,
  handshakeMessage,
  HandshakeType,
  keyShare,
  NamedGroup,
  Reader,
  type Server,
  type ServerHello,
  setExtension,
  u16,
  u8,
  vector16,
} from "../attacker/mod.ts";

const misbehaved = "ERR_TLS_PEER_MISBEHAVED";
const incompatible = "ERR_TLS_PEER_INCOMPATIBLE";
const illegal = { code: misbehaved, alert: "illegal_parameter" };

/** Answers with a ServerHello that was changed. */
function serverHelloWith(
  name: string,
  change: (hello: ServerHello) => void,
  more: Omit<Script<Server>, "name" | "run">,
): Attack[] {
  const peer = { ...more.peer, serverHello: change };
  return onClients({
    ...more,
    name,
    after: null,
    peer,
    async run(server) {
      await server.handshake("server_flight");
    },
  });
}

const { x25519, secp256r1: p256 } = NamedGroup;

/** What clients are answered. */
const HELLOS: Attack[] = [
  ...serverHelloWith("refuses TLS 1.2 of a server that says it could do better", (hello) => {
    hello.random.set(DOWNGRADE_SENTINEL, 24);
  }, { versions: ["TLSv1.2"], outcome: illegal }),
  ...serverHelloWith("takes TLS 1.2 of a server that does not say so", () => {}, {
    versions: ["TLSv1.2"],
    outcome: "goes on",
  }),
  ...serverHelloWith("refuses TLS 1.1", (hello) => {
    hello.version = 0x0302;
  }, { versions: ["TLSv1.2"], outcome: { code: incompatible } }),
  ...serverHelloWith("refuses TLS 1.2 in the extension that is for TLS 1.3", (hello) => {
    hello.extensions.push(extensions.selectedVersion(0x0303));
  }, { versions: ["TLSv1.2"], outcome: illegal }),
  ...serverHelloWith("refuses a version that it did not offer", (hello) => {
    setExtension(hello, ExtensionType.supported_versions, u16(0x0399));
  }, { versions: ["TLSv1.3"], outcome: { code: incompatible } }),
  ...serverHelloWith("refuses a suite that it did not offer", (hello) => {
    hello.suite = 0x0005;
  }, { outcome: illegal }),
  ...serverHelloWith("refuses a suite of the other version", (hello) => {
    hello.suite = hello.suite >> 8 === 0x13 ? 0xc02b : 0x1301;
  }, { outcome: { code: misbehaved } }),
  ...serverHelloWith("refuses compression", (hello) => {
    hello.compression = 1;
  }, { outcome: illegal }),
  ...serverHelloWith("refuses another session id than its own", (hello) => {
    hello.sessionId = new Uint8Array(32);
  }, { versions: ["TLSv1.3"], outcome: illegal }),
  ...serverHelloWith("refuses an extension that it did not offer", (hello) => {
    hello.extensions.push(extensions.unknownExtension(10));
  }, { outcome: { code: misbehaved, alert: "unsupported_extension" } }),
  ...serverHelloWith("refuses an extension twice", (hello) => {
    hello.extensions.push(hello.extensions[0]);
  }, { outcome: { code: misbehaved } }),
  ...serverHelloWith("refuses an answer without a share", (hello) => {
    dropExtension(hello, ExtensionType.key_share);
  }, { versions: ["TLSv1.3"], outcome: { code: misbehaved } }),
  ...serverHelloWith("refuses a group that it offered no share of", (hello) => {
    const entry = { group: p256, key: keyShare("secp256r1").publicKey };
    setExtension(hello, ExtensionType.key_share, extensions.serverKeyShare(entry).data);
  }, { versions: ["TLSv1.3"], outcome: illegal }),
  ...serverHelloWith("refuses a group that it does not know", (hello) => {
    const entry = { group: 0x9999, key: new Uint8Array(32) };
    setExtension(hello, ExtensionType.key_share, extensions.serverKeyShare(entry).data);
  }, { versions: ["TLSv1.3"], outcome: illegal }),
  ...serverHelloWith("refuses a share that leads to zeros", (hello) => {
    const entry = { group: x25519, key: new Uint8Array(32) };
    setExtension(hello, ExtensionType.key_share, extensions.serverKeyShare(entry).data);
  }, { versions: ["TLSv1.3"], outcome: { code: misbehaved } }),
  ...serverHelloWith("refuses a share that is too short", (hello) => {
    const entry = { group: x25519, key: new Uint8Array(3).fill(9) };
    setExtension(hello, ExtensionType.key_share, extensions.serverKeyShare(entry).data);
  }, { versions: ["TLSv1.3"], outcome: { code: misbehaved } }),
  ...serverHelloWith("refuses a PSK that it did not offer", (hello) => {
    hello.extensions.push(extensions.selectedPsk(0));
  }, { versions: ["TLSv1.3"], outcome: { code: misbehaved } }),
  ...onClients({
    name: "refuses a second ServerHello",
    after: "server_hello",
    run: (server) => server.send(server.message(server.transcript.messages.at(-1)!)),
    outcome: { code: misbehaved },
  }),
];

/** Renegotiation, as a ServerHello tells of it (RFC 5746 §3.4). */
const RENEGOTIATION: Attack[] = [
  ...serverHelloWith("refuses an answer that claims to renegotiate", (hello) => {
    setExtension(hello, ExtensionType.renegotiation_info, concat(u8(12), new Uint8Array(12)));
  }, { versions: ["TLSv1.2"], outcome: { code: misbehaved } }),
];

/** HelloRetryRequests (RFC 8446 §4.1.4). */
const RETRIES: Attack[] = [
  ...onClients({
    name: "follows a HelloRetryRequest",
    versions: ["TLSv1.3"],
    after: null,
    peer: { retry: { group: "secp256r1" }, groups: ["secp256r1"] },
    run: (server) => server.handshake(),
    outcome: "goes on",
  }),
  ...onClients({
    name: "refuses a second HelloRetryRequest",
    versions: ["TLSv1.3"],
    after: null,
    peer: { retry: { group: "secp256r1", times: 2 }, groups: ["secp256r1"] },
    run: (server) => server.handshake("server_hello"),
    outcome: { code: misbehaved, alert: "unexpected_message" },
  }),
  ...onClients({
    name: "refuses a HelloRetryRequest for the share that it sent",
    versions: ["TLSv1.3"],
    after: null,
    peer: { retry: { group: "x25519" } },
    run: (server) => server.handshake("server_hello"),
    outcome: illegal,
  }),
  ...onClients({
    name: "refuses a HelloRetryRequest for a group that it does not know",
    versions: ["TLSv1.3"],
    after: null,
    peer: {
      retry: { group: "secp256r1" },
      serverHello: (hello) => setExtension(hello, ExtensionType.key_share, u16(0x9999)),
    },
    run: (server) => server.handshake("server_hello"),
    outcome: illegal,
  }),
  ...onClients({
    name: "refuses a HelloRetryRequest that asks for nothing",
    versions: ["TLSv1.3"],
    after: null,
    peer: {
      retry: { group: "secp256r1" },
      serverHello: (hello) => dropExtension(hello, ExtensionType.key_share),
    },
    run: (server) => server.handshake("server_hello"),
    outcome: illegal,
  }),
  ...onClients({
    name: "refuses a HelloRetryRequest with an empty cookie",
    versions: ["TLSv1.3"],
    after: null,
    peer: {
      retry: { group: "secp256r1" },
      serverHello: (hello) => setExtension(hello, ExtensionType.cookie, vector16()),
    },
    run: (server) => server.handshake("server_hello"),
    outcome: { code: misbehaved },
  }),
  ...onClients({
    name: "gives a cookie of 8 KiB back",
    versions: ["TLSv1.3"],
    after: null,
    peer: {
      retry: { group: "secp256r1" },
      groups: ["secp256r1"],
      serverHello(hello) {
        const isRetry = findExtension(hello, ExtensionType.key_share)!.length === 2;
        if (isRetry) setExtension(hello, ExtensionType.cookie, vector16(new Uint8Array(8192)));
      },
    },
    async run(server) {
      await server.handshake("server_hello");
      const cookie = findExtension(server.hello, ExtensionType.cookie);
      assertEquals(new Reader(cookie!).vector16().length, 8192);
      await server.handshake();
    },
    outcome: "goes on",
  }),
];

/** EncryptedExtensions (RFC 8446 §4.3.1), and what is not among them. */
const ENCRYPTED_EXTENSIONS: Attack[] = ([
  ["refuses an encrypted extension that it did not offer", extensions.unknownExtension(10)],
  ["refuses an encrypted extension that belongs into the hello", extensions.selectedVersion(0x304)],
  ["refuses a protocol that it did not offer", extensions.alpn(["h2"])],
  ["refuses that early data is accepted which it did not send", extensions.earlyData()],
] satisfies [string, Extension][]).flatMap(([name, extension]) =>
  onClients({
    name,
    versions: ["TLSv1.3"],
    after: null,
    peer: {
      rewrite: (message) =>
        message[0] === HandshakeType.encrypted_extensions
          ? encryptedExtensions([extension])
          : message,
    },
    run: (server) => server.handshake("server_flight"),
    outcome: { code: misbehaved },
  })
);

/** ServerHellos that are no messages of their length. */
const LENGTHS: Attack[] = [
  ...onClients({
    name: "refuses an empty ServerHello",
    after: null,
    peer: { rewrite: () => handshakeMessage(HandshakeType.server_hello) },
    run: (server) => server.handshake("server_hello"),
    outcome: { code: misbehaved, alert: "decode_error" },
  }),
];

/** The attacks. */
export const SERVER_HELLOS: Attack[] = [
  ...HELLOS,
  ...RENEGOTIATION,
  ...RETRIES,
  ...ENCRYPTED_EXTENSIONS,
  ...LENGTHS,
];

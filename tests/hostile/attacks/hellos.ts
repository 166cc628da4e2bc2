/**
 * Hellos of both ends: versions and downgrades, groups and key shares, HelloRetryRequests, suites,
 * extensions that are unknown, double or misplaced (RFC 8446 §4.1 and §4.2, RFC 5246 §7.4.1).
 *
 * @module
 */

import { type Attack, onClients, onServers } from "../attack.ts";
import {
  type ClientHello,
  concat,
  DOWNGRADE_SENTINEL,
  dropExtension,
  encryptedExtensions,
  extensions,
  ExtensionType,
  findExtension,
  handshakeMessage,
  HandshakeType,
  keyShare,
  NamedGroup,
  Reader,
  type ServerHello,
  setExtension,
  u16,
  u8,
  vector16,
} from "../attacker/mod.ts";

const misbehaved = "ERR_TLS_PEER_MISBEHAVED";
const incompatible = "ERR_TLS_PEER_INCOMPATIBLE";
const illegal = { code: misbehaved, alert: "illegal_parameter" };

/** Sends a ClientHello that was changed, and sees what comes. */
function helloWith(
  name: string,
  change: (hello: ClientHello) => void,
  more: Omit<Parameters<typeof onServers>[0], "name" | "run">,
): Attack[] {
  const peer = { ...more.peer, hello: change };
  return onServers({
    ...more,
    name,
    after: null,
    peer,
    async run(client) {
      await client.handshake("server_hello");
      // A HelloRetryRequest is answered by the same hello again, which is changed again.
    },
  });
}

/** Answers with a ServerHello that was changed. */
function serverHelloWith(
  name: string,
  change: (hello: ServerHello) => void,
  more: Omit<Parameters<typeof onClients>[0], "name" | "run">,
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

const share = (group: number, key: Uint8Array) => extensions.clientKeyShares([{ group, key }]).data;
const x25519 = NamedGroup.x25519;
const p256 = NamedGroup.secp256r1;

/** What servers are sent. */
const CLIENT_HELLOS: Attack[] = [
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
      const tells = end.every((byte, i) => byte === DOWNGRADE_SENTINEL[i]);
      if (!tells) throw new Error("The server does not tell that it speaks TLS 1.3");
      await client.handshake();
    },
    outcome: "goes on",
  }),
];

/** Renegotiation, as hellos tell of it (RFC 5746 §3.4 and §3.6). */
const RENEGOTIATION: Attack[] = [
  ...helloWith("refuses a hello that claims to renegotiate", (hello) => {
    setExtension(hello, ExtensionType.renegotiation_info, concat(u8(12), new Uint8Array(12)));
  }, { versions: ["TLSv1.2"], outcome: { code: misbehaved } }),
  ...serverHelloWith("refuses an answer that claims to renegotiate", (hello) => {
    setExtension(hello, ExtensionType.renegotiation_info, concat(u8(12), new Uint8Array(12)));
  }, { versions: ["TLSv1.2"], outcome: { code: misbehaved } }),
];

/** What clients are answered. */
const SERVER_HELLOS: Attack[] = [
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
      if (new Reader(cookie!).vector16().length !== 8192) throw new Error("Another cookie came");
      await server.handshake();
    },
    outcome: "goes on",
  }),
];

/** EncryptedExtensions (RFC 8446 §4.3.1), and what is not among them. */
const ENCRYPTED_EXTENSIONS: Attack[] = [
  ["refuses an encrypted extension that it did not offer", extensions.unknownExtension(10)],
  ["refuses an encrypted extension that belongs into the hello", extensions.selectedVersion(0x304)],
  ["refuses a protocol that it did not offer", extensions.alpn(["h2"])],
  ["refuses that early data is accepted which it did not send", extensions.earlyData()],
].flatMap(([name, extension]) =>
  onClients({
    name: name as string,
    versions: ["TLSv1.3"],
    after: null,
    peer: {
      rewrite: (message) =>
        message[0] === HandshakeType.encrypted_extensions
          ? encryptedExtensions([extension as ReturnType<typeof extensions.earlyData>])
          : message,
    },
    run: (server) => server.handshake("server_flight"),
    outcome: { code: misbehaved },
  })
);

/** Names that a client asks for (RFC 6066 §3). */
const NAMES: Attack[] = [
  ...helloWith("answers a client that asks for no name", (hello) => {
    dropExtension(hello, ExtensionType.server_name);
  }, { outcome: "goes on" }),
  ...([
    ["in capitals", "LOCALHOST"],
    ["that nobody has", "nobody.example"],
    ["with an underscore", "a_b.example"],
    ["of 253 characters", `${"a.".repeat(126)}a`],
  ] as const).flatMap(([what, name]) =>
    helloWith(`answers a client that asks for a name ${what}`, (hello) => {
      setExtension(hello, ExtensionType.server_name, extensions.serverName(name).data);
    }, { outcome: "goes on" })
  ),
  ...([
    ["that is empty", ""],
    ["with a NUL", "localhost\0.example"],
    ["with a space", "local host"],
    ["of 300 characters", "a".repeat(300)],
    ["of 30,000 characters", "a.".repeat(15_000)],
    ["that is no ASCII", "löcalhost"],
    ["with a slash", "localhost/../x"],
  ] as const).flatMap(([what, name]) =>
    helloWith(`refuses a client that asks for a name ${what}`, (hello) => {
      setExtension(hello, ExtensionType.server_name, extensions.serverName(name).data);
    }, { outcome: { code: misbehaved } })
  ),
  ...helloWith("refuses two names", (hello) => {
    const { data } = extensions.serverName("localhost", "other.example");
    setExtension(hello, ExtensionType.server_name, data);
  }, { outcome: { code: misbehaved } }),
  ...helloWith("refuses an empty list of names", (hello) => {
    setExtension(hello, ExtensionType.server_name, vector16());
  }, { outcome: { code: misbehaved } }),
  ...helloWith("refuses a name of no known kind", (hello) => {
    const entry = concat(u8(7), vector16(new Uint8Array(5)));
    setExtension(hello, ExtensionType.server_name, vector16(entry));
  }, { outcome: { code: misbehaved } }),
];

/** Hellos that are no messages of their length. */
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
  ...onClients({
    name: "refuses an empty ServerHello",
    after: null,
    peer: { rewrite: () => handshakeMessage(HandshakeType.server_hello) },
    run: (server) => server.handshake("server_hello"),
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
export const HELLOS: Attack[] = [
  ...CLIENT_HELLOS,
  ...RENEGOTIATION,
  ...SERVER_HELLOS,
  ...RETRIES,
  ...ENCRYPTED_EXTENSIONS,
  ...NAMES,
  ...LENGTHS,
];

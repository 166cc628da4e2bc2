/**
 * What proves a handshake, and does not: Finished, Certificate, CertificateVerify, the signature of a
 * key exchange (RFC 8446 §4.4, RFC 5246 §7.4).
 *
 * @module
 */

import { type Attack, onBoth, onClients, onServers } from "../attack.ts";
import {
  certificate12,
  certificate13,
  concat,
  Credential,
  handshakeMessage,
  HandshakeType,
} from "../attacker/mod.ts";
import { caCert, clientCert, serverCert } from "../../testdata/mod.ts";

const misbehaved = "ERR_TLS_PEER_MISBEHAVED";

/** Changes the messages of one type on their way. */
function rewriting(type: number, change: (message: Uint8Array) => Uint8Array | Uint8Array[]) {
  return {
    rewrite: (message: Uint8Array) => message[0] === type ? change(message) : message,
  };
}

function flipped(message: Uint8Array): Uint8Array {
  message[message.length - 1] ^= 1;
  return message;
}

const body = (message: Uint8Array) => message.subarray(4);

/** Ways in which a Finished can be wrong. */
const WRONG_FINISHED: [string, (message: Uint8Array) => Uint8Array][] = [
  ["that is wrong in one bit", flipped],
  ["that is empty", ([type]) => handshakeMessage(type)],
  ["that is a byte too short", (message) => handshakeMessage(message[0], body(message).slice(1))],
  [
    "that is a byte too long",
    (message) => handshakeMessage(message[0], body(message), new Uint8Array(1)),
  ],
  ["of zeros", (message) => handshakeMessage(message[0], new Uint8Array(message.length - 4))],
  ["of 60,000 bytes", (message) => handshakeMessage(message[0], new Uint8Array(60_000))],
];

/** Many certificates, of which the first is the right one. */
function longChain(version: string, length: number): (message: Uint8Array) => Uint8Array {
  const { chain: [own] } = new Credential(serverCert("ec_p256"));
  const { chain: [ca] } = new Credential({ ...serverCert("ec_p256"), cert: caCert("ec") });
  const count = Math.ceil(length / ca.length);
  const chain = [own, ...Array.from({ length: count }, () => ca)];
  return () => version === "TLSv1.3" ? certificate13(chain) : certificate12(chain);
}

const wantsCertificate = {
  serve: {
    options: { clientAuth: "required" as const, caCerts: [caCert("ec")] },
  },
  peer: { credential: new Credential(clientCert("ec")) },
};

function certificates(version: "TLSv1.2" | "TLSv1.3"): Attack[] {
  const empty = version === "TLSv1.3" ? certificate13([]) : certificate12([]);
  const versions = [version];
  const { certificate, certificate_verify } = HandshakeType;
  return [
    ...onClients({
      name: "refuses a server without a certificate",
      versions,
      after: null,
      peer: rewriting(certificate, () => empty),
      run: (peer) => peer.handshake(),
      outcome: { code: misbehaved },
    }),
    ...onServers({
      name: "refuses a client without a certificate where one is required",
      versions,
      after: null,
      ...wantsCertificate,
      peer: {},
      async run(peer) {
        await peer.handshake();
        await peer.readToEnd();
      },
      outcome: { code: misbehaved, alert: "certificate_required" },
    }),
    ...onServers({
      name: "refuses a client's CertificateVerify that is wrong",
      versions,
      after: null,
      ...wantsCertificate,
      peer: { ...wantsCertificate.peer, ...rewriting(certificate_verify, flipped) },
      async run(peer) {
        await peer.handshake();
        await peer.readToEnd();
      },
      outcome: { code: "ERR_TLS_CERT_INVALID" },
    }),
    ...onServers({
      name: "refuses a client that does not prove its certificate",
      versions,
      after: null,
      ...wantsCertificate,
      peer: { ...wantsCertificate.peer, ...rewriting(certificate_verify, () => []) },
      async run(peer) {
        await peer.handshake();
        await peer.readToEnd();
      },
      outcome: { code: misbehaved, alert: "unexpected_message" },
    }),
    ...onClients({
      name: "refuses a list of certificates of 60,000 bytes that leads nowhere, in bounded memory",
      versions,
      after: null,
      peer: {
        credential: new Credential(serverCert("other_ca")),
        ...rewriting(certificate, longChain(version, 60_000)),
      },
      run: (peer) => peer.handshake(),
      outcome: { code: "ERR_TLS_CERT_INVALID" },
    }),
    ...onClients({
      name: "refuses a list of certificates of 200,000 bytes",
      versions,
      after: null,
      peer: rewriting(certificate, longChain(version, 200_000)),
      run: (peer) => peer.handshake(),
      outcome: { code: misbehaved },
    }),
    ...onServers({
      name: "refuses a client's list of certificates of 200,000 bytes",
      versions,
      after: null,
      ...wantsCertificate,
      peer: {
        ...wantsCertificate.peer,
        ...rewriting(certificate, longChain(version, 200_000)),
      },
      async run(peer) {
        await peer.handshake();
        await peer.readToEnd();
      },
      outcome: { code: misbehaved },
    }),
    ...onClients({
      name: "refuses a certificate of nonsense",
      versions,
      after: null,
      peer: rewriting(certificate, () => {
        const chain = [new Uint8Array(500).fill(0x30)];
        return version === "TLSv1.3" ? certificate13(chain) : certificate12(chain);
      }),
      run: (peer) => peer.handshake(),
      outcome: { code: "ERR_TLS_CERT_INVALID" },
    }),
  ];
}

/** The attacks. */
export const FINISHED: Attack[] = [
  ...WRONG_FINISHED.flatMap(([how, change]) =>
    onBoth({
      name: `refuses a Finished ${how}`,
      after: null,
      peer: rewriting(HandshakeType.finished, change),
      async run(peer) {
        await peer.handshake();
        await peer.readToEnd();
      },
      outcome: { code: misbehaved },
    })
  ),
  ...certificates("TLSv1.2"),
  ...certificates("TLSv1.3"),
  ...onClients({
    name: "refuses a server's CertificateVerify that is wrong",
    versions: ["TLSv1.3"],
    after: null,
    peer: rewriting(HandshakeType.certificate_verify, flipped),
    run: (peer) => peer.handshake(),
    outcome: { code: "ERR_TLS_CERT_INVALID" },
  }),
  ...onClients({
    name: "refuses a server that does not prove its certificate",
    versions: ["TLSv1.3"],
    after: null,
    peer: rewriting(HandshakeType.certificate_verify, () => []),
    run: (peer) => peer.handshake(),
    outcome: { code: misbehaved, alert: "unexpected_message" },
  }),
  ...onClients({
    name: "refuses a server that leaves its certificate out",
    versions: ["TLSv1.3"],
    after: null,
    peer: {
      rewrite: (message) =>
        [HandshakeType.certificate, HandshakeType.certificate_verify].some((type) =>
            type === message[0]
          )
          ? []
          : message,
    },
    run: (peer) => peer.handshake(),
    outcome: { code: misbehaved, alert: "unexpected_message" },
  }),
  ...onClients({
    name: "refuses a key exchange whose signature is wrong",
    versions: ["TLSv1.2"],
    after: null,
    peer: rewriting(HandshakeType.server_key_exchange, flipped),
    run: (peer) => peer.handshake(),
    outcome: { code: "ERR_TLS_CERT_INVALID" },
  }),
  ...onClients({
    name: "refuses a server that leaves its key exchange out",
    versions: ["TLSv1.2"],
    after: null,
    peer: rewriting(HandshakeType.server_key_exchange, () => []),
    run: (peer) => peer.handshake(),
    outcome: { code: misbehaved, alert: "unexpected_message" },
  }),
  ...onServers({
    name: "refuses a key exchange with no key in it",
    versions: ["TLSv1.2"],
    after: null,
    peer: rewriting(
      HandshakeType.client_key_exchange,
      ([type]) => handshakeMessage(type, new Uint8Array(1)),
    ),
    async run(peer) {
      await peer.handshake();
      await peer.readToEnd();
    },
    outcome: { code: misbehaved },
  }),
  ...onServers({
    name: "refuses a client that leaves its key exchange out",
    versions: ["TLSv1.2"],
    after: null,
    peer: rewriting(HandshakeType.client_key_exchange, () => []),
    async run(peer) {
      await peer.handshake();
      await peer.readToEnd();
    },
    outcome: { code: misbehaved, alert: "unexpected_message" },
  }),
  ...onBoth({
    name: "refuses data between the parts of a message of the handshake",
    after: "client_hello",
    async run(peer, _scene, { victim }) {
      if (victim === "server") await peer.handshake("server_flight");
      const half = concat(handshakeMessage(HandshakeType.finished, new Uint8Array(32)));
      await peer.send(peer.message(half.subarray(0, 10)), peer.data(new Uint8Array(10)));
    },
    outcome: { code: misbehaved },
  }),
];

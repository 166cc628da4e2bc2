/**
 * Sessions that are offered to servers wrongly: PSKs and their binders (RFC 8446 §4.2.11), sessions of
 * TLS 1.2 with another extended_master_secret or suite (RFC 5246 §7.4.1.3, RFC 5077, RFC 7627 §5.3).
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { assertEquals } from "@std/assert";
import { type Attack, onServers, type Outcome } from "../attack.ts";
import {
  type Client,
  type ClientHello,
  type ClientOptions,
  concat,
  ContentType,
  decodeClientHello,
  dropExtension,
  encodeClientHello,
  extensions,
  ExtensionType,
  HandshakeType,
  type Session,
  setExtension,
  type Version,
} from "../attacker/mod.ts";
import { MODES, resumptionOf, sessionFrom } from "./sessions.ts";

const misbehaved = "ERR_TLS_PEER_MISBEHAVED";
const illegal = { code: misbehaved, alert: "illegal_parameter" };

/** Gets a session in an honest handshake, and offers it with these options. */
function offering(
  name: string,
  version: Version,
  /** Whether it is resumed, or how the connection ends. */
  outcome: boolean | Outcome,
  change: (session: Session) => ClientOptions,
  /** What the client does after the ServerHello, if it is refused. */
  then: (client: Client) => Promise<void> = () => Promise.resolve(),
): Attack[] {
  return MODES.flatMap((mode) =>
    onServers({
      name: `${name} (${mode})`,
      versions: [version],
      serve: { resumption: resumptionOf(mode) },
      async run(client, scene) {
        const session = await sessionFrom(client, scene);
        const next = await scene.open(change(session));
        await next.handshake("server_hello");
        if (typeof outcome !== "boolean") return await then(next);
        await next.handshake();
        assertEquals(next.resumed, outcome);
      },
      outcome: typeof outcome === "boolean" ? "goes on" : outcome,
    })
  );
}

/** A session that no server gave. */
function invented({ suite, secret }: Session, ticketLength = 32): Session {
  return {
    suite,
    secret: randomBytes(secret.length),
    ticket: randomBytes(ticketLength),
    sessionId: new Uint8Array(0),
    extendedMasterSecret: true,
    lifetime: 7200,
    ageAdd: 0,
    receivedAt: Date.now(),
    maxEarlyData: 0,
  };
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[copy.length - 1] ^= 1;
  return copy;
}

/** Changes a ClientHello once its binders are there. */
function afterBinders(change: (hello: ClientHello) => void): ClientOptions["rewrite"] {
  return (message) => {
    if (message[0] !== HandshakeType.client_hello) return message;
    const hello = decodeClientHello(message.subarray(4));
    change(hello);
    return encodeClientHello(hello);
  };
}

/** PSKs of TLS 1.3. */
const PSKS: Attack[] = [
  ...offering("resumes an honest session", "TLSv1.3", true, (session) => ({
    sessions: [session],
  })),
  ...offering("refuses a binder that is wrong in one bit", "TLSv1.3", {
    code: misbehaved,
    alert: "decrypt_error",
  }, (session) => ({ sessions: [session], binders: ([binder]) => [flipped(binder)] })),
  ...offering("refuses a binder of another key", "TLSv1.3", {
    code: misbehaved,
    alert: "decrypt_error",
  }, (session) => ({ sessions: [{ ...session, secret: randomBytes(session.secret.length) }] })),
  ...offering("refuses a binder that is too short", "TLSv1.3", { code: misbehaved }, (session) => ({
    sessions: [session],
    binders: ([binder]) => [binder.subarray(0, 31)],
  })),
  ...offering("refuses PSKs without binders", "TLSv1.3", { code: misbehaved }, (session) => ({
    sessions: [session],
    binders: () => [],
  })),
  ...offering("refuses more binders than PSKs", "TLSv1.3", illegal, (session) => ({
    sessions: [session],
    binders: ([binder]) => [binder, binder],
  })),
  ...offering("refuses fewer binders than PSKs", "TLSv1.3", illegal, (session) => ({
    sessions: [session, invented(session)],
    binders: ([binder]) => [binder],
  })),
  ...offering("resumes the first of many PSKs", "TLSv1.3", true, (session) => ({
    sessions: [session, ...Array.from({ length: 200 }, () => invented(session))],
  })),
  ...offering("resumes the second PSK behind one that nobody gave", "TLSv1.3", true, (session) => ({
    sessions: [invented(session), session],
  })),
  ...offering("shakes hands fully with who names it behind 200 PSKs", "TLSv1.3", false, (
    session,
  ) => ({ sessions: [...Array.from({ length: 200 }, () => invented(session)), session] })),
  ...offering("shakes hands fully with who invents a PSK", "TLSv1.3", false, (session) => ({
    sessions: [invented(session)],
  })),
  ...offering("shakes hands fully with who invents a PSK of 60,000 bytes", "TLSv1.3", false, (
    session,
  ) => ({ sessions: [invented(session, 60_000)] })),
  ...offering("shakes hands fully with who changes a ticket", "TLSv1.3", false, (session) => ({
    sessions: [{ ...session, ticket: flipped(session.ticket) }],
  })),
  ...offering("shakes hands fully with who cuts a ticket", "TLSv1.3", false, (session) => ({
    sessions: [{ ...session, ticket: session.ticket.subarray(1) }],
  })),
  ...offering("refuses PSKs that are not at the end of the hello", "TLSv1.3", illegal, (
    session,
  ) => ({
    sessions: [session],
    rewrite: afterBinders((hello) => hello.extensions.unshift(hello.extensions.pop()!)),
  })),
  ...offering("refuses PSKs without their modes", "TLSv1.3", {
    code: misbehaved,
    alert: "missing_extension",
  }, (session) => ({
    sessions: [session],
    hello: (hello) => dropExtension(hello, ExtensionType.psk_key_exchange_modes),
  })),
  ...offering("shakes hands fully with who wants a PSK alone", "TLSv1.3", false, (session) => ({
    sessions: [session],
    // psk_ke, without a key exchange (RFC 8446 §4.2.9).
    hello: (hello) =>
      setExtension(hello, ExtensionType.psk_key_exchange_modes, new Uint8Array([1, 0])),
  })),
  ...offering("shakes hands fully with who cannot do the session's suite", "TLSv1.3", false, (
    session,
  ) => ({
    sessions: [session],
    suites: [0x1301, 0x1302, 0x1303].filter((code) => code !== session.suite.code),
  })),
  ...offering("does not resume a session of TLS 1.3 in TLS 1.2", "TLSv1.3", false, (session) => ({
    versions: ["TLSv1.2"],
    hello: (hello) => setExtension(hello, ExtensionType.session_ticket, concat(session.ticket)),
  })),
  ...offering("resumes across a HelloRetryRequest", "TLSv1.3", true, (session) => ({
    sessions: [session],
    shares: [],
  })),
];

/** Sessions of TLS 1.2. */
const SESSIONS: Attack[] = [
  ...offering("resumes an honest session", "TLSv1.2", true, (session) => ({
    sessions: [session],
  })),
  ...offering("resumes an honest session twice", "TLSv1.2", true, (session) => ({
    sessions: [session],
  })),
  // RFC 7627 §5.3: the full handshake had it, so it must be there.
  ...offering("refuses a session that drops extended_master_secret", "TLSv1.2", {
    code: misbehaved,
  }, (session) => ({ sessions: [session], extendedMasterSecret: false })),
  ...offering("shakes hands fully with who cannot do the session's suite", "TLSv1.2", false, (
    session,
  ) => ({
    sessions: [session],
    suites: [0xc02b, 0xc02c, 0xcca9].filter((code) => code !== session.suite.code),
  })),
  ...offering(
    "refuses a session whose secret the client does not have",
    "TLSv1.2",
    {
      code: misbehaved,
    },
    (session) => ({ sessions: [{ ...session, secret: randomBytes(48) }] }),
    async (client) => {
      const finished = client.record(ContentType.handshake, randomBytes(40));
      await client.send(client.changeCipherSpec(), finished);
    },
  ),
  ...offering("shakes hands fully with who changes a ticket or an id", "TLSv1.2", false, (
    session,
  ) => ({
    sessions: [{
      ...session,
      ticket: session.ticket.length > 0 ? flipped(session.ticket) : session.ticket,
      sessionId: session.sessionId.length > 0 ? flipped(session.sessionId) : session.sessionId,
    }],
  })),
  ...offering(
    "shakes hands fully with who sends a ticket of 60,000 bytes",
    "TLSv1.2",
    false,
    () => ({
      hello: (hello) => setExtension(hello, ExtensionType.session_ticket, randomBytes(60_000)),
    }),
  ),
  ...offering("does not resume a session of TLS 1.2 in TLS 1.3", "TLSv1.2", false, (session) => ({
    versions: ["TLSv1.3"],
    hello(hello) {
      hello.sessionId = session.sessionId.length > 0 ? session.sessionId : hello.sessionId;
      hello.extensions.unshift(extensions.sessionTicket(session.ticket));
    },
  })),
];

/** The attacks. */
export const RESUMPTION: Attack[] = [...PSKS, ...SESSIONS];

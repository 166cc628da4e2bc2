/**
 * The flights of a TLS 1.3 server (RFC 8446 §2), and the tickets that follow.
 *
 * @module
 */

import { randomBytes, randomInt } from "node:crypto";
import {
  ContentType,
  ExtensionType,
  type GroupName,
  HandshakeType,
  NamedGroup,
  ProtocolVersion,
} from "./codes.ts";
import * as extensions from "./extensions.ts";
import { findExtension } from "./hello.ts";
import { type KeyShare, keyShare } from "./key_exchange.ts";
import { KeySchedule13, ticketPsk, type TrafficSecret } from "./keys13.ts";
import {
  certificate13,
  certificateRequest13,
  certificateVerify13,
  encryptedExtensions,
  finished,
  newSessionTicket13,
  type Session,
  type Ticket13,
} from "./messages.ts";
import type { Server, ServerFlights } from "./server.ts";
import { concat, Reader, sameBytes } from "./wire.ts";

const TWO_HOURS_S = 7200;

/** The flights. */
export class Server13 implements ServerFlights {
  readonly #server: Server;
  readonly #schedule: KeySchedule13;
  readonly #share: KeyShare;
  readonly #peerKey: Uint8Array;
  readonly #session: Session | undefined;
  readonly #earlySecret: TrafficSecret | undefined;
  #clientHandshake!: TrafficSecret;
  #serverHandshake!: TrafficSecret;
  #clientApplication!: TrafficSecret;
  #resumption!: Uint8Array;

  /** Chooses, and makes the ServerHello. */
  constructor(server: Server) {
    this.#server = server;
    const { hello, suite } = server;
    const offered = findExtension(hello, ExtensionType.key_share);
    const shares = offered === undefined ? [] : extensions.readClientKeyShares(offered);
    const usable = server.groups.filter((name) =>
      shares.some(({ group }) => group === NamedGroup[name])
    );
    // A script that takes a group without a share of it goes on with a key of its own.
    const group: GroupName = usable[0] ?? server.groups[0];
    this.#share = keyShare(group);
    const theirs = shares.find((share) => share.group === NamedGroup[group]);
    this.#peerKey = theirs?.key ?? keyShare(group).publicKey;
    const [index, session] = this.#resumable();
    this.#session = session;
    server.resumed = session !== undefined;
    this.#schedule = new KeySchedule13(suite!, session?.secret);
    if (session !== undefined && findExtension(hello, ExtensionType.early_data) !== undefined) {
      this.#earlySecret = this.#schedule.traffic("c e traffic", this.#hash);
    }
    server.serverHello = {
      version: ProtocolVersion["TLSv1.2"],
      random: server.random(),
      sessionId: hello.sessionId,
      suite: suite!.code,
      compression: 0,
      extensions: [
        extensions.selectedVersion(ProtocolVersion["TLSv1.3"]),
        extensions.serverKeyShare({ group: NamedGroup[group], key: this.#share.publicKey }),
        ...(session === undefined ? [] : [extensions.selectedPsk(index)]),
      ],
    };
  }

  get #hash(): Uint8Array {
    return this.#server.transcript.hash(this.#schedule.suite.hash);
  }

  /** The first PSK of the client that is known and fits. The binder is not looked at. */
  #resumable(): [number, Session | undefined] {
    const { hello, sessions, suite } = this.#server;
    const data = findExtension(hello, ExtensionType.pre_shared_key);
    if (data === undefined) return [0, undefined];
    const { identities } = extensions.readPreSharedKey(data);
    for (const [index, { identity }] of identities.entries()) {
      const found = sessions.find(({ ticket, suite: { hash } }) =>
        hash === suite!.hash && sameBytes(ticket, identity)
      );
      if (found !== undefined) return [index, found];
    }
    return [0, undefined];
  }

  /** The handshake secrets, once the ServerHello has been sent. */
  takeHandshakeKeys(): void {
    this.#schedule.advance(this.#share.agree(this.#peerKey));
    this.#clientHandshake = this.#schedule.traffic("c hs traffic", this.#hash);
    this.#serverHandshake = this.#schedule.traffic("s hs traffic", this.#hash);
    this.#server.writeUnder(this.#serverHandshake);
    this.#server.readUnder(this.#earlySecret ?? this.#clientHandshake);
  }

  /** ChangeCipherSpec, EncryptedExtensions to Finished. */
  async serverFlight(): Promise<void> {
    const server = this.#server;
    const { options: { selectAlpn, certificateRequest }, credential } = server;
    await server.send(server.changeCipherSpec());
    await server.sendHandshake(encryptedExtensions([
      ...(selectAlpn === undefined ? [] : [extensions.alpn([selectAlpn])]),
      ...(this.#earlySecret === undefined ? [] : [extensions.earlyData()]),
    ]));
    if (this.#session === undefined) {
      if (certificateRequest) await server.sendHandshake(certificateRequest13());
      await server.sendHandshake(certificate13(credential.chain));
      const scheme = credential.scheme(this.#signatureAlgorithms());
      await server.sendHandshake(certificateVerify13("server", credential, scheme, this.#hash));
    }
    await server.sendHandshake(finished(this.#serverHandshake.verifyData(this.#hash)));
    this.#schedule.advance();
    this.#clientApplication = this.#schedule.traffic("c ap traffic", this.#hash);
    server.writeUnder(this.#schedule.traffic("s ap traffic", this.#hash));
  }

  #signatureAlgorithms(): number[] {
    const data = findExtension(this.#server.hello, ExtensionType.signature_algorithms);
    if (data === undefined) return [];
    return new Reader(new Reader(data).vector16()).list((item) => item.u16());
  }

  /** Early data, a certificate where one was asked for, Finished. */
  async clientFlight(): Promise<void> {
    const server = this.#server;
    if (this.#earlySecret !== undefined) await this.#receiveEarlyData();
    for (;;) {
      const before = this.#hash;
      const { type, body } = await server.receiveHandshake(
        HandshakeType.certificate,
        HandshakeType.certificate_verify,
        HandshakeType.finished,
      );
      if (type !== HandshakeType.finished) continue;
      const expected = this.#clientHandshake.verifyData(before);
      if (!sameBytes(body, expected)) throw new Error("A wrong Finished came");
      break;
    }
    this.#resumption = this.#schedule.resumption(this.#hash);
    server.readUnder(this.#clientApplication);
  }

  async #receiveEarlyData(): Promise<void> {
    const server = this.#server;
    for (;;) {
      const incoming = await server.receive();
      if (incoming.kind === "data") {
        server.earlyData = concat(server.earlyData, incoming.bytes);
      } else if (incoming.kind === "handshake") {
        if (incoming.type !== HandshakeType.end_of_early_data) {
          throw new Error(`A handshake message ${incoming.type} has come`);
        }
        server.transcript.add(incoming.bytes);
        return server.readUnder(this.#clientHandshake);
      } else if (incoming.kind !== "change_cipher_spec") {
        throw new Error(`Early data is waited for, and there is: ${incoming.kind}`);
      }
    }
  }

  /** Sends tickets. */
  async established(): Promise<void> {
    const { options: { tickets = 1 } } = this.#server;
    for (let left = tickets; left > 0; left--) {
      await this.#server.send(this.ticket());
    }
  }

  /** A record with a NewSessionTicket, whose session may be resumed. */
  ticket(change: Partial<Ticket13> = {}): Uint8Array<ArrayBuffer> {
    const { options: { ticketLifetime = TWO_HOURS_S, maxEarlyData = 0 } } = this.#server;
    const ticket: Ticket13 = {
      lifetime: ticketLifetime,
      ageAdd: randomInt(2 ** 32),
      nonce: randomBytes(8),
      ticket: randomBytes(32),
      extensions: maxEarlyData > 0 ? [extensions.maxEarlyData(maxEarlyData)] : [],
      ...change,
    };
    const { suite } = this.#schedule;
    this.#server.sessions.push({
      suite,
      secret: ticketPsk(suite.hash, this.#resumption, ticket.nonce),
      ticket: ticket.ticket,
      sessionId: new Uint8Array(0),
      extendedMasterSecret: true,
      lifetime: ticket.lifetime,
      ageAdd: ticket.ageAdd,
      receivedAt: Date.now(),
      maxEarlyData,
    });
    return this.#server.record(ContentType.handshake, newSessionTicket13(ticket));
  }
}

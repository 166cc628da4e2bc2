/**
 * The flights of a TLS 1.2 server (RFC 5246 §7.3), full and abbreviated.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import {
  ExtensionType,
  type GroupName,
  HandshakeType,
  NamedGroup,
  ProtocolVersion,
} from "./codes.ts";
import * as extensions from "./extensions.ts";
import { findExtension } from "./hello.ts";
import { type KeyShare, keyShare } from "./key_exchange.ts";
import { Keys12 } from "./keys12.ts";
import {
  certificate12,
  certificateRequest12,
  finished,
  newSessionTicket12,
  readClientKeyExchange,
  serverHelloDone,
  serverKeyExchange,
  type Session,
} from "./messages.ts";
import type { Server, ServerFlights } from "./server.ts";
import { Reader, sameBytes } from "./wire.ts";

const TWO_HOURS_S = 7200;

/** The flights. */
export class Server12 implements ServerFlights {
  readonly #server: Server;
  readonly #extended: boolean;
  readonly #wantsTicket: boolean;
  #share: KeyShare | undefined;
  #keys: Keys12 | undefined;

  /** Chooses, and makes the ServerHello. */
  constructor(server: Server) {
    this.#server = server;
    const { hello, options: { extendedMasterSecret = true, sessionIds = false, selectAlpn } } =
      server;
    this.#extended = extendedMasterSecret &&
      findExtension(hello, ExtensionType.extended_master_secret) !== undefined;
    this.#wantsTicket = !sessionIds &&
      findExtension(hello, ExtensionType.session_ticket) !== undefined;
    const session = this.#resumable();
    if (session !== undefined) {
      server.resumed = true;
      this.#keys = new Keys12(session.suite, session.secret);
      server.suite = session.suite;
    }
    server.serverHello = {
      version: ProtocolVersion["TLSv1.2"],
      random: server.random(),
      sessionId: session ? hello.sessionId : sessionIds ? randomBytes(32) : new Uint8Array(0),
      suite: server.suite!.code,
      compression: 0,
      extensions: [
        extensions.renegotiationInfo(),
        ...(this.#extended ? [extensions.extendedMasterSecret()] : []),
        ...(this.#wantsTicket ? [extensions.sessionTicket(new Uint8Array(0))] : []),
        ...(selectAlpn === undefined ? [] : [extensions.alpn([selectAlpn])]),
      ],
    };
  }

  /** By the ticket, or by the id. */
  #resumable(): Session | undefined {
    const { hello, sessions } = this.#server;
    const ticket = findExtension(hello, ExtensionType.session_ticket) ?? new Uint8Array(0);
    const byTicket = ticket.length > 0;
    const wanted = byTicket ? ticket : hello.sessionId;
    return sessions.find((session) => {
      const id = byTicket ? session.ticket : session.sessionId;
      return id.length > 0 && sameBytes(id, wanted);
    });
  }

  get #randoms() {
    const { hello, serverHello } = this.#server;
    return { client: hello.random, server: serverHello.random };
  }

  /** Certificate to ServerHelloDone; abbreviated: to Finished. */
  async serverFlight(): Promise<void> {
    const server = this.#server;
    if (server.resumed) return await this.#sendFinished();
    const { credential, options: { certificateRequest } } = server;
    const group = this.#group();
    this.#share = keyShare(group);
    const scheme = credential.scheme(this.#signatureAlgorithms());
    await server.sendHandshake(certificate12(credential.chain));
    await server.sendHandshake(
      serverKeyExchange(credential, scheme, this.#randoms, this.#share),
    );
    if (certificateRequest) await server.sendHandshake(certificateRequest12());
    await server.sendHandshake(serverHelloDone());
  }

  #group(): GroupName {
    const data = findExtension(this.#server.hello, ExtensionType.supported_groups);
    const offered = data === undefined
      ? []
      : new Reader(new Reader(data).vector16()).list((item) => item.u16());
    const { groups } = this.#server;
    return groups.find((name) => offered.includes(NamedGroup[name])) ?? groups[0];
  }

  #signatureAlgorithms(): number[] {
    const data = findExtension(this.#server.hello, ExtensionType.signature_algorithms);
    if (data === undefined) return [];
    return new Reader(new Reader(data).vector16()).list((item) => item.u16());
  }

  /** ClientKeyExchange to Finished; abbreviated: Finished. */
  async clientFlight(): Promise<void> {
    const server = this.#server;
    if (!server.resumed) await this.#receiveKeys();
    const { hash } = server.suite!;
    server.pendingOpening = this.#keys!.protections(this.#randoms).client;
    for (;;) {
      const expected = this.#keys!.verifyData("client", server.transcript.hash(hash));
      const { type, body } = await server.receiveHandshake(
        HandshakeType.certificate_verify,
        HandshakeType.finished,
      );
      if (type !== HandshakeType.finished) continue;
      if (!sameBytes(body, expected)) throw new Error("A wrong Finished came");
      return;
    }
  }

  async #receiveKeys(): Promise<void> {
    const server = this.#server;
    for (;;) {
      const { type, body } = await server.receiveHandshake(
        HandshakeType.certificate,
        HandshakeType.client_key_exchange,
      );
      if (type !== HandshakeType.client_key_exchange) continue;
      const shared = this.#share!.agree(readClientKeyExchange(body));
      const { hash } = server.suite!;
      const sessionHash = this.#extended ? server.transcript.hash(hash) : undefined;
      this.#keys = Keys12.agree(server.suite!, shared, this.#randoms, sessionHash);
      return;
    }
  }

  /** The server's Finished of a full handshake, and a ticket before it. */
  async established(): Promise<void> {
    if (!this.#server.resumed) await this.#sendFinished();
  }

  async #sendFinished(): Promise<void> {
    const server = this.#server;
    const { options: { tickets = 1, ticketLifetime = TWO_HOURS_S } } = server;
    const ticket = this.#wantsTicket && tickets > 0 ? randomBytes(48) : new Uint8Array(0);
    if (ticket.length > 0) {
      await server.sendHandshake(newSessionTicket12(ticketLifetime, ticket));
    }
    await server.send(server.changeCipherSpec());
    server.sealing = this.#keys!.protections(this.#randoms).server;
    const transcriptHash = server.transcript.hash(server.suite!.hash);
    await server.sendHandshake(finished(this.#keys!.verifyData("server", transcriptHash)));
    server.sessions.push({
      suite: server.suite!,
      secret: this.#keys!.masterSecret,
      ticket,
      sessionId: server.serverHello.sessionId,
      extendedMasterSecret: this.#extended,
      lifetime: ticketLifetime,
      ageAdd: 0,
      receivedAt: Date.now(),
      maxEarlyData: 0,
    });
  }
}

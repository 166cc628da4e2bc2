/**
 * The flights of a TLS 1.2 client after the hellos (RFC 5246 §7.3), full and abbreviated.
 *
 * @module
 */

import type { Client, ClientFlights } from "./client.ts";
import { ExtensionType, type GroupName, HandshakeType, NamedGroup } from "./codes.ts";
import { findExtension } from "./hello.ts";
import { keyShare } from "./key_exchange.ts";
import { Keys12 } from "./keys12.ts";
import {
  certificate12,
  certificateVerify12,
  clientKeyExchange,
  finished,
  readServerKeyExchange,
  readTicket12,
  type Session,
} from "./messages.ts";
import { sameBytes } from "./wire.ts";

/** The flights. */
export class Client12 implements ClientFlights {
  readonly #client: Client;
  #keys: Keys12 | undefined;
  #serverKey: { group: number; key: Uint8Array } | undefined;
  #certificateRequested = false;
  #ticket: { lifetime: number; ticket: Uint8Array } | undefined;

  constructor(client: Client) {
    this.#client = client;
    const session = this.#offered();
    const { sessionId } = client.serverHello;
    const echoed = sessionId.length > 0 && sameBytes(sessionId, client.hello.sessionId);
    if (session === undefined || !echoed) return;
    client.resumed = true;
    this.#keys = new Keys12(client.suite!, session.secret);
    client.pendingOpening = this.#keys.protections(this.#randoms).server;
  }

  #offered(): Session | undefined {
    return this.#client.options.sessions?.find(({ suite }) => suite.version === "TLSv1.2");
  }

  get #randoms() {
    const { hello, serverHello } = this.#client;
    return { client: hello.random, server: serverHello.random };
  }

  get #extended(): boolean {
    const type = ExtensionType.extended_master_secret;
    return findExtension(this.#client.serverHello, type) !== undefined;
  }

  /** Certificate to ServerHelloDone; abbreviated: to Finished. */
  async serverFlight(): Promise<void> {
    if (this.#client.resumed) return await this.#receiveFinished();
    for (;;) {
      const { type, body } = await this.#client.receiveHandshake(
        HandshakeType.certificate,
        HandshakeType.certificate_status,
        HandshakeType.server_key_exchange,
        HandshakeType.certificate_request,
        HandshakeType.server_hello_done,
      );
      if (type === HandshakeType.server_key_exchange) {
        this.#serverKey = readServerKeyExchange(body);
      }
      if (type === HandshakeType.certificate_request) this.#certificateRequested = true;
      if (type === HandshakeType.server_hello_done) return;
    }
  }

  /** A certificate where one is asked for, ClientKeyExchange, ChangeCipherSpec, Finished. */
  async clientFlight(): Promise<void> {
    if (!this.#client.resumed) await this.#exchangeKeys();
    await this.#sendFinished();
    if (this.#client.resumed) this.#remember();
  }

  async #exchangeKeys(): Promise<void> {
    const client = this.#client;
    const { suite, options: { credential } } = client;
    const { group, key } = this.#serverKey!;
    const [name] = Object.entries(NamedGroup).find(([, code]) => code === group)!;
    const share = keyShare(name as GroupName);
    if (this.#certificateRequested) {
      await client.sendHandshake(certificate12(credential?.chain ?? []));
    }
    await client.sendHandshake(clientKeyExchange(share.publicKey));
    const sessionHash = this.#extended ? client.transcript.hash(suite!.hash) : undefined;
    this.#keys = Keys12.agree(suite!, share.agree(key), this.#randoms, sessionHash);
    if (this.#certificateRequested && credential !== undefined) {
      const scheme = credential.scheme([]);
      await client.sendHandshake(certificateVerify12(credential, scheme, client.transcript));
    }
    client.pendingOpening = this.#keys.protections(this.#randoms).server;
  }

  async #sendFinished(): Promise<void> {
    const client = this.#client;
    const { hash } = client.suite!;
    await client.send(client.changeCipherSpec());
    client.sealing = this.#keys!.protections(this.#randoms).client;
    const verifyData = this.#keys!.verifyData("client", client.transcript.hash(hash));
    await client.sendHandshake(finished(verifyData));
  }

  async #receiveFinished(): Promise<void> {
    const client = this.#client;
    for (;;) {
      const expected = this.#keys!.verifyData("server", client.transcript.hash(client.suite!.hash));
      const { type, body } = await client.receiveHandshake(
        HandshakeType.new_session_ticket,
        HandshakeType.finished,
      );
      if (type !== HandshakeType.finished) continue;
      if (!sameBytes(body, expected)) throw new Error("A wrong Finished came");
      return;
    }
  }

  /** The server's Finished of a full handshake. */
  async established(): Promise<void> {
    if (this.#client.resumed) return;
    await this.#receiveFinished();
    this.#remember();
  }

  /** A NewSessionTicket has come: within the handshake, before the server's Finished. */
  onTicket(body: Uint8Array): void {
    this.#ticket = readTicket12(body);
  }

  #remember(): void {
    const { sessionId } = this.#client.serverHello;
    const offered = this.#client.resumed ? this.#offered() : undefined;
    this.#client.sessions.push({
      suite: this.#client.suite!,
      secret: this.#keys!.masterSecret,
      ticket: this.#ticket?.ticket ?? offered?.ticket ?? new Uint8Array(0),
      sessionId,
      extendedMasterSecret: this.#extended,
      lifetime: this.#ticket?.lifetime ?? offered?.lifetime ?? 0,
      ageAdd: 0,
      receivedAt: Date.now(),
      maxEarlyData: 0,
    });
  }
}

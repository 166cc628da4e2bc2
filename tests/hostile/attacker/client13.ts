/**
 * The flights of a TLS 1.3 client after the hellos (RFC 8446 §2), and the tickets that follow.
 *
 * @module
 */

import type { Client, ClientFlights } from "./client.ts";
import { ExtensionType, HandshakeType, NamedGroup } from "./codes.ts";
import { readKeyShare } from "./extensions.ts";
import { decodeExtensions, type Extension, findExtension } from "./hello.ts";
import { KeySchedule13, ticketPsk, type TrafficSecret } from "./keys13.ts";
import {
  certificate13,
  certificateVerify13,
  endOfEarlyData,
  finished,
  readTicket13,
} from "./messages.ts";
import { Reader, sameBytes } from "./wire.ts";

/** The flights. */
export class Client13 implements ClientFlights {
  readonly #client: Client;
  readonly #schedule: KeySchedule13;
  #clientHandshake!: TrafficSecret;
  #serverHandshake!: TrafficSecret;
  #clientApplication!: TrafficSecret;
  #resumption: Uint8Array | undefined;
  #certificateRequested = false;
  /** What came before the resumption secret was known. */
  #early: Uint8Array[] = [];

  constructor(client: Client) {
    this.#client = client;
    this.#schedule = this.#agree();
  }

  get #hash(): Uint8Array {
    return this.#client.transcript.hash(this.#schedule.suite.hash);
  }

  /** The handshake secrets, from the hellos. */
  #agree(): KeySchedule13 {
    const { serverHello, shares, suite, options: { sessions = [] } } = this.#client;
    const psk = findExtension(serverHello, ExtensionType.pre_shared_key);
    const selected = psk === undefined ? undefined : sessions[new Reader(psk).u16()];
    this.#client.resumed = selected !== undefined;
    const schedule = new KeySchedule13(suite!, selected?.secret);
    const share = readKeyShare(findExtension(serverHello, ExtensionType.key_share)!);
    const own = shares.find(({ group }) => NamedGroup[group] === share.group);
    if (own === undefined) throw new Error(`The server has chosen group ${share.group}`);
    schedule.advance(own.agree(share.key));
    const hash = this.#client.transcript.hash(suite!.hash);
    this.#clientHandshake = schedule.traffic("c hs traffic", hash);
    this.#serverHandshake = schedule.traffic("s hs traffic", hash);
    this.#client.readUnder(this.#serverHandshake);
    return schedule;
  }

  /** EncryptedExtensions to Finished. */
  async serverFlight(): Promise<void> {
    const client = this.#client;
    const { body } = await client.receiveHandshake(HandshakeType.encrypted_extensions);
    const granted = { extensions: decodeExtensions(new Reader(body)) };
    client.earlyDataAccepted = findExtension(granted, ExtensionType.early_data) !== undefined;
    for (;;) {
      const before = this.#hash;
      const { type, body } = await client.receiveHandshake(
        HandshakeType.certificate_request,
        HandshakeType.certificate,
        HandshakeType.certificate_verify,
        HandshakeType.finished,
      );
      if (type === HandshakeType.certificate_request) this.#certificateRequested = true;
      if (type !== HandshakeType.finished) continue;
      const expected = this.#serverHandshake.verifyData(before);
      if (!sameBytes(body, expected)) throw new Error("A wrong Finished came");
      break;
    }
    this.#schedule.advance();
    this.#clientApplication = this.#schedule.traffic("c ap traffic", this.#hash);
    client.readUnder(this.#schedule.traffic("s ap traffic", this.#hash));
  }

  /** EndOfEarlyData, a certificate where one is asked for, Finished. */
  async clientFlight(): Promise<void> {
    const client = this.#client;
    const { options: { earlyData, credential } } = client;
    if (earlyData === undefined) await client.send(client.changeCipherSpec());
    else if (client.earlyDataAccepted) await client.sendHandshake(endOfEarlyData());
    client.writeUnder(this.#clientHandshake);
    if (this.#certificateRequested) {
      await client.sendHandshake(certificate13(credential?.chain ?? []));
      if (credential !== undefined) {
        const scheme = credential.scheme([]);
        await client.sendHandshake(
          certificateVerify13("client", credential, scheme, this.#hash),
        );
      }
    }
    await client.sendHandshake(finished(this.#clientHandshake.verifyData(this.#hash)));
    this.#resumption = this.#schedule.resumption(this.#hash);
    client.writeUnder(this.#clientApplication);
  }

  /** Nothing more is needed. Tickets come when they come. */
  established(): Promise<void> {
    for (const body of this.#early.splice(0)) this.onTicket(body);
    return Promise.resolve();
  }

  /** Makes a session of a NewSessionTicket. */
  onTicket(body: Uint8Array): void {
    if (this.#resumption === undefined) return void this.#early.push(body);
    const { lifetime, ageAdd, nonce, ticket, extensions } = readTicket13(body);
    const { suite } = this.#schedule;
    this.#client.sessions.push({
      suite,
      secret: ticketPsk(suite.hash, this.#resumption, nonce),
      ticket,
      sessionId: new Uint8Array(0),
      extendedMasterSecret: true,
      lifetime,
      ageAdd,
      receivedAt: Date.now(),
      maxEarlyData: earlyDataLimit(extensions),
    });
  }
}

/** `max_early_data_size` of a ticket (RFC 8446 §4.2.10). */
function earlyDataLimit(extensions: Extension[]): number {
  const data = findExtension({ extensions }, ExtensionType.early_data);
  return data === undefined ? 0 : new Reader(data).u32();
}

/**
 * A TLS client by hand: the hellos, which both versions share. The flights after them are in
 * `client13.ts` and `client12.ts`.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { type ByteStream, connectTcp } from "./byte_stream.ts";
import { Client12 } from "./client12.ts";
import { Client13 } from "./client13.ts";
import {
  ExtensionType,
  type GroupName,
  HandshakeType,
  NamedGroup,
  ProtocolVersion,
  type Version,
  VERSIONS,
} from "./codes.ts";
import type { Credential } from "./credential.ts";
import * as extensions from "./extensions.ts";
import {
  type ClientHello,
  decodeServerHello,
  dropExtension,
  encodeClientHello,
  findExtension,
  RETRY_RANDOM,
  type ServerHello,
  setExtension,
} from "./hello.ts";
import { type KeyShare, keyShare } from "./key_exchange.ts";
import { KeySchedule13 } from "./keys13.ts";
import type { Session } from "./messages.ts";
import { type Framing, Peer, type Stage } from "./peer.ts";
import { NO_PROTECTION } from "./protection.ts";
import { CIPHER_SUITES, cipherSuite } from "./suites.ts";
import { Reader, sameBytes } from "./wire.ts";

/** What a client is like; honest where nothing is said. */
export interface ClientOptions extends Framing {
  /** Versions to offer; both by default. */
  versions?: readonly Version[];
  /** Code points of suites to offer; all by default. */
  suites?: readonly number[];
  /** Groups to offer; both by default. */
  groups?: readonly GroupName[];
  /** Groups to send a share of; the first one by default. */
  shares?: readonly GroupName[];
  /** `localhost` by default; `null`: none. */
  serverName?: string | null;
  alpn?: readonly string[];
  /** Whether to offer extended_master_secret; `true` by default. */
  extendedMasterSecret?: boolean;
  /** Sessions to offer: PSKs of TLS 1.3 in this order, or one of TLS 1.2. */
  sessions?: Session[];
  /** Sent behind the ClientHello, under the first PSK. */
  earlyData?: Uint8Array;
  /** Answers a CertificateRequest. */
  credential?: Credential;
  /** Changes a ClientHello before the binders are computed; the second one too. */
  hello?: (hello: ClientHello) => void;
  /** Makes of the right binders those that are sent. */
  binders?: (binders: Uint8Array[]) => Uint8Array[];
}

/** The flights after the hellos. */
export interface ClientFlights {
  serverFlight(): Promise<void>;
  clientFlight(): Promise<void>;
  established(): Promise<void>;
}

/** A client. */
export class Client extends Peer {
  readonly side = "client";
  readonly options: ClientOptions;
  /** As they were sent and received, the newest ones. */
  hello!: ClientHello;
  serverHello!: ServerHello;
  shares: KeyShare[] = [];
  /** TLS 1.3, begun with the first PSK that is offered. */
  earlySchedule: KeySchedule13 | undefined;
  /** Sessions that the server gave, the newest last. */
  readonly sessions: Session[] = [];
  /** Whether the server accepted early data. */
  earlyDataAccepted = false;
  /** Whether a HelloRetryRequest came. */
  retried = false;
  #flights: ClientFlights | undefined;

  constructor(stream: ByteStream, options: ClientOptions = {}) {
    super(stream, options);
    this.options = options;
  }

  /** Opens a TCP connection on loopback. */
  static async connect(port: number, options?: ClientOptions): Promise<Client> {
    return new Client(await connectTcp(port), options);
  }

  protected override step(stage: Stage): Promise<void> {
    switch (stage) {
      case "client_hello":
        return this.#sendHello();
      case "server_hello":
        return this.#receiveHello();
      case "server_flight":
        return this.#flights!.serverFlight();
      case "client_flight":
        return this.#flights!.clientFlight();
      case "established":
        return this.#flights!.established();
    }
  }

  protected override onMessage(type: number, body: Uint8Array): void {
    if (type !== HandshakeType.new_session_ticket) return;
    if (this.#flights instanceof Client13) this.#flights.onTicket(body);
    if (this.#flights instanceof Client12) this.#flights.onTicket(body);
  }

  get #psks(): readonly Session[] {
    const { sessions = [] } = this.options;
    return sessions.filter(({ suite }) => suite.version === "TLSv1.3");
  }

  /** An honest ClientHello, but for the binders. */
  #makeHello(): ClientHello {
    const { versions = VERSIONS, groups = ["x25519", "secp256r1"], alpn } = this.options;
    const { serverName = "localhost", extendedMasterSecret = true, sessions = [] } = this.options;
    const { shares = groups.slice(0, 1), earlyData } = this.options;
    const tls13 = versions.includes("TLSv1.3");
    const tls12 = versions.includes("TLSv1.2");
    const old = sessions.find(({ suite }) => suite.version === "TLSv1.2");
    this.shares = tls13 ? shares.map(keyShare) : [];
    const suites = CIPHER_SUITES.filter(({ version }) => versions.includes(version));
    return {
      version: ProtocolVersion["TLSv1.2"],
      random: randomBytes(32),
      // With a ticket, an id of the client's own shows whether it was taken (RFC 5077 §3.4). On
      // TLS 1.3 it is for middleboxes (RFC 8446 §D.4).
      sessionId: old !== undefined && old.ticket.length === 0
        ? old.sessionId
        : tls13 || old !== undefined
        ? randomBytes(32)
        : new Uint8Array(0),
      suites: [...this.options.suites ?? suites.map(({ code }) => code)],
      compressions: [0],
      extensions: [
        ...(serverName === null ? [] : [extensions.serverName(serverName)]),
        extensions.supportedGroups(groups),
        extensions.signatureAlgorithms(),
        ...(alpn ? [extensions.alpn(alpn)] : []),
        ...(tls12 ? [extensions.pointFormats(), extensions.renegotiationInfo()] : []),
        ...(tls12 ? [extensions.sessionTicket(old?.ticket ?? new Uint8Array(0))] : []),
        ...(tls12 && extendedMasterSecret ? [extensions.extendedMasterSecret()] : []),
        ...(tls13
          ? [
            extensions.supportedVersions(versions.map((name) => ProtocolVersion[name])),
            extensions.pskModes(),
            extensions.clientKeyShares(this.#shareEntries()),
          ]
          : []),
        ...(earlyData ? [extensions.earlyData()] : []),
      ],
    };
  }

  #shareEntries() {
    return this.shares.map(({ group, publicKey }) => ({
      group: NamedGroup[group],
      key: publicKey,
    }));
  }

  /** The message, with pre_shared_key and its binders at its end, where PSKs are offered. */
  #encodeHello(): Uint8Array {
    this.options.hello?.(this.hello);
    const psks = this.#psks;
    if (psks.length === 0) return encodeClientHello(this.hello);
    const schedules = psks.map(({ suite, secret }) => new KeySchedule13(suite, secret));
    this.earlySchedule ??= schedules[0];
    const identities = psks.map(({ ticket, receivedAt, ageAdd }) => ({
      identity: ticket,
      obfuscatedAge: (Date.now() - receivedAt + ageAdd) % 2 ** 32,
    }));
    const zeros = psks.map(({ secret }) => new Uint8Array(secret.length));
    setExtension(
      this.hello,
      ExtensionType.pre_shared_key,
      extensions.preSharedKey(identities, zeros).data,
    );
    const message = encodeClientHello(this.hello);
    // Binders are over the hello without the list of them (RFC 8446 §4.2.11.2).
    const length = 2 + zeros.reduce((sum, binder) => sum + 1 + binder.length, 0);
    const truncated = message.subarray(0, -length);
    const binders = schedules.map((schedule) =>
      schedule.binder(this.transcript.hash(schedule.suite.hash, truncated))
    );
    setExtension(
      this.hello,
      ExtensionType.pre_shared_key,
      extensions.preSharedKey(identities, this.options.binders?.(binders) ?? binders).data,
    );
    return encodeClientHello(this.hello);
  }

  async #sendHello(): Promise<void> {
    this.hello = this.#makeHello();
    await this.sendHandshake(this.#encodeHello());
    const { earlyData } = this.options;
    if (earlyData === undefined) return;
    const schedule = this.earlySchedule!;
    this.writeUnder(schedule.traffic("c e traffic", this.transcript.hash(schedule.suite.hash)));
    await this.send(this.changeCipherSpec(), this.data(earlyData));
  }

  async #receiveHello(): Promise<void> {
    const { body } = await this.receiveHandshake(HandshakeType.server_hello);
    this.serverHello = decodeServerHello(body);
    this.suite = cipherSuite(this.serverHello.suite);
    if (isRetry(this.serverHello)) {
      if (this.retried) throw new Error("A second HelloRetryRequest has come");
      this.retried = true;
      await this.#retryHello();
      return await this.#receiveHello();
    }
    this.version = findExtension(this.serverHello, ExtensionType.supported_versions) !== undefined
      ? "TLSv1.3"
      : "TLSv1.2";
    this.#flights = this.version === "TLSv1.3" ? new Client13(this) : new Client12(this);
  }

  /** A HelloRetryRequest counts after the hash of the first ClientHello. */
  protected override addReceived(type: number, bytes: Uint8Array): void {
    if (type === HandshakeType.server_hello && isRetry(decodeServerHello(bytes.subarray(4)))) {
      this.transcript.retry(cipherSuite(decodeServerHello(bytes.subarray(4)).suite).hash);
    }
    super.addReceived(type, bytes);
  }

  /** Answers a HelloRetryRequest (RFC 8446 §4.1.2): another share, the cookie, no early data. */
  async #retryHello(): Promise<void> {
    const share = findExtension(this.serverHello, ExtensionType.key_share);
    if (share !== undefined) {
      const group = new Reader(share).u16();
      const [name] = Object.entries(NamedGroup).find(([, code]) => code === group)!;
      this.shares = [keyShare(name as GroupName)];
      const { data } = extensions.clientKeyShares(this.#shareEntries());
      setExtension(this.hello, ExtensionType.key_share, data);
    }
    const cookie = findExtension(this.serverHello, ExtensionType.cookie);
    if (cookie !== undefined) setExtension(this.hello, ExtensionType.cookie, cookie);
    dropExtension(this.hello, ExtensionType.early_data);
    dropExtension(this.hello, ExtensionType.pre_shared_key);
    this.sealing = NO_PROTECTION;
    await this.send(this.changeCipherSpec());
    await this.sendHandshake(this.#encodeHello());
  }
}

function isRetry({ random }: ServerHello): boolean {
  return sameBytes(random, RETRY_RANDOM);
}

/**
 * A TLS server by hand: the hellos, which both versions share. The flights after them are in
 * `server13.ts` and `server12.ts`.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { type ByteStream, listenTcp } from "./byte_stream.ts";
import {
  ExtensionType,
  type GroupName,
  HandshakeType,
  NamedGroup,
  ProtocolVersion,
  type Version,
  VERSIONS,
} from "./codes.ts";
import { type Credential, serverCredential } from "./credential.ts";
import { retryGroup, selectedVersion } from "./extensions.ts";
import {
  type ClientHello,
  decodeClientHello,
  encodeServerHello,
  findExtension,
  RETRY_RANDOM,
  type ServerHello,
} from "./hello.ts";
import type { Session } from "./messages.ts";
import { type Framing, Peer, type Stage } from "./peer.ts";
import { Server12 } from "./server12.ts";
import { Server13 } from "./server13.ts";
import { CIPHER_SUITES, type CipherSuite } from "./suites.ts";
import { Reader } from "./wire.ts";

/** What a server is like; honest where nothing is said. */
export interface ServerOptions extends Framing {
  /** Versions to take, of which the highest one that the client offers is used; both by default. */
  versions?: readonly Version[];
  /** Code points of suites to take, the preferred one first; all by default. */
  suites?: readonly number[];
  /** Groups to take, the preferred one first; both by default. */
  groups?: readonly GroupName[];
  /** P-256 for localhost by default. */
  credential?: Credential;
  /** The application protocol to choose. */
  selectAlpn?: string;
  /** Whether to take extended_master_secret; `true` by default. */
  extendedMasterSecret?: boolean;
  /** Sessions that may be resumed; those that are given to the client are added. */
  sessions?: Session[];
  /** How many tickets the client gets after a handshake; 1 by default. */
  tickets?: number;
  /** Seconds that tickets announce; two hours by default. */
  ticketLifetime?: number;
  /** TLS 1.2: sessions go by their id, without a ticket. */
  sessionIds?: boolean;
  /** Bytes of early data that tickets allow; 0 by default. */
  maxEarlyData?: number;
  /** Whether to ask for a client's certificate. */
  certificateRequest?: boolean;
  /** Asks for another share of this group by a HelloRetryRequest, so many times; once by default. */
  retry?: { group: GroupName; times?: number };
  /** Changes a ServerHello or HelloRetryRequest before it is encoded. */
  serverHello?: (hello: ServerHello) => void;
}

/** The flights after the hellos. */
export interface ServerFlights {
  serverFlight(): Promise<void>;
  clientFlight(): Promise<void>;
  established(): Promise<void>;
}

/** A server's end of one connection. */
export class Server extends Peer {
  readonly side = "server";
  readonly options: ServerOptions;
  readonly credential: Credential;
  /** As they were received and sent, the newest ones. */
  hello!: ClientHello;
  serverHello!: ServerHello;
  /** Sessions that the client may resume. */
  readonly sessions: Session[];
  /** Early data that came. */
  earlyData: Uint8Array = new Uint8Array(0);
  #flights: ServerFlights | undefined;

  constructor(stream: ByteStream, options: ServerOptions = {}) {
    super(stream, options);
    this.options = options;
    this.credential = options.credential ?? serverCredential();
    this.sessions = options.sessions ?? [];
  }

  protected override step(stage: Stage): Promise<void> {
    switch (stage) {
      case "client_hello":
        return this.#receiveHello();
      case "server_hello":
        return this.#sendHello();
      case "server_flight":
        return this.#flights!.serverFlight();
      case "client_flight":
        return this.#flights!.clientFlight();
      case "established":
        return this.#flights!.established();
    }
  }

  async #receiveHello(): Promise<void> {
    const { body } = await this.receiveHandshake(HandshakeType.client_hello);
    this.hello = decodeClientHello(body);
    this.version = this.#chooseVersion();
    this.suite = this.#chooseSuite(this.version);
  }

  #chooseVersion(): Version {
    const { versions = VERSIONS } = this.options;
    const data = findExtension(this.hello, ExtensionType.supported_versions);
    const offered = data === undefined
      ? [ProtocolVersion["TLSv1.2"]]
      : new Reader(new Reader(data).vector8()).list((item) => item.u16());
    const common = versions.filter((name) => offered.includes(ProtocolVersion[name]));
    // One that was not offered, where a script wants it.
    return common.includes("TLSv1.3") ? "TLSv1.3" : common[0] ?? versions[0];
  }

  #chooseSuite(chosen: Version): CipherSuite {
    const { suites = CIPHER_SUITES.map(({ code }) => code) } = this.options;
    const { auth } = this.credential;
    const fitting = suites
      .map((code) => CIPHER_SUITES.find((suite) => suite.code === code)!)
      .filter((suite) => suite.version === chosen && (suite.auth === "any" || suite.auth === auth));
    return fitting.find(({ code }) => this.hello.suites.includes(code)) ?? fitting[0];
  }

  async #sendHello(): Promise<void> {
    const { retry } = this.options;
    for (let times = retry?.times ?? (retry ? 1 : 0); times > 0; times--) {
      await this.#retry(retry!.group);
    }
    this.#flights = this.version === "TLSv1.3" ? new Server13(this) : new Server12(this);
    const { serverHello } = this.options;
    serverHello?.(this.serverHello);
    await this.sendHandshake(encodeServerHello(this.serverHello));
    if (this.#flights instanceof Server13) this.#flights.takeHandshakeKeys();
  }

  /** RFC 8446 §4.1.4. */
  async #retry(group: GroupName): Promise<void> {
    const hello: ServerHello = {
      version: ProtocolVersion["TLSv1.2"],
      random: RETRY_RANDOM.slice(),
      sessionId: this.hello.sessionId,
      suite: this.suite!.code,
      compression: 0,
      extensions: [
        selectedVersion(ProtocolVersion["TLSv1.3"]),
        retryGroup(NamedGroup[group]),
      ],
    };
    this.options.serverHello?.(hello);
    this.transcript.retry(this.suite!.hash);
    await this.sendHandshake(encodeServerHello(hello));
    await this.send(this.changeCipherSpec());
    await this.#receiveHello();
  }

  /** The groups that it takes, the preferred one first. */
  get groups(): readonly GroupName[] {
    return this.options.groups ?? ["x25519", "secp256r1"];
  }

  /** A random, of a server's hello. */
  random(): Uint8Array {
    return randomBytes(32);
  }
}

/** What accepts connections for {@linkcode Server}. */
export interface ServerListener extends AsyncDisposable {
  port: number;
  /** The next connection, with these options. */
  accept(options?: ServerOptions): Promise<Server>;
}

/** Listens on loopback. */
export async function listen(): Promise<ServerListener> {
  const acceptor = await listenTcp();
  return {
    port: acceptor.port,
    accept: async (options) => new Server(await acceptor.accept(), options),
    [Symbol.asyncDispose]: () => acceptor[Symbol.asyncDispose](),
  };
}

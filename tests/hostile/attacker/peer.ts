/**
 * One end of a TLS connection that does what a script says: the part that both roles share.
 *
 * Rules:
 * - What makes bytes is named by a noun (`record`, `alert`, `data`), is protected under the keys of
 *   that moment, and counts in their sequence. `send` puts bytes on the wire as they are. So a flood
 *   is made first and sent at once, and a record can be changed between the two.
 * - `handshake()` is honest, and stops where it is told to. `rewrite` changes its messages on their
 *   way into the transcript; `fragment` and `chunk` change how they are cut.
 * - Everything that comes is remembered in `alerts`, `messages` and `received`.
 * - A wait ends after 20 seconds with an error. An end or an alert where something else is waited for
 *   is a {@linkcode Refused}.
 *
 * @module
 */

import { within } from "../../engine/bounded.ts";
import type { ByteStream } from "./byte_stream.ts";
import {
  Alert,
  AlertLevel,
  type AlertName,
  alertName,
  ContentType,
  HandshakeType,
  type Version,
} from "./codes.ts";
import type { TrafficSecret } from "./keys13.ts";
import { keyUpdate } from "./messages.ts";
import { NO_PROTECTION, type Opened, type Protection, type SealOptions } from "./protection.ts";
import {
  type AlertSeen,
  type Ending,
  type Incoming,
  isWarning,
  Refused,
  unexpected,
} from "./incoming.ts";
import { encodeRecord, MAX_PLAINTEXT, pieces, RecordReader } from "./records.ts";
import type { CipherSuite } from "./suites.ts";
import { Transcript } from "./transcript.ts";
import { concat, Reader, sameBytes, u8 } from "./wire.ts";

/** How far a handshake goes: until this flight was sent or received. */
export const STAGES = [
  "client_hello",
  "server_hello",
  "server_flight",
  "client_flight",
  "established",
] as const;

/** One of {@linkcode STAGES}. */
export type Stage = typeof STAGES[number];

/** How messages of the handshake go out. */
export interface Framing {
  /** Makes of a message what is sent and hashed instead: none, one, or several. */
  rewrite?: (message: Uint8Array) => Uint8Array | Uint8Array[];
  /** Bytes of handshake messages in a record; 16,384 by default. */
  fragment?: number;
  /** Bytes in a write to the stream; all of them by default. */
  chunk?: number;
  /** Milliseconds between two such writes; none by default. */
  pause?: number;
}

/** One end of a connection. */
export abstract class Peer implements AsyncDisposable {
  /** Which end it is. */
  abstract readonly side: "client" | "server";
  readonly stream: ByteStream;
  readonly transcript = new Transcript();
  /** What was negotiated, as soon as it is. */
  version: Version | undefined;
  suite: CipherSuite | undefined;
  resumed = false;
  /** How far the handshake has gone. */
  stage: Stage | undefined;
  /** Alerts that came, in their order. */
  readonly alerts: AlertSeen[] = [];
  /** Types of the handshake messages that came. */
  readonly messages: number[] = [];
  /** How many bytes of data came. */
  received = 0;
  framing: Framing;
  /** Of what is sent and of what comes; scripts may put in others. */
  sealing: Protection = NO_PROTECTION;
  opening: Protection = NO_PROTECTION;
  /** TLS 1.2: what protects the other direction from the next ChangeCipherSpec on. */
  pendingOpening: Protection | undefined;
  #writeSecret: TrafficSecret | undefined;
  #readSecret: TrafficSecret | undefined;
  #records = new RecordReader();
  #handshake: Uint8Array = new Uint8Array(0);
  #data: Uint8Array = new Uint8Array(0);
  #ended: "closed" | "reset" | undefined;
  #closed = false;
  #stage = 0;

  constructor(stream: ByteStream, framing: Framing) {
    this.stream = stream;
    this.framing = framing;
  }

  /** Does what a stage asks of this end. */
  protected abstract step(stage: Stage): Promise<void>;

  /** Goes on with an honest handshake, to this stage; to its end by default. */
  async handshake(until: Stage = "established"): Promise<void> {
    while (this.#stage <= STAGES.indexOf(until)) {
      const stage = STAGES[this.#stage++];
      await this.step(stage);
      this.stage = stage;
    }
  }

  // Sending.

  /** TLS 1.3: protects what is sent from now on under a secret. */
  writeUnder(secret: TrafficSecret): void {
    this.#writeSecret = secret;
    this.sealing = secret.protection();
  }

  /** TLS 1.3: expects what comes from now on under a secret. */
  readUnder(secret: TrafficSecret): void {
    this.#readSecret = secret;
    this.opening = secret.protection();
  }

  /** A record under the present keys. */
  record(type: number, content: Uint8Array, options?: SealOptions): Uint8Array<ArrayBuffer> {
    return encodeRecord(this.sealing.seal(type, content, options));
  }

  /** Records of application data, as few as they can be. */
  data(bytes: Uint8Array, options?: SealOptions): Uint8Array<ArrayBuffer> {
    const cut = bytes.length === 0 ? [bytes] : pieces(bytes, MAX_PLAINTEXT);
    return concat(...cut.map((each) => this.record(ContentType.application_data, each, options)));
  }

  /** A record with an alert; fatal unless it is close_notify, or said to be a warning. */
  alert(
    alert: AlertName | number,
    level: number = alert === "close_notify" ? AlertLevel.warning : AlertLevel.fatal,
  ): Uint8Array<ArrayBuffer> {
    const description = typeof alert === "number" ? alert : Alert[alert];
    return this.record(ContentType.alert, concat(u8(level), u8(description)));
  }

  /** A ChangeCipherSpec in the clear, as TLS 1.3 and the first one of TLS 1.2 have it. */
  changeCipherSpec(content: Uint8Array = u8(1)): Uint8Array<ArrayBuffer> {
    return encodeRecord(NO_PROTECTION.seal(ContentType.change_cipher_spec, content));
  }

  /** Records of a handshake message, of so many bytes each. The transcript does not see them. */
  message(message: Uint8Array, fragment = MAX_PLAINTEXT): Uint8Array<ArrayBuffer> {
    const cut = pieces(message, fragment);
    return concat(...cut.map((each) => this.record(ContentType.handshake, each)));
  }

  /** TLS 1.3: a KeyUpdate; what is made after it is under the next key. */
  keyUpdate(requested: boolean | number = false): Uint8Array<ArrayBuffer> {
    const record = this.message(keyUpdate(requested));
    this.nextKey();
    return record;
  }

  /** TLS 1.3: takes the next key for what is sent, without a word to the peer. */
  nextKey(): void {
    if (this.#writeSecret === undefined) throw new Error("There is no traffic secret");
    this.writeUnder(this.#writeSecret.next());
  }

  /** Puts bytes on the wire. That the victim takes no more of them is a {@linkcode Refused}. */
  async send(...parts: Uint8Array[]): Promise<void> {
    const bytes = concat(...parts);
    const { chunk = bytes.length, pause } = this.framing;
    for (const piece of pieces(bytes, Math.max(1, chunk))) {
      const written = this.stream.write(piece).catch(() => {
        throw new Refused("Room for what is sent", { kind: "end", how: "reset" });
      });
      await within(written, "the stream takes what the attacker sends");
      if (pause !== undefined) await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** Sends as much as the peer takes until it ends the connection. Returns whether it took all. */
  async sendAnyway(...parts: Uint8Array[]): Promise<boolean> {
    try {
      await this.send(...parts);
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return false;
    }
  }

  /** Sends handshake messages of an honest handshake, as `framing` says; the transcript has them. */
  async sendHandshake(...messages: Uint8Array[]): Promise<void> {
    const { rewrite, fragment } = this.framing;
    const sent = messages.flatMap((message) => rewrite?.(message) ?? message);
    for (const message of sent) this.transcript.add(message);
    await this.send(...sent.map((message) => this.message(message, fragment)));
  }

  /** Says that nothing more comes, by the stream alone. */
  async closeWrite(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.stream.closeWrite().catch(() => {});
  }

  // Receiving.

  /** What comes next; `end` again and again, once the connection has ended. */
  async receive(): Promise<Incoming> {
    for (;;) {
      const message = this.#nextMessage();
      if (message !== undefined) return message;
      if (this.#ended !== undefined) return { kind: "end", how: this.#ended };
      const record = this.#records.next();
      if (record === undefined) {
        await this.#fill();
        continue;
      }
      let opened: Opened;
      try {
        opened = this.opening.open(record);
      } catch {
        return { kind: "unreadable" };
      }
      const { type, content } = opened;
      if (type === ContentType.handshake) this.#handshake = concat(this.#handshake, content);
      else if (type === ContentType.application_data) {
        this.received += content.length;
        return { kind: "data", bytes: content };
      } else if (type === ContentType.alert) {
        const alert = { level: content[0], name: alertName(content[1]) };
        this.alerts.push(alert);
        return { kind: "alert", alert };
      } else if (type === ContentType.change_cipher_spec) {
        if (this.pendingOpening !== undefined) this.opening = this.pendingOpening;
        this.pendingOpening = undefined;
        return { kind: "change_cipher_spec" };
      } else throw new Error(`A record of type ${type} has come`);
    }
  }

  async #fill(): Promise<void> {
    const reading = this.stream.read().then((bytes) => bytes ?? "closed", () => "reset" as const);
    const bytes = await within(reading, "the victim sends something, or ends");
    if (typeof bytes === "string") this.#ended = bytes;
    else this.#records.push(bytes);
  }

  #nextMessage(): Incoming | undefined {
    if (this.#handshake.length < 4) return undefined;
    const reader = new Reader(this.#handshake);
    const type = reader.u8();
    const length = reader.u24();
    if (reader.left < length) return undefined;
    const body = reader.take(length);
    const bytes = this.#handshake.subarray(0, 4 + length);
    this.#handshake = reader.take();
    this.messages.push(type);
    if (type === HandshakeType.key_update) this.readUnder(this.#readSecret!.next());
    this.onMessage(type, body);
    return { kind: "handshake", type, body, bytes };
  }

  /** A handshake message has come; roles look for tickets here. */
  protected onMessage(_type: number, _body: Uint8Array): void {}

  /**
   * The next handshake message, of one of these types, which becomes part of the transcript. A
   * ChangeCipherSpec before it is passed over.
   */
  async receiveHandshake(...types: number[]): Promise<{ type: number; body: Uint8Array }> {
    for (;;) {
      const incoming = await this.receive();
      if (incoming.kind === "change_cipher_spec") continue;
      if (incoming.kind !== "handshake") throw unexpected("A handshake message", incoming);
      const { type, body, bytes } = incoming;
      if (!types.includes(type)) throw new Error(`A handshake message ${type} has come`);
      this.addReceived(type, bytes);
      return { type, body };
    }
  }

  /** Adds a message to the transcript; a client looks at it before a HelloRetryRequest is added. */
  protected addReceived(_type: number, bytes: Uint8Array): void {
    this.transcript.add(bytes);
  }

  /** So many bytes of data; warnings, and messages after the handshake, are passed over. */
  async receiveData(length: number): Promise<Uint8Array> {
    while (this.#data.length < length) {
      const incoming = await this.receive();
      if (incoming.kind === "data") this.#data = concat(this.#data, incoming.bytes);
      else if (incoming.kind === "handshake" || isWarning(incoming)) continue;
      else throw unexpected(`${length} bytes`, incoming);
    }
    const taken = this.#data.subarray(0, length);
    this.#data = this.#data.subarray(length);
    return taken;
  }

  /** Sends bytes and has them back: the connection works. */
  async echo(bytes: Uint8Array = crypto.getRandomValues(new Uint8Array(32))): Promise<void> {
    await this.send(this.data(bytes));
    const back = await this.receiveData(bytes.length);
    if (!sameBytes(bytes, back)) throw new Error("Other bytes came back");
  }

  /** Reads until the connection ends. */
  async readToEnd(): Promise<Ending> {
    for (;;) {
      const incoming = await this.receive();
      if (incoming.kind === "end") return this.ending(incoming.how);
    }
  }

  /** How it ended, by what came. */
  ending(how: "closed" | "reset"): Ending {
    const fatal = this.alerts.filter(({ name, level }) =>
      name !== "close_notify" && level === AlertLevel.fatal
    );
    return {
      how,
      alert: fatal.at(-1)?.name ?? null,
      closeNotify: this.alerts.some(({ name }) => name === "close_notify"),
    };
  }

  /** Ends an honest connection: close_notify, the end of the stream, and the victim's end. */
  async bye(): Promise<Ending> {
    if (!this.#closed) await this.sendAnyway(this.alert("close_notify"));
    await this.closeWrite();
    return await this.readToEnd();
  }

  /** Ends the stream at once. */
  [Symbol.asyncDispose](): Promise<void> {
    this.stream.close();
    return Promise.resolve();
  }
}

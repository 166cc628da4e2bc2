/**
 * A client without I/O over a TCP socket of the test, which decides how the bytes are fed.
 *
 * Rules:
 * - What the peer sends is fed in the sizes that a `Feed` names. Output is polled after each of
 *   them, so that one byte at a time also polls in the middle of every message.
 * - What comes out is written down as `events`, in an order that does not depend on the sizes.
 * - Every wait is bounded.
 *
 * @module
 */

// For its effect: it names the wasm file.
import "../../mod.ts";
import { ClientEngine } from "../../src/client_engine.ts";
import type { EngineConnection } from "../../src/engine.ts";
import type { ClientContext, Session } from "../../mod.ts";
import { readRecords } from "../peers/raw.ts";
import { within } from "./bounded.ts";

/** How many of the bytes at hand are fed at once. */
export interface Feed {
  name: string;
  /** A new sequence of sizes; `Infinity`: all there are. */
  sizes(): () => number;
}

/** The same numbers each time, from 0 up to below 1. */
export function pseudoRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function randomFeed(seed: number): Feed {
  return {
    name: `random splits (seed ${seed})`,
    sizes() {
      const random = pseudoRandom(seed);
      // Headers and bodies of records are hit: mostly a few bytes, at times a thousand.
      return () => 1 + Math.floor(random() ** 4 * 1500);
    },
  };
}

export const WHOLE: Feed = { name: "whole flights", sizes: () => () => Infinity };
/** What one read of the socket brings. */
export const AS_IT_COMES: Feed = { name: "as it comes", sizes: () => () => Infinity };
export const BYTEWISE: Feed = { name: "one byte at a time", sizes: () => () => 1 };
export const FEEDS: readonly Feed[] = [WHOLE, BYTEWISE, randomFeed(1), randomFeed(20_261_101)];

export interface DriverOptions {
  port: number;
  context: ClientContext;
  feed?: Feed;
  session?: Session | Uint8Array;
  serverName?: string;
  /** Leaves plaintext in the engine. */
  keepPlaintext?: boolean;
}

/** What came out of the engine; consecutive text is one event. */
export type Event = "complete" | "session" | "close_notify" | "error" | { text: string };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Driver implements Disposable {
  readonly client: ClientEngine;
  readonly events: Event[] = [];
  readonly sessions: Session[] = [];
  readonly #socket: Deno.TcpConn;
  readonly #size: () => number;
  readonly #keepPlaintext: boolean;
  readonly #whole: boolean;
  readonly #sent: Uint8Array[] = [];
  readonly #plaintext = new Uint8Array(64 * 1024);
  #complete = false;
  #closed = false;

  static async connect(options: DriverOptions): Promise<Driver> {
    const { context, port, serverName = "localhost", session } = options;
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    try {
      socket.setNoDelay(true);
      const client = await ClientEngine.begin({ context, serverName, port }, session);
      return new Driver(client, socket, options);
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  private constructor(client: ClientEngine, socket: Deno.TcpConn, options: DriverOptions) {
    const feed = options.feed ?? WHOLE;
    this.client = client;
    this.#socket = socket;
    this.#size = feed.sizes();
    this.#whole = feed === WHOLE;
    this.#keepPlaintext = options.keepPlaintext ?? false;
  }

  get connection(): EngineConnection {
    return this.client.connection;
  }

  /** All plaintext so far. */
  get text(): string {
    return this.events.map((event) => typeof event === "object" ? event.text : "").join("");
  }

  /** Handshake messages in the clear that were sent, by their type. */
  get handshakeTypesSent(): number[] {
    return readRecords(this.sent).filter(({ type }) => type === 22).map(({ bytes }) => bytes[5]);
  }

  /** What was sent so far. */
  get sent(): Uint8Array {
    const all = new Uint8Array(this.#sent.reduce((length, part) => length + part.length, 0));
    let offset = 0;
    for (const part of this.#sent) {
      all.set(part, offset);
      offset += part.length;
    }
    return all;
  }

  /** Sends the output. */
  async flush(): Promise<void> {
    const { connection } = this;
    for (let out = connection.pollTransmit(); out; out = connection.pollTransmit()) {
      const bytes = out.slice();
      connection.transmitted();
      this.#sent.push(bytes);
      for (let at = 0; at < bytes.length;) {
        const written = this.#socket.write(bytes.subarray(at));
        at += await within(written, "the peer takes what is sent");
      }
    }
  }

  /** Bytes of the peer; `null` at the end. With whole flights all records are complete. */
  async receive(): Promise<Uint8Array | null> {
    const buffer = new Uint8Array(64 * 1024);
    let length = 0;
    do {
      const read = this.#socket.read(buffer.subarray(length));
      const n = await within(read, `more bytes of the peer after ${JSON.stringify(this.events)}`);
      if (n === null) return length === 0 ? null : buffer.subarray(0, length);
      length += n;
    } while (this.#whole && length < buffer.length && !endsWithRecord(buffer.subarray(0, length)));
    return buffer.subarray(0, length);
  }

  /** Feeds bytes in the feed's sizes, and polls everything after each. */
  async feed(bytes: Uint8Array): Promise<void> {
    const { connection } = this;
    for (let at = 0; at < bytes.length;) {
      const space = connection.inputSpace();
      const n = Math.min(this.#size(), space.length, bytes.length - at);
      if (n === 0) throw new Error("The engine has no room, though its plaintext was taken");
      space.set(bytes.subarray(at, at + n));
      connection.receiveTls(n);
      at += n;
      if (connection.wantsVerify) await this.client.verify().catch(() => {});
      this.#poll();
      await this.flush();
    }
  }

  /** Receives once and feeds it; false at the end of the byte stream. */
  async step(): Promise<boolean> {
    const bytes = await this.receive();
    if (bytes === null) return false;
    await this.feed(bytes);
    return true;
  }

  /** Steps until the condition holds, the connection fails or the byte stream ends. */
  async until(condition: () => boolean): Promise<void> {
    await this.flush();
    while (!condition() && this.connection.error === undefined) {
      if (!await this.step()) return;
    }
  }

  async handshake(): Promise<void> {
    await this.until(() => !this.connection.handshaking);
    if (this.connection.error !== undefined) throw this.connection.error;
  }

  async write(text: string): Promise<void> {
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) {
      at += this.connection.writePlaintext(bytes.subarray(at));
      await this.flush();
    }
  }

  #poll(): void {
    const { connection } = this;
    this.client.logKeys();
    if (!this.#complete && !connection.handshaking && connection.error === undefined) {
      this.#complete = true;
      this.events.push("complete");
    }
    for (let next = this.client.pollSession(); next; next = this.client.pollSession()) {
      this.sessions.push(next);
      this.events.push("session");
    }
    while (!this.#keepPlaintext && connection.plaintextLength > 0) {
      const n = connection.readPlaintext(this.#plaintext);
      this.#pushText(decoder.decode(this.#plaintext.subarray(0, n)));
    }
    if (connection.peerClosed && !this.events.includes("close_notify")) {
      this.events.push("close_notify");
    }
    if (connection.error !== undefined && !this.events.includes("error")) {
      this.events.push("error");
    }
  }

  #pushText(text: string): void {
    const last = this.events.at(-1);
    if (typeof last === "object") last.text += text;
    else this.events.push({ text });
  }

  /** Ends it: close_notify if it can, then the socket. */
  async close(): Promise<void> {
    try {
      this.connection.close();
      await this.flush();
    } finally {
      this[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    this.connection.free();
  }
}

function endsWithRecord(bytes: Uint8Array): boolean {
  const records = readRecords(bytes);
  return records.reduce((length, record) => length + record.bytes.length, 0) === bytes.length;
}

/**
 * Moves bytes between a transport and the engine.
 *
 * Rules:
 * - One read and one write are under way at most; whoever needs more input shares the read that is
 *   there. Nothing is read that nobody asked for, which is what slows a fast peer down.
 * - No loop turns without progress: a transport that reads or writes nothing, again and again, has
 *   failed.
 * - Engine memory is freed only after both have settled, as the transport works in it.
 *
 * It does not know what is in the bytes.
 *
 * @module
 */

import type { EngineConnection } from "./engine.ts";
import { TlsError, transportError } from "./errors.ts";
import type { Transport } from "./transport/transport.ts";

/** Read after the end, and not looked at. */
const MAX_DISCARDED = 256 * 1024;

/** Plaintext that may wait while more is read for the sake of a session. */
const MAX_READ_AHEAD = 16 * 1024;
/** How often in a row a transport may read or write no byte. */
const MAX_IDLE_TURNS = 16;

/** What {@linkcode Pump.fill} came to. */
export type Filled = "received" | "full";

/** The pump of one connection. */
export class Pump {
  readonly #engine: EngineConnection;
  readonly #transport: Transport;
  readonly #onReceived: () => void;
  #filling: Promise<Filled> | undefined;
  #flushing: Promise<void> | undefined;
  #ended = false;
  /** Reads in a row that brought nothing. */
  #idleReads = 0;

  /** `onReceived` is called after each read, before anyone who waits for it goes on. */
  constructor(engine: EngineConnection, transport: Transport, onReceived: () => void) {
    this.#engine = engine;
    this.#transport = transport;
    this.#onReceived = onReceived;
    // Whoever waits for bytes shall not wait for an engine that cannot take them.
    engine.whenPanicked(() => transport.close());
  }

  /** What a failed read or write of the transport means. */
  #failure(error: unknown): TlsError {
    return this.#engine.panic ?? transportError(error);
  }

  /**
   * Reads once and hands the bytes to the engine. Rejects with a `TlsError`.
   *
   * @param how `"ahead"`: not for its plaintext. `"full"` is the answer while enough of that waits.
   */
  fill(how: "now" | "ahead" = "now"): Promise<Filled> {
    if (this.#filling !== undefined) return this.#filling;
    if (how === "ahead" && this.#engine.plaintextLength >= MAX_READ_AHEAD) {
      return Promise.resolve("full");
    }
    return this.#filling = this.#fill();
  }

  readonly #room = (available: number): Uint8Array => {
    const space = this.#engine.inputSpace(available);
    if (space.length === 0) {
      throw this.#engine.error ?? transportError(new Error("The engine takes no more bytes"));
    }
    return space;
  };

  async #fill(): Promise<Filled> {
    let n: number | null;
    try {
      n = await this.#transport.read(this.#room);
    } catch (error) {
      throw this.#failure(error);
    } finally {
      this.#filling = undefined;
    }
    if (this.#engine.panic !== undefined) throw this.#engine.panic;
    if (n === null) {
      throw new TlsError(
        "ERR_TLS_TRUNCATED",
        this.#engine.handshaking
          ? "The peer ended the byte stream during the handshake"
          : "The peer ended the byte stream without close_notify: data may be missing",
        { origin: "peer" },
      );
    }
    if (this.#ended) return "received";
    this.#idleReads = n === 0 ? this.#idleReads + 1 : 0;
    if (this.#idleReads > MAX_IDLE_TURNS) {
      throw transportError(new Error("The transport reads no bytes, and has no end"));
    }
    this.#engine.receiveTls(n);
    this.#onReceived();
    // Answers to the peer (alerts, key updates) go out without anybody waiting for them here.
    if (this.#engine.outputLength > 0) this.flush().catch(() => {});
    return "received";
  }

  /** Writes the engine's output until there is none. Rejects with a `TlsError`. */
  flush(): Promise<void> {
    if (this.#flushing !== undefined) return this.#flushing;
    if (this.#engine.outputLength === 0) return Promise.resolve();
    return this.#flushing = this.#flush();
  }

  async #flush(): Promise<void> {
    try {
      let idle = 0;
      for (let bytes = this.#engine.pollTransmit(); bytes; bytes = this.#engine.pollTransmit()) {
        let sent: number | undefined;
        try {
          sent = await this.#transport.write(bytes);
        } catch (error) {
          throw this.#failure(error);
        } finally {
          this.#engine.transmitted(sent);
        }
        idle = sent === 0 ? idle + 1 : 0;
        if (idle > MAX_IDLE_TURNS) throw transportError(new Error("The transport writes no bytes"));
      }
    } finally {
      this.#flushing = undefined;
    }
  }

  /**
   * Ends this side's direction and reads what is left of the peer's, to its end. A socket that is
   * closed with bytes unread, such as tickets, is reset: what is on its way to the peer is lost.
   */
  async finish(): Promise<void> {
    if (this.#transport.closeWrite === undefined) return;
    await this.#transport.closeWrite();
    await this.#filling?.catch(() => {});
    const discarded = new Uint8Array(16 * 1024);
    for (let left = MAX_DISCARDED; left > 0;) {
      const n = await this.#transport.read(() => discarded);
      if (n === null) return;
      left -= Math.max(n, 1);
    }
  }

  /** Ends the transport and, once nothing works in it any more, frees the engine's memory. */
  end(): Promise<void> {
    this.#ended = true;
    this.#transport.close();
    const settled = [this.#filling, this.#flushing].map((promise) => promise?.catch(() => {}));
    return Promise.all(settled).then(() => this.#engine.free());
  }
}

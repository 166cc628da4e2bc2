/**
 * The handshake messages of a connection, and their hash (RFC 8446 §4.4.1).
 *
 * @module
 */

import { createHash } from "node:crypto";
import { HandshakeType } from "./codes.ts";
import type { CipherSuite } from "./suites.ts";
import { concat, u8, vector24 } from "./wire.ts";

/** What both ends have sent so far. */
export class Transcript {
  #messages: Uint8Array[] = [];

  /** A message was sent or received; it is given with its header. */
  add(message: Uint8Array): void {
    this.#messages.push(message);
  }

  /** The messages, each with its header. */
  get messages(): readonly Uint8Array[] {
    return this.#messages;
  }

  /** All messages, one after the other: what TLS 1.2 signs (RFC 5246 §7.4.8). */
  bytes(): Uint8Array {
    return concat(...this.#messages);
  }

  /** The hash of all messages, and of further bytes that are not among them. */
  hash(name: CipherSuite["hash"], further: Uint8Array = new Uint8Array(0)): Uint8Array {
    const hash = createHash(name);
    for (const message of this.#messages) hash.update(message);
    return hash.update(further).digest();
  }

  /** After a HelloRetryRequest the first ClientHello counts by its hash alone. */
  retry(name: CipherSuite["hash"]): void {
    this.#messages = [concat(u8(HandshakeType.message_hash), vector24(this.hash(name)))];
  }
}

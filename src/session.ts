/**
 * A session: what a client keeps of a connection to resume it later, elsewhere.
 *
 * The bytes of `toBytes()`, in the presentation language of RFC 8446 §3:
 *
 * ```text
 * struct {
 *     opaque magic[4] = "RPRS";
 *     uint8 format = 1;
 *     opaque context_fingerprint[32];
 *     uint64 handshake_time;               // seconds since 1970: the full handshake behind it
 *     uint64 expires_at;                   // seconds since 1970
 *     opaque server_name<1..2^8-1>;        // the name that was verified, lower case
 *     uint16 port;                         // 0: unknown
 *     opaque alpn_protocol<0..2^8-1>;
 *     opaque state<1..2^24-1>;             // SessionState, see session_state.ts
 *     opaque digest[32];                   // SHA-256 of all before: against accidents
 * } PlainSession;
 * ```
 *
 * The digest is no authentication: whoever can change these bytes can make a client take an
 * impostor for the server. What others can write to is sealed first.
 *
 * @module
 */

import { ByteReader, ByteWriter, fromUtf8, hex, sameBytes, ShortRead, utf8 } from "./bytes.ts";
import { currentEngine } from "./engine_pool.ts";
import { MAX_ENVELOPE, open, seal } from "./envelope.ts";
import { TlsError } from "./errors.ts";
import { sha256 } from "./hashes.ts";
import { checkInstance, nameKind, Opaque } from "./opaque.ts";
import { bytesOf } from "./options.ts";
import { SealingKeys } from "./sealing_keys.ts";
import type { CipherSuite, ProtocolVersion } from "./registry.ts";
import { readSessionState, type SessionState } from "./session_state.ts";

const MAGIC = utf8("RPRS");
const FORMAT = 1;
const DIGEST_LENGTH = 32;
/** A chain and a ticket of 64 KiB each, the most a handshake carries, and the rest. */
export const MAX_SESSION_BYTES = 160 * 1024;

/** What a session is bound to, and for how long. */
export interface SessionBinding {
  /** SHA-256; {@linkcode ClientContext.fingerprint}. */
  contextFingerprint: Uint8Array;
  /** Seconds since 1970. */
  handshakeTime: number;
  /** Seconds since 1970. */
  expiresAt: number;
  serverName: string;
  /** 0: unknown. */
  port: number;
  /** `null`: none was negotiated. */
  alpnProtocol: string | null;
}

function invalid(why: string): TlsError {
  return new TlsError("ERR_TLS_SESSION_INVALID", `These bytes are no session: ${why}`, {
    origin: "local",
  });
}

/** For modules of this library: what {@linkcode Session} does not show to others. */
export interface SessionInternals {
  make(binding: SessionBinding, state: Uint8Array): Session;
  binding(session: Session): SessionBinding;
  state(session: Session): Uint8Array;
  /** Marks a TLS 1.3 session as offered; false if it was. TLS 1.2 sessions may be reused. */
  claim(session: Session): boolean;
  isDisposed(session: Session): boolean;
}

/** Access to a session's insides, for modules of this library. */
export let sessionInternals: SessionInternals;

/**
 * The session of a connection, to be offered by a later one: in this process or, by
 * {@linkcode Session.toBytes}, in any other.
 *
 * It cannot be cloned or posted to a worker, as its contents would be lost: `structuredClone()` and
 * `postMessage()` throw a `DataCloneError`, and in JSON it is its name. Send its bytes instead.
 *
 * On TLS 1.3 one object is offered once (RFC 8446 §C.4): a second use costs a full handshake, with
 * `sessionMiss` `"used_already"`. A TLS 1.2 session may be used again.
 *
 * @example
 * ```ts
 * import { Session, TlsError } from "@reprise/tls";
 *
 * try {
 *   Session.fromBytes(new Uint8Array([1, 2, 3]));
 * } catch (error) {
 *   console.assert(error instanceof TlsError && error.code === "ERR_TLS_SESSION_INVALID");
 * }
 * ```
 */
export class Session extends Opaque {
  readonly #binding: SessionBinding;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #state: Uint8Array;
  readonly #fields: SessionState;
  /** Most sessions are replaced by newer ones before anybody asks for their bytes. */
  #digested: boolean;
  #offered = false;
  #disposed = false;

  static {
    nameKind(Session, "Session");
    sessionInternals = {
      make: (binding, state) => {
        const writer = new ByteWriter().bytes(MAGIC).uint(1, FORMAT)
          .bytes(binding.contextFingerprint).uint64(binding.handshakeTime)
          .uint64(binding.expiresAt).vector(1, utf8(binding.serverName)).uint(2, binding.port)
          .vector(1, utf8(binding.alpnProtocol ?? "")).vector(3, state)
          .bytes(new Uint8Array(DIGEST_LENGTH));
        return new Session(writer.finish(), "undigested");
      },
      binding: (session) => session.#binding,
      state: (session) => {
        session.#assertUsable();
        return session.#state;
      },
      isDisposed: (session) => session.#disposed,
      claim: (session) => {
        if (session.#disposed) return false;
        if (session.#offered && session.protocol === "TLSv1.3") return false;
        session.#offered = true;
        return true;
      },
    };
  }

  private constructor(bytes: Uint8Array<ArrayBuffer>, digest: "undigested" | "digested") {
    super();
    this.#bytes = bytes;
    this.#digested = digest === "digested";
    const body = bytes.subarray(0, Math.max(0, bytes.length - DIGEST_LENGTH));
    try {
      const reader = new ByteReader(body);
      if (!sameBytes(reader.take(MAGIC.length), MAGIC)) throw invalid("they start otherwise");
      const format = reader.uint(1);
      if (format !== FORMAT) {
        throw new TlsError(
          "ERR_TLS_SESSION_VERSION",
          `These bytes are a session of format ${format}; this release reads ${FORMAT}`,
          { origin: "local" },
        );
      }
      if (this.#digested && !sameBytes(sha256(body), bytes.subarray(body.length))) {
        throw invalid("wrong digest");
      }
      const binding = {
        contextFingerprint: reader.take(32),
        handshakeTime: reader.uint64(),
        expiresAt: reader.uint64(),
        serverName: fromUtf8(reader.vector(1, 1)),
        port: reader.uint(2),
        alpnProtocol: fromUtf8(reader.vector(1)) || null,
      };
      this.#state = reader.vector(3, 1);
      const fields = readSessionState(this.#state);
      if (fields === undefined || reader.remaining > 0) throw invalid("malformed state");
      this.#binding = binding;
      this.#fields = fields;
    } catch (error) {
      if (error instanceof ShortRead) throw invalid("they are cut short");
      if (error instanceof TypeError) throw invalid("malformed text");
      throw error;
    }
  }

  /**
   * Reads the bytes of {@linkcode Session.toBytes}. They are copied.
   *
   * @throws {TlsError} `ERR_TLS_SESSION_VERSION` if they are of another format,
   * `ERR_TLS_SESSION_INVALID` if they are anything else but an intact session.
   * @throws {TypeError} if they are no `Uint8Array`, or one whose buffer was detached.
   */
  static fromBytes(bytes: Uint8Array): Session {
    const copy = bytesOf("bytes", bytes, "Argument", MAX_SESSION_BYTES + 1);
    try {
      if (copy.length > MAX_SESSION_BYTES) throw invalid(`more than ${MAX_SESSION_BYTES} bytes`);
      return new Session(copy, "digested");
    } catch (error) {
      copy.fill(0);
      throw error;
    }
  }

  /** The digest at the end of the bytes, computed when it is first needed. */
  get #digest(): Uint8Array {
    const digest = this.#bytes.subarray(-DIGEST_LENGTH);
    if (!this.#digested) digest.set(sha256(this.#bytes.subarray(0, -DIGEST_LENGTH)));
    this.#digested = true;
    return digest;
  }

  #assertUsable(): void {
    if (this.#disposed) {
      throw new TlsError("ERR_TLS_SESSION_INVALID", "The session was disposed", {
        origin: "local",
      });
    }
  }

  /**
   * The session as bytes, of some hundred bytes to a few KiB: mostly the server's chain.
   *
   * They are **secret**: with them, recorded traffic of the session can be read. They are also
   * **to be kept intact**: whoever can change them can pose as the server. Keep them where you
   * would keep a private key, or seal them.
   */
  toBytes(): Uint8Array<ArrayBuffer> {
    this.#assertUsable();
    void this.#digest;
    return this.#bytes.slice();
  }

  /**
   * The session, sealed: safe to keep where others can read and write. It opens with the same
   * keys only, whichever of them sealed it.
   */
  // deno-lint-ignore require-await -- errors are rejections, and a runtime may load its engine
  async seal(keys: SealingKeys): Promise<Uint8Array> {
    checkInstance("keys", keys, SealingKeys, "Argument");
    const plain = this.toBytes();
    try {
      return seal(currentEngine(), keys, { purpose: "session" }, plain);
    } finally {
      plain.fill(0);
    }
  }

  /**
   * Opens what {@linkcode Session.seal} made.
   *
   * @throws {TlsError} `ERR_TLS_SESSION_UNSEALABLE` if no key has its id, or it was changed;
   * `ERR_TLS_SESSION_VERSION` if it is of another format.
   * @throws {TypeError} if they are no `Uint8Array`, or one whose buffer was detached.
   */
  // deno-lint-ignore require-await -- as above
  static async open(bytes: Uint8Array, keys: SealingKeys): Promise<Session> {
    const sealed = bytesOf("bytes", bytes, "Argument", MAX_ENVELOPE + 1);
    checkInstance("keys", keys, SealingKeys, "Argument");
    const opened = open(currentEngine(), keys, { purpose: "session" }, sealed);
    if (opened.miss === "version") {
      throw new TlsError(
        "ERR_TLS_SESSION_VERSION",
        "These bytes are no sealed session of a format that this release reads",
        { origin: "local" },
      );
    }
    if (opened.miss !== undefined) {
      const why = opened.miss === "wrong_key" ? "no key has its id" : "it was changed";
      throw new TlsError(
        "ERR_TLS_SESSION_UNSEALABLE",
        `The sealed session does not open: ${why}`,
        { origin: "local" },
      );
    }
    try {
      return Session.fromBytes(opened.plain);
    } finally {
      opened.plain.fill(0);
    }
  }

  /** A name for logs: hexadecimal, unique to the session, no secret. */
  get id(): string {
    return hex(this.#digest.subarray(0, 16));
  }

  /** The protocol version it resumes. */
  get protocol(): ProtocolVersion {
    return this.#fields.protocol;
  }

  /** The cipher suite it resumes with; `undefined` if it was made by a build with others. */
  get cipherSuite(): CipherSuite | undefined {
    return this.#fields.cipherSuite;
  }

  /** The server's name that was verified; offered to no other. */
  get serverName(): string {
    return this.#binding.serverName;
  }

  /** The server's port; 0 where the connection did not know it. */
  get port(): number {
    return this.#binding.port;
  }

  /** The application protocol of the connection it came from, or `null`. */
  get alpnProtocol(): string | null {
    return this.#binding.alpnProtocol;
  }

  /** When the full handshake behind it took place; renewal by resumption does not change it. */
  get createdAt(): Date {
    return new Date(this.#binding.handshakeTime * 1000);
  }

  /** From when on it is not offered: 7 days at most after `createdAt` (RFC 8446 §4.6.1). */
  get expiresAt(): Date {
    return new Date(this.#binding.expiresAt * 1000);
  }

  /** The server's hint in seconds; 0 on TLS 1.2: unspecified (RFC 5077 §3.3). */
  get ticketLifetimeHint(): number {
    return this.#fields.lifetime;
  }

  /** Whether the server gave a ticket; otherwise it keeps the session under an id (TLS 1.2). */
  get hasTicket(): boolean {
    return this.#fields.ticketLength > 0;
  }

  /** Bytes of early data that the server takes; 0: none. */
  get maxEarlyData(): number {
    return this.#fields.maxEarlyData;
  }

  /** The server's chain in DER, end entity first, as verified in the full handshake. Copies. */
  get peerCertificates(): Uint8Array<ArrayBuffer>[] {
    return this.#fields.peerCertificates.map((der) => new Uint8Array(der));
  }

  /** The fingerprint of the context it is bound to, in hexadecimal. */
  get contextFingerprint(): string {
    return hex(this.#binding.contextFingerprint);
  }

  /** Wipes the session's bytes in this object. Copies that `toBytes()` made are the caller's. */
  [Symbol.dispose](): void {
    void this.#digest;
    this.#disposed = true;
    this.#state.fill(0);
    this.#bytes.subarray(0, -DIGEST_LENGTH).fill(0);
  }

  /** Names the session without its secrets. */
  override toString(): string {
    return `Session(${this.id}, ${this.protocol}, ${this.serverName})`;
  }
}

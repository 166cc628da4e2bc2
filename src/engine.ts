/**
 * The engine without I/O: one wasm instance, and connections in it.
 *
 * Rules: synchronous throughout; bytes are moved by views of wasm memory, which are valid until
 * the next call of any kind; a panic is caught here, fails every connection of the instance with
 * `ERR_TLS_ENGINE_PANICKED`, and the next connection gets a fresh instance.
 *
 * It knows nothing of sockets, promises, stores, or the format in which sessions are kept.
 *
 * @module
 */

import { type Connection, instantiate } from "../wasm/pkg/reprise.js";
import { alertName, TlsError, type TlsErrorCode } from "./errors.ts";
import { certificateList } from "./session_state.ts";

/** What the wasm file exports, wrapped by its glue. */
export type EngineExports = ReturnType<typeof instantiate>;

const BOUNDARY_VERSION = 2;

/** Bytes at the end of the stack that are wiped: several times of what any call takes. */
export const STACK_WIPED = 128 * 1024;

/** Indices of the status words; `wasm/src/status.rs` has the same list. */
const enum Word {
  Flags,
  InputPtr,
  InputSpace,
  PlainPtr,
  PlainLen,
  OutputLen,
  TransmitPtr,
  TransmitLen,
  Sessions,
  KeyLog,
  EarlyLength,
  Count,
}

/** Bits of `Word.Flags`. */
const enum Flag {
  Handshaking = 1,
  WantsVerify = 2,
  Resumed = 4,
  PeerClosed = 8,
  Failed = 16,
  Closed = 32,
  WantsConfig = 64,
  EarlyOffered = 128,
  EarlyAccepted = 256,
}

/** The time as the engine takes it: seconds since 1970. */
export function now(): number {
  return Date.now() / 1000;
}

function misuse(message: string): TlsError {
  return new TlsError("ERR_TLS_ENGINE_MISUSE", message, { origin: "local" });
}

function panicked(cause: unknown): TlsError {
  return new TlsError(
    "ERR_TLS_ENGINE_PANICKED",
    "The engine stopped because of a bug; connect again to use a fresh one",
    { origin: "local", cause },
  );
}

/** Why something sealed does not open, in the words of `sessionMiss`. */
export class Refusal extends Error {
  /** The reason. */
  readonly reason: string;

  /** Made of what the engine says. */
  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

/** Codes of errors that are not the peer's doing. */
const OWN_CODES = new Set([
  "ERR_TLS_OUT_OF_MEMORY",
  "ERR_TLS_KEYS_EXHAUSTED",
  "ERR_TLS_RANDOM_UNAVAILABLE",
]);

/** Makes an error of what crossed the boundary: `CODE NUL alert NUL message`. */
function engineError(crossed: string): TlsError | TypeError | Refusal {
  const [code, alert, message] = crossed.split("\0");
  if (code === "OPTION") return new TypeError(message);
  if (code === "REASON") return new Refusal(message);
  const origin = OWN_CODES.has(code) || code.startsWith("ERR_TLS_ENGINE") ? "local" : "peer";
  const name = alert === "" ? undefined : alertName(Number(alert));
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return new TlsError(code as TlsErrorCode, text, { origin, alert: name });
}

/** One instance of the wasm file. */
export class EngineInstance {
  readonly #exports: EngineExports;
  readonly #stackEnd: number;
  readonly #onPanic = new Set<() => void>();
  #panic: TlsError | undefined;
  #connections = 0;

  /** Instantiates the wasm file. */
  constructor(module: WebAssembly.Module) {
    this.#exports = instantiate(module);
    const version = this.#exports.boundary_version();
    if (version !== BOUNDARY_VERSION) {
      throw new TypeError(
        `The wasm file speaks boundary version ${version}, not ${BOUNDARY_VERSION}`,
      );
    }
    this.#stackEnd = this.#exports.stack_end();
  }

  /** What stopped this instance. */
  get panic(): TlsError | undefined {
    return this.#panic;
  }

  /** Connections in it. */
  get connections(): number {
    return this.#connections;
  }

  /** Counts a connection. Returns what takes that back. */
  addConnection(): () => void {
    this.#connections++;
    return () => this.#connections--;
  }

  /** Has `callback` called when this instance stops. Returns what takes that back. */
  whenPanicked(callback: () => void): () => void {
    this.#onPanic.add(callback);
    return () => this.#onPanic.delete(callback);
  }

  /** Wipes what calls left on the stack, such as keys. Nothing there is alive between calls. */
  wipeStack(): void {
    new Uint8Array(this.memory.buffer, this.#stackEnd - STACK_WIPED, STACK_WIPED).fill(0);
  }

  /** The instance's memory. */
  get memory(): WebAssembly.Memory {
    return this.#exports.memory;
  }

  /**
   * Calls in. What wasm itself throws, a trap, ends the instance; an error of the engine becomes a
   * `TlsError`. Byte arrays that a caller, a store or a peer gave are checked before: the glue throws
   * a `TypeError` on one that is detached, when wasm has done nothing yet.
   */
  call<T>(action: (exports: EngineExports) => T): T {
    if (this.#panic !== undefined) throw this.#panic;
    try {
      return action(this.#exports);
    } catch (error) {
      if (typeof error === "string") throw engineError(error);
      if (error instanceof TlsError || error instanceof TypeError) throw error;
      this.#panic = panicked(error);
      for (const callback of this.#onPanic) callback();
      this.#onPanic.clear();
      throw this.#panic;
    }
  }
}

/** What was negotiated, in code points. */
export interface Negotiated {
  /** Protocol version. */
  protocol: number;
  /** Cipher suite. */
  cipherSuite: number;
  /** Key exchange group; 0: there was no key exchange. */
  group: number;
  /** Application protocol. */
  alpnProtocol: Uint8Array | undefined;
}

/** Wraps a connection of an instance, for modules of this library. */
export let wrapConnection: (instance: EngineInstance, connection: Connection) => EngineConnection;

/**
 * Calls in for a connection, for modules of this library. One that was freed cannot be called: that
 * is an error of the caller's, and never reaches wasm.
 */
export let callConnection: <T>(of: EngineConnection, action: (handle: Connection) => T) => T;

/**
 * One connection in the engine. The caller moves bytes: it reads from the peer into
 * {@linkcode EngineConnection.inputSpace} and calls {@linkcode EngineConnection.receiveTls}; it
 * sends what {@linkcode EngineConnection.pollTransmit} hands out; it looks at the getters between.
 */
export class EngineConnection {
  readonly #instance: EngineInstance;
  readonly #connection: Connection;
  readonly #statusPtr: number;
  readonly #stagingPtr: number;
  readonly #stagingSize: number;
  #status: Uint32Array;
  #memory: Uint8Array;
  /** Room that was handed out and not used. */
  #space = 0;
  /** How much of the bytes under transmission was transmitted. */
  #transmitted = 0;
  #forgetPanic: (() => void) | undefined;
  readonly #uncount: () => void;
  #error: TlsError | undefined;
  #freed = false;

  static {
    wrapConnection = (instance, connection) => new EngineConnection(instance, connection);
    callConnection = (of, action) => of.#call(action);
  }

  private constructor(instance: EngineInstance, connection: Connection) {
    this.#instance = instance;
    this.#connection = connection;
    this.#uncount = instance.addConnection();
    this.#statusPtr = connection.status_ptr();
    [this.#stagingPtr, this.#stagingSize] = instance.call((
      exports,
    ) => [exports.staging_ptr(), exports.staging_size()]);
    this.#status = new Uint32Array(0);
    this.#memory = new Uint8Array(0);
  }

  #call<T>(action: (connection: Connection) => T): T {
    if (this.#freed) throw misuse("The connection was freed");
    return this.#instance.call(() => action(this.#connection));
  }

  /** Wasm memory; made anew when it has grown. */
  #view(): Uint8Array {
    if (this.#memory.length === 0) {
      const { buffer } = this.#instance.memory;
      this.#memory = new Uint8Array(buffer);
      this.#status = new Uint32Array(buffer, this.#statusPtr, Word.Count);
    }
    return this.#memory;
  }

  #word(index: Word): number {
    if (this.#freed) return 0;
    this.#view();
    return this.#status[index];
  }

  #flag(flag: Flag): boolean {
    return (this.#word(Word.Flags) & flag) !== 0;
  }

  #slice(ptr: Word, len: Word): Uint8Array {
    const start = this.#word(ptr);
    return this.#view().subarray(start, start + this.#word(len));
  }

  /** Whether the handshake is under way. */
  get handshaking(): boolean {
    return this.#flag(Flag.Handshaking);
  }

  /** Whether the chain was verified and {@linkcode EngineConnection.verified} is waited for. */
  get wantsVerify(): boolean {
    return this.#flag(Flag.WantsVerify);
  }

  /** Whether the handshake resumed a session. */
  get resumed(): boolean {
    return this.#flag(Flag.Resumed);
  }

  /** Whether close_notify was received; plaintext before it may still be there. */
  get peerClosed(): boolean {
    return this.#flag(Flag.PeerClosed);
  }

  /** Whether close_notify was sent. */
  get closed(): boolean {
    return this.#flag(Flag.Closed);
  }

  /** Whether a ClientHello is there, and a server must say what is answered. */
  get wantsConfig(): boolean {
    return this.#flag(Flag.WantsConfig);
  }

  /** Whether early data went with the ClientHello. */
  get earlyDataOffered(): boolean {
    return this.#flag(Flag.EarlyOffered);
  }

  /** Whether early data was accepted. */
  get earlyDataAccepted(): boolean {
    return this.#flag(Flag.EarlyAccepted);
  }

  /** What stopped the engine instance, and this connection with it. */
  get panic(): TlsError | undefined {
    return this.#instance.panic;
  }

  /** What made the connection fail. Plaintext before it may still be there. */
  get error(): TlsError | undefined {
    if (this.#instance.panic !== undefined) return this.#instance.panic;
    if (!this.#flag(Flag.Failed)) return undefined;
    return this.#error ??= engineError(
      String(this.#call((connection) => connection.error())),
    ) as TlsError;
  }

  /** Bytes of plaintext that can be read. */
  get plaintextLength(): number {
    return this.#word(Word.PlainLen);
  }

  /** TLS bytes that wait for {@linkcode EngineConnection.pollTransmit}. */
  get outputLength(): number {
    return this.#word(Word.OutputLen);
  }

  /**
   * Room for TLS bytes of the peer, in wasm memory. Empty: read plaintext first, or the connection has
   * failed. It stays in place until {@linkcode EngineConnection.receiveTls}, whatever else is called, but a view of it
   * may have to be made anew if the memory grows.
   *
   * @param available How many bytes are there already; 0, the default, where that is not known.
   */
  inputSpace(available: number = 0): Uint8Array {
    this.#call((connection) => connection.prepare_input(available));
    this.#space = this.#word(Word.InputSpace);
    return this.#slice(Word.InputPtr, Word.InputSpace);
  }

  /** Takes `n` bytes that were put into the space: decrypts in place, drives the handshake. */
  receiveTls(n: number, seconds: number = now()): void {
    if (!Number.isInteger(n) || n < 0 || n > this.#space) {
      throw misuse(`The input space has ${this.#space} bytes, not ${n}`);
    }
    this.#space = 0;
    this.#call((connection) => connection.receive(n, seconds));
  }

  /** Moves plaintext out; returns the number of bytes. */
  readPlaintext(into: Uint8Array): number {
    const n = Math.min(this.plaintextLength, into.length);
    if (n === 0) return 0;
    const start = this.#word(Word.PlainPtr);
    into.set(this.#view().subarray(start, start + n));
    this.#call((connection) => connection.take_plain(n));
    return n;
  }

  /** Encrypts some of the bytes into the output; returns how many. */
  writePlaintext(bytes: Uint8Array): number {
    const n = Math.min(bytes.length, this.#stagingSize);
    this.#view().set(n === bytes.length ? bytes : bytes.subarray(0, n), this.#stagingPtr);
    try {
      this.#call((connection) => connection.send(n));
    } catch (error) {
      this.#view().fill(0, this.#stagingPtr, this.#stagingPtr + n);
      throw error;
    }
    return n;
  }

  /**
   * TLS bytes for the peer, in wasm memory, or `undefined` if there are none. They stay in place
   * until {@linkcode EngineConnection.transmitted} is called; until then they are handed out
   * again, as a view of them may have to be made anew if the memory grows.
   */
  pollTransmit(): Uint8Array | undefined {
    if (this.#word(Word.TransmitLen) === 0) {
      if (this.outputLength === 0) return undefined;
      this.#call((connection) => connection.begin_transmit());
    }
    return this.#slice(Word.TransmitPtr, Word.TransmitLen).subarray(this.#transmitted);
  }

  /** Lets go of the first `n` bytes that `pollTransmit()` handed out; of all by default. */
  transmitted(n: number = Infinity): void {
    const length = this.#word(Word.TransmitLen);
    this.#transmitted = Math.min(this.#transmitted + n, length);
    if (this.#transmitted < length) return;
    this.#transmitted = 0;
    this.#call((connection) => connection.end_transmit());
  }

  /** How many sessions wait to be polled. */
  get sessionsWaiting(): number {
    return this.#word(Word.Sessions);
  }

  /** The oldest session received and not polled: a `SessionState` (`session_state.ts`). */
  pollSession(): Uint8Array | undefined {
    if (this.#word(Word.Sessions) === 0) return undefined;
    return this.#call((connection) => connection.poll_session());
  }

  /** Early data received and not taken, on a server; `undefined` if there is none. */
  takeEarlyData(): Uint8Array | undefined {
    if (this.#word(Word.EarlyLength) === 0) return undefined;
    return this.#call((connection) => connection.take_early_data());
  }

  /** The oldest session that a server is to keep; `kept_session.ts` has the layout. */
  pollKeptSession(): Uint8Array | undefined {
    if (this.#word(Word.Sessions) === 0) return undefined;
    return this.#call((connection) => connection.poll_kept_session());
  }

  /** The oldest key log line not polled. */
  pollKeyLog(): string | undefined {
    if (this.#word(Word.KeyLog) === 0) return undefined;
    return this.#call((connection) => connection.poll_key_log());
  }

  /** Answers `wantsVerify`. */
  verified(accepted: boolean, seconds: number = now()): void {
    this.#call((connection) => connection.verified(accepted, seconds));
  }

  /** Puts close_notify into the output. */
  close(): void {
    this.#call((connection) => connection.close());
  }

  /** Puts a key update that asks for one back into the output (RFC 8446 §4.6.3). */
  updateKeys(): void {
    this.#call((connection) => connection.update_keys());
  }

  /** The peer's chain in DER, end entity first. */
  peerCertificates(): Uint8Array[] {
    return certificateList(this.#call((connection) => connection.peer_certificates()));
  }

  /** What the handshake negotiated. */
  negotiated(): Negotiated {
    return this.#call((connection) => ({
      protocol: connection.protocol(),
      cipherSuite: connection.cipher_suite(),
      group: connection.group(),
      alpnProtocol: connection.alpn(),
    }));
  }

  /** Wipes what calls left on the stack: the keys of a handshake that is over, for one. */
  wipeStack(): void {
    this.#instance.wipeStack();
  }

  /** Has `callback` called if the engine panics before the connection is freed. */
  whenPanicked(callback: () => void): void {
    this.#forgetPanic = this.#instance.whenPanicked(callback);
  }

  /**
   * Frees and wipes the connection's memory. No read into the input space and no transmission may
   * be under way. A second call does nothing.
   */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#forgetPanic?.();
    this.#uncount();
    if (this.#instance.panic !== undefined) return;
    this.#instance.call(() => this.#connection.free());
    this.#instance.wipeStack();
  }
}

/**
 * The keys that tickets are sealed under: one seals, several open, all of them come to an end.
 *
 * Rules: rotation by schedule, without a timer: whoever asks for the ring rotates it if it is due.
 * A key is published before it is used, so that all who share a ring can open what any of them
 * seals. A key that no longer opens anything is erased.
 *
 * ```text
 * struct {
 *     opaque key[32];
 *     uint64 not_before;               // milliseconds since 1970: seals from here ...
 *     uint64 seal_until;               // ... to here
 *     uint64 open_until;               // then it is erased
 * } TicketKey;
 *
 * struct {
 *     opaque magic[4] = "RPTK";
 *     uint8 format = 1;
 *     TicketKey keys<56..2^16-1>;
 * } TicketKeyRing;
 * ```
 *
 * @module
 */

import { ByteReader, ByteWriter, hex, sameBytes, ShortRead, utf8 } from "./bytes.ts";
import { checkSecret, derive, KEY_LENGTH, keyId, randomKey } from "./key_material.ts";
import { type KeyRingStore, SharedRing } from "./key_ring_store.ts";
import { checkInstance, nameKind, Opaque } from "./opaque.ts";
import { checkBytes, checkTimeout } from "./options.ts";
import { engineRing, SealingKeys } from "./sealing_keys.ts";

const MAGIC = utf8("RPTK");
const FORMAT = 1;
const HOUR_MS = 60 * 60 * 1000;
/** More than that is a mistake, or a number of something else. */
const MAX_PERIOD_MS = 366 * 24 * HOUR_MS;
const MAX_KEYS = 32;

/** When keys change. */
export interface TicketKeyOptions {
  /** Milliseconds for which a key seals; 8 hours by default (RFC 9325 §4.1: less than a week). */
  rotateEvery?: number;
  /** Milliseconds for which it opens after that; as long again by default. */
  openFor?: number;
}

/** One key and its times, in milliseconds since 1970. */
export interface TicketKey {
  key: Uint8Array;
  notBefore: number;
  sealUntil: number;
  openUntil: number;
}

interface Schedule {
  rotateEvery: number;
  openFor: number;
}

function period(name: string, value: unknown, fallback: number): number {
  const milliseconds = checkTimeout(name, value, fallback);
  if (milliseconds > MAX_PERIOD_MS) {
    throw new TypeError(`Option "${name}" must be a year at most, got ${milliseconds} ms`);
  }
  return milliseconds;
}

function schedule(options: TicketKeyOptions): Schedule {
  const rotateEvery = period("rotateEvery", options.rotateEvery, 8 * HOUR_MS);
  return { rotateEvery, openFor: period("openFor", options.openFor, rotateEvery) };
}

function newKey(notBefore: number, { rotateEvery, openFor }: Schedule): TicketKey {
  const sealUntil = notBefore + rotateEvery;
  return { key: randomKey(), notBefore, sealUntil, openUntil: sealUntil + openFor };
}

/** Whether a key seals at a time. */
export function sealsAt(key: TicketKey, time: number): boolean {
  return key.notBefore <= time && time < key.sealUntil;
}

/** A ring that has a key to seal under now, and the next one published; ended keys erased. */
export function rotated(keys: readonly TicketKey[], options: TicketKeyOptions): TicketKey[] {
  const times = schedule(options);
  const now = Date.now();
  const kept = keys.filter((key) => key.openUntil > now);
  for (const ended of keys) if (ended.openUntil <= now) ended.key.fill(0);
  if (!kept.some((key) => sealsAt(key, now))) {
    kept.push(newKey(now, times));
  }
  const last = Math.max(...kept.map((key) => key.sealUntil));
  // Half a period ahead: everyone who shares the ring has seen it by the time it seals.
  if (last - now < times.rotateEvery / 2) kept.push(newKey(last, times));
  return kept.slice(-MAX_KEYS);
}

/** Writes a ring. */
export function encodeTicketKeys(keys: readonly TicketKey[]): Uint8Array<ArrayBuffer> {
  const list = new ByteWriter();
  for (const { key, notBefore, sealUntil, openUntil } of keys) {
    list.bytes(key).uint64(Math.floor(notBefore)).uint64(Math.floor(sealUntil))
      .uint64(Math.floor(openUntil));
  }
  return new ByteWriter().bytes(MAGIC).uint(1, FORMAT).vector(2, list.finish()).finish();
}

/** Reads a ring; `TypeError` on anything that is none, or on a bad or repeated key. */
export function decodeTicketKeys(bytes: Uint8Array): TicketKey[] {
  checkBytes("bytes", bytes);
  const keys: TicketKey[] = [];
  try {
    const reader = new ByteReader(bytes);
    if (!sameBytes(reader.take(MAGIC.length), MAGIC) || reader.uint(1) !== FORMAT) {
      throw new ShortRead("wrong start");
    }
    const list = new ByteReader(reader.vector(2));
    while (list.remaining > 0) {
      keys.push({
        key: list.take(KEY_LENGTH).slice(),
        notBefore: list.uint64(Number.MAX_SAFE_INTEGER),
        sealUntil: list.uint64(Number.MAX_SAFE_INTEGER),
        openUntil: list.uint64(Number.MAX_SAFE_INTEGER),
      });
    }
    if (keys.length === 0 || keys.length > MAX_KEYS || reader.remaining > 0) {
      throw new ShortRead("wrong number of keys");
    }
  } catch (error) {
    if (!(error instanceof ShortRead)) throw error;
    throw new TypeError('Argument "bytes" is no ring of ticket keys');
  }
  for (const { key } of keys) checkSecret("bytes", key);
  if (new Set(keys.map(({ key }) => hex(key))).size !== keys.length) {
    throw new TypeError("A key is in the ring twice");
  }
  return keys;
}

/** Where the keys of a ring come from. */
interface Source {
  /** The keys of now, sealing or opening. */
  keys(): readonly TicketKey[] | Promise<readonly TicketKey[]>;
  rotate(): void | Promise<void>;
}

/** For modules of this library: what {@linkcode TicketKeys} does not show to others. */
export interface TicketKeysInternals {
  /** The ring as the engine takes it, and whether its first key seals; the others open only. */
  ring(keys: TicketKeys): Promise<{ ring: Uint8Array; seals: boolean }>;
}

/** Access to a ring's insides, for modules of this library. */
export let ticketKeysInternals: TicketKeysInternals;

/**
 * Keys for tickets (RFC 5077, RFC 8446 §4.6.1): a server needs no store, and every server with
 * the same ring resumes what any of them began.
 *
 * What is used is derived from these anew for each ticket, context and server name: one ring
 * under two virtual hosts carries no session across.
 *
 * @example
 * ```ts
 * import { TicketKeys } from "@reprise/tls";
 *
 * const mine = await TicketKeys.generate();          // this process alone
 * const yours = await TicketKeys.fromBytes(mine.toBytes());
 * console.assert(mine.ids.join() === yours.ids.join());
 * ```
 */
export class TicketKeys extends Opaque {
  readonly #source: Source;
  #last: readonly TicketKey[] = [];

  static {
    nameKind(TicketKeys, "TicketKeys");
    ticketKeysInternals = {
      async ring(keys) {
        keys.#last = await keys.#source.keys();
        const ordered = inOrder(keys.#last);
        const seals = ordered.length > 0 && sealsAt(ordered[0], Date.now());
        return { ring: engineRing(ordered.map(({ key }) => key)), seals };
      },
    };
  }

  private constructor(source: Source, first: readonly TicketKey[]) {
    super();
    this.#source = source;
    this.#last = first;
  }

  /** New random keys, which change by schedule. */
  // deno-lint-ignore require-await -- errors are rejections
  static async generate(options: TicketKeyOptions = {}): Promise<TicketKeys> {
    return TicketKeys.#own(rotated([], options), options);
  }

  static #own(first: TicketKey[], options: TicketKeyOptions): TicketKeys {
    let keys = first;
    const source: Source = {
      keys: () => keys = rotated(keys, options),
      rotate() {
        const now = Date.now();
        const ended = keys.filter((key) => key.notBefore <= now)
          .map((key) => ({ ...key, sealUntil: Math.min(key.sealUntil, now) }));
        keys = rotated(ended, options);
      },
    };
    return new TicketKeys(source, keys);
  }

  /**
   * Keys derived from a secret and the time: servers with the same secret, options and clock
   * agree without talking. A key cannot be erased: whoever gets the secret has those of the past
   * too, and can read recorded traffic whose sessions they sealed.
   *
   * @throws {TypeError} on a secret that is short, or one byte repeated.
   */
  // deno-lint-ignore require-await -- errors are rejections
  static async fromSecret(
    secret: Uint8Array,
    options: TicketKeyOptions = {},
  ): Promise<TicketKeys> {
    checkSecret("secret", secret);
    const root = secret.slice();
    const { rotateEvery, openFor } = schedule(options);
    const back = Math.min(Math.ceil(openFor / rotateEvery), MAX_KEYS - 2);
    let derived: TicketKey[] = [];
    let derivedFor = NaN;
    const keys = () => {
      const now = Math.floor(Date.now() / rotateEvery);
      if (now === derivedFor) return derived;
      derivedFor = now;
      // The next one too: another server's clock may be a little ahead.
      return derived = Array.from({ length: back + 2 }, (_, i) => now + 1 - i).map((n) => ({
        key: derive(root, `reprise ticket key ${rotateEvery} ${n}`, KEY_LENGTH),
        notBefore: n * rotateEvery,
        sealUntil: (n + 1) * rotateEvery,
        openUntil: (n + 1) * rotateEvery + openFor,
      }));
    };
    const rotate = () => {
      throw new TypeError("Keys from a secret change by schedule; use another secret");
    };
    return new TicketKeys({ keys, rotate }, keys());
  }

  /**
   * Keys that many servers share by a store with compare-and-set. Whoever finds the ring due
   * rotates it; a new key is published half a period before it seals. While the store is down the
   * keys that were seen last go on, each until its end; no handshake waits for it for long.
   *
   * @param options `keys` seal the ring in the store; `refreshEvery`: milliseconds after which the
   * store is looked at again, a minute by default.
   * @throws what the store does if there is nothing to begin with; {@linkcode TlsError}
   * `ERR_TLS_SESSION_UNSEALABLE` if what is there does not open with these keys.
   */
  static async shared(
    store: KeyRingStore,
    options: TicketKeyOptions & { keys: SealingKeys; refreshEvery?: number },
  ): Promise<TicketKeys> {
    const { keys, refreshEvery, ...times } = options;
    checkInstance("keys", keys, SealingKeys);
    schedule(times);
    const ring = new SharedRing(store, keys, times, refreshEvery);
    await ring.load();
    const source: Source = { keys: () => ring.keys(), rotate: () => ring.rotate() };
    return new TicketKeys(source, await source.keys());
  }

  /**
   * Reads {@linkcode TicketKeys.toBytes}.
   *
   * @throws {TypeError} on anything else, on a zero or repeated key, or if all keys have ended.
   */
  // deno-lint-ignore require-await -- errors are rejections
  static async fromBytes(bytes: Uint8Array, options: TicketKeyOptions = {}): Promise<TicketKeys> {
    schedule(options);
    const keys = decodeTicketKeys(bytes);
    if (keys.every((key) => key.openUntil <= Date.now())) {
      throw new TypeError("Every key of the ring has ended");
    }
    return TicketKeys.#own(keys, options);
  }

  /** The ring with all its secrets and times; a shared one as it was used last. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const keys = this.#source.keys();
    if (!(keys instanceof Promise)) this.#last = keys;
    const now = Date.now();
    return encodeTicketKeys(this.#last.filter((key) => key.openUntil > now));
  }

  /** Makes a new key seal now; the old ones open until they end. */
  async rotate(): Promise<void> {
    await this.#source.rotate();
    this.#last = await this.#source.keys();
  }

  /** The ids of the keys in hexadecimal as of the last use, the sealing one first. */
  get ids(): string[] {
    return inOrder(this.#last).map(({ key }) => hex(keyId(key)));
  }
}

/** The sealing key first, then the others; keys that have ended are left out. */
function inOrder(keys: readonly TicketKey[]): TicketKey[] {
  const now = Date.now();
  const live = keys.filter((key) => key.openUntil > now);
  const sealing = live.filter((key) => sealsAt(key, now)).sort((a, b) => b.notBefore - a.notBefore)
    .slice(0, 1);
  return [...sealing, ...live.filter((key) => !sealing.includes(key))];
}

/**
 * The keys under which what leaves the process is sealed, and the key that names things.
 *
 * The first key seals; all open, each by its id. The name key turns host names and session ids
 * into partitions of a store; it stays when sealing keys change, or everything would be lost.
 *
 * ```text
 * struct {
 *     opaque magic[4] = "RPSK";
 *     uint8 format = 1;
 *     opaque name_key[32];
 *     opaque keys<32..2^16-1>;         // each 32 bytes, the sealing one first
 * } SealingKeyRing;
 * ```
 *
 * @module
 */

import { ByteReader, ByteWriter, hex, sameBytes, ShortRead, utf8 } from "./bytes.ts";
import { hmac, sha256 } from "./hashes.ts";
import { checkSecret, derive, KEY_LENGTH, keyId, randomKey } from "./key_material.ts";
import { nameKind, Opaque } from "./opaque.ts";
import { checkBytes } from "./options.ts";

const MAGIC = utf8("RPSK");
const FORMAT = 1;
/** More old keys than anyone rotates through in a session's 7 days. */
const MAX_KEYS = 16;

/** For modules of this library: what {@linkcode SealingKeys} does not show to others. */
export interface SealingKeysInternals {
  /** As `generate()`, at once. */
  generate(): SealingKeys;
  /** The ring as the engine takes it: 16 bytes of id and 32 of key, each. */
  ring(keys: SealingKeys): Uint8Array;
  /** A name that tells nothing: HMAC-SHA256 under the name key, in hexadecimal. */
  name(keys: SealingKeys, purpose: string, ...parts: Uint8Array[]): string;
}

/** Access to a ring's insides, for modules of this library. */
export let sealingKeysInternals: SealingKeysInternals;

/** The ring of 16 bytes of id and 32 of key each, as the engine takes it. */
export function engineRing(keys: readonly Uint8Array[]): Uint8Array {
  const writer = new ByteWriter();
  for (const key of keys) writer.bytes(keyId(key)).bytes(key);
  return writer.finish();
}

/**
 * A ring of keys for what is kept in stores.
 *
 * @example
 * ```ts
 * import { SealingKeys } from "@reprise/tls";
 *
 * const keys = await SealingKeys.generate();
 * keys.rotate();                                     // new sessions under a new key, old ones open
 * const same = await SealingKeys.fromBytes(keys.toBytes());
 * console.assert(same.ids.join() === keys.ids.join());
 * ```
 */
export class SealingKeys extends Opaque {
  readonly #nameKey: Uint8Array;
  #keys: Uint8Array[];
  #ring: Uint8Array;

  static {
    nameKind(SealingKeys, "SealingKeys");
    sealingKeysInternals = {
      generate: () => new SealingKeys(randomKey(), [randomKey()]),
      ring: (keys) => keys.#ring,
      name: (keys, purpose, ...parts) => {
        const writer = new ByteWriter().vector(1, utf8(purpose));
        for (const part of parts) writer.vector(2, part);
        return hex(hmac(sha256, keys.#nameKey, writer.finish()));
      },
    };
  }

  private constructor(nameKey: Uint8Array, keys: Uint8Array[]) {
    super();
    this.#nameKey = nameKey;
    this.#keys = keys;
    this.#ring = engineRing(keys);
  }

  /** A ring with one new key, for this process or to be kept by {@linkcode SealingKeys.toBytes}. */
  static generate(): Promise<SealingKeys> {
    return Promise.resolve(sealingKeysInternals.generate());
  }

  /**
   * A ring from secrets that processes share.
   *
   * @param secret At least 32 bytes of randomness; seals.
   * @param options `previous`: earlier secrets, which still open; `nameSecret`: what names are
   * derived from. Keep it the same when the secret changes; by default it is the oldest secret.
   * @throws {TypeError} on a secret that is short, or one byte repeated.
   */
  // deno-lint-ignore require-await -- errors are rejections
  static async fromSecret(
    secret: Uint8Array,
    options: { previous?: readonly Uint8Array[]; nameSecret?: Uint8Array } = {},
  ): Promise<SealingKeys> {
    const { previous = [] } = options;
    if (!Array.isArray(previous) || previous.length >= MAX_KEYS) {
      throw new TypeError(`Option "previous" must be an array of ${MAX_KEYS - 1} secrets at most`);
    }
    const secrets: Uint8Array[] = [secret, ...previous];
    for (const each of secrets) checkSecret("secret", each);
    const { nameSecret = secrets[secrets.length - 1] } = options;
    checkSecret("nameSecret", nameSecret);
    const keys = secrets.map((each) => derive(each, "reprise sealing key", KEY_LENGTH));
    return new SealingKeys(derive(nameSecret, "reprise name key", KEY_LENGTH), distinct(keys));
  }

  /** Reads {@linkcode SealingKeys.toBytes}. Throws `TypeError` on anything else. */
  // deno-lint-ignore require-await -- errors are rejections
  static async fromBytes(bytes: Uint8Array): Promise<SealingKeys> {
    checkBytes("bytes", bytes);
    try {
      const reader = new ByteReader(bytes);
      if (!sameBytes(reader.take(MAGIC.length), MAGIC) || reader.uint(1) !== FORMAT) {
        throw new ShortRead("wrong start");
      }
      const nameKey = reader.take(KEY_LENGTH).slice();
      const list = new ByteReader(reader.vector(2));
      const keys: Uint8Array[] = [];
      while (list.remaining > 0) keys.push(list.take(KEY_LENGTH).slice());
      if (keys.length === 0 || keys.length > MAX_KEYS || reader.remaining > 0) {
        throw new ShortRead("wrong number of keys");
      }
      for (const key of [nameKey, ...keys]) checkSecret("bytes", key);
      return new SealingKeys(nameKey, distinct(keys));
    } catch (error) {
      if (!(error instanceof ShortRead)) throw error;
      throw new TypeError('Argument "bytes" is no ring of sealing keys');
    }
  }

  /** The ring with all its secrets. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const list = new ByteWriter();
    for (const key of this.#keys) list.bytes(key);
    return new ByteWriter().bytes(MAGIC).uint(1, FORMAT).bytes(this.#nameKey)
      .vector(2, list.finish()).finish();
  }

  /** Puts a new key in front; older ones open only. The 16 newest are kept. */
  rotate(): void {
    this.#keys = [randomKey(), ...this.#keys].slice(0, MAX_KEYS);
    this.#ring = engineRing(this.#keys);
  }

  /** The ids of the keys in hexadecimal, the sealing one first. */
  get ids(): string[] {
    return this.#keys.map((key) => hex(keyId(key)));
  }
}

function distinct(keys: Uint8Array[]): Uint8Array[] {
  const ids = new Set(keys.map((key) => hex(keyId(key))));
  if (ids.size !== keys.length) throw new TypeError("A key is in the ring twice");
  return keys;
}

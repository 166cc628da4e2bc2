/**
 * The keys under which what leaves the process is sealed, and the key that names things.
 *
 * The first key seals; all open, each by its id. The name key turns host names and session ids
 * into partitions of a store; it stays when sealing keys change, or everything would be lost.
 *
 * Rule: a key that falls out of the ring is wiped, and so is every plain copy of the ring that is
 * replaced. What `toBytes()` returns is the caller's to wipe.
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
import { checkSecret, copySecret, derive, KEY_LENGTH, keyId, randomKey } from "./key_material.ts";
import { nameKind, Opaque } from "./opaque.ts";
import { bytesOf, checkList } from "./options.ts";
import { type KnownOptions, readOptions } from "./read_options.ts";

const MAGIC = utf8("RPSK");
const FORMAT = 1;
/** More old keys than anyone rotates through in a session's 7 days. */
const MAX_KEYS = 16;

/** For modules of this library: what {@linkcode SealingKeys} does not show to others. */
export interface SealingKeysInternals {
  /** As `generate()`, at once. */
  generate(): SealingKeys;
  /**
   * The ring as the engine takes it: 16 bytes of id and 32 of key, each. To be used at once: a
   * rotation wipes it.
   */
  ring(keys: SealingKeys): Uint8Array;
  /** A name that tells nothing: HMAC-SHA256 under the name key, in hexadecimal. */
  name(keys: SealingKeys, purpose: string, ...parts: Uint8Array[]): string;
}

/** Access to a ring's insides, for modules of this library. */
export let sealingKeysInternals: SealingKeysInternals;

/**
 * The ring of 16 bytes of id and 32 of key each, as the engine takes it. It is a plain copy of the
 * keys: whoever asked for it wipes it.
 */
export function engineRing(keys: readonly Uint8Array[]): Uint8Array {
  const writer = new ByteWriter();
  for (const key of keys) {
    // A mistake of ours must not lead to sealing under a key of zeros (CVE-2020-13777).
    if (key.every((byte) => byte === 0)) throw new Error("A key of the ring was wiped");
    writer.bytes(keyId(key)).bytes(key);
  }
  return writer.finish();
}

/** The options of {@linkcode SealingKeys.fromSecret}. */
interface SecretOptions {
  previous?: readonly Uint8Array[];
  nameSecret?: Uint8Array;
}

const SECRET_OPTIONS = {
  previous: "anywhere",
  nameSecret: "anywhere",
} as const satisfies KnownOptions<SecretOptions>;

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
  // deno-lint-ignore require-await -- errors are rejections
  static async generate(): Promise<SealingKeys> {
    checkNoOptions("SealingKeys.generate()", arguments[0]);
    return sealingKeysInternals.generate();
  }

  /**
   * A ring from secrets that processes share.
   *
   * @param secret At least 32 bytes of randomness; seals.
   * @param options `previous`: earlier secrets, which still open; `nameSecret`: what names are
   * derived from. Keep it the same when the secret changes; by default it is the oldest secret.
   * @throws {TypeError} on a secret that is short, has one byte repeated, or is detached; on an
   * option that is unknown, and on options that are no object.
   */
  // deno-lint-ignore require-await -- errors are rejections
  static async fromSecret(
    secret: Uint8Array,
    options: { previous?: readonly Uint8Array[]; nameSecret?: Uint8Array } = {},
  ): Promise<SealingKeys> {
    const secrets = [copySecret("secret", secret)];
    try {
      const { previous = [], nameSecret } = readOptions(
        options,
        SECRET_OPTIONS,
        "SealingKeys.fromSecret() options",
      );
      const most = MAX_KEYS - 1;
      checkList("previous", previous, "an array of secrets", (each, i) => {
        secrets.push(copySecret(`previous[${i}]`, each));
      }, most);
      const keys = distinct(
        secrets.map((each) => derive(each, "reprise sealing key", KEY_LENGTH)),
      );
      if (nameSecret !== undefined) secrets.push(copySecret("nameSecret", nameSecret));
      const oldest = secrets[secrets.length - 1];
      return new SealingKeys(derive(oldest, "reprise name key", KEY_LENGTH), keys);
    } finally {
      for (const each of secrets) each.fill(0);
    }
  }

  /**
   * Reads {@linkcode SealingKeys.toBytes}.
   *
   * @throws {TypeError} on anything else, on a zero or repeated key, and on detached bytes.
   */
  // deno-lint-ignore require-await -- errors are rejections
  static async fromBytes(bytes: Uint8Array): Promise<SealingKeys> {
    const copy = bytesOf("bytes", bytes);
    const keys: Uint8Array[] = [];
    try {
      checkNoOptions("SealingKeys.fromBytes()", arguments[1]);
      const reader = new ByteReader(copy);
      if (!sameBytes(reader.take(MAGIC.length), MAGIC) || reader.uint(1) !== FORMAT) {
        throw new ShortRead("wrong start");
      }
      keys.push(reader.take(KEY_LENGTH).slice());
      const list = new ByteReader(reader.vector(2, KEY_LENGTH, MAX_KEYS * KEY_LENGTH));
      while (list.remaining > 0) keys.push(list.take(KEY_LENGTH).slice());
      if (reader.remaining > 0) throw new ShortRead("too long");
      for (const key of keys) checkSecret("bytes", key);
      const [nameKey, ...sealing] = keys;
      return new SealingKeys(nameKey, distinct(sealing));
    } catch (error) {
      for (const key of keys) key.fill(0);
      if (!(error instanceof ShortRead)) throw error;
      throw new TypeError('Argument "bytes" is no ring of sealing keys');
    } finally {
      copy.fill(0);
    }
  }

  /** The ring with all its secrets; the bytes are a copy, and the caller's to wipe. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const writer = new ByteWriter().bytes(MAGIC).uint(1, FORMAT).bytes(this.#nameKey)
      .uint(2, this.#keys.length * KEY_LENGTH);
    for (const key of this.#keys) writer.bytes(key);
    return writer.finish();
  }

  /** Puts a new key in front; older ones open only. The 16 newest are kept, others are wiped. */
  rotate(): void {
    const keys = [randomKey(), ...this.#keys];
    for (const old of keys.splice(MAX_KEYS)) old.fill(0);
    this.#ring.fill(0);
    this.#keys = keys;
    this.#ring = engineRing(keys);
  }

  /** The ids of the keys in hexadecimal, the sealing one first. */
  get ids(): string[] {
    return this.#keys.map((key) => hex(keyId(key)));
  }
}

/** An option where there is none has no effect, and whoever gives it thinks that it has. */
function checkNoOptions(what: string, given: unknown): void {
  if (given !== undefined) throw new TypeError(`${what} takes no options`);
}

function distinct(keys: Uint8Array[]): Uint8Array[] {
  const ids = new Set(keys.map((key) => hex(keyId(key))));
  if (ids.size === keys.length) return keys;
  for (const key of keys) key.fill(0);
  throw new TypeError("A key is in the ring twice");
}

/**
 * The keys that tickets are sealed under.
 *
 * Rules: the ring that the engine is given is one copy, made when the keys in use change, and wiped
 * when it is replaced. Options are read once, each by its name, and a misspelt one is an error.
 *
 * Where the keys come from is the business of three kinds of rings (own, derived, shared).
 *
 * @module
 */

import { copySecret } from "./key_material.ts";
import type { KeyRingStore } from "./key_ring_store.ts";
import { DerivedRing } from "./derived_ring.ts";
import { reading } from "./option_errors.ts";
import { checkInstance, nameKind, Opaque } from "./opaque.ts";
import { bytesOf, checkFunction, checkString, checkText } from "./options.ts";
import { OwnRing } from "./own_ring.ts";
import { type KnownOptions, readOptions } from "./read_options.ts";
import { engineRing, SealingKeys } from "./sealing_keys.ts";
import { SharedRing } from "./shared_ring.ts";
import type { OnTicketKeyEvent } from "./ticket_key_events.ts";
import type { TicketKeySource } from "./ticket_key_source.ts";
import {
  decodeTicketKeys,
  encodeTicketKeys,
  type TicketKey,
  ticketKeyId,
  wipeKeys,
} from "./ticket_ring.ts";
import {
  checkSchedule,
  checkSharedSchedule,
  inOrder,
  sealsAt,
  type TicketKeyOptions,
} from "./ticket_schedule.ts";

const TIMES = {
  rotateEvery: "anywhere",
  openFor: "anywhere",
} as const satisfies KnownOptions<TicketKeyOptions>;

/** Bytes of a ring's name in UTF-8. */
const MAX_NAME = 255;

/** How keys are shared. */
export interface SharedTicketKeyOptions extends TicketKeyOptions {
  /** Seal the ring in the store; every server needs the same ones. */
  keys: SealingKeys;
  /**
   * The name of the ring, which every server of a fleet gives alike; `"default"` by default. The
   * ring of another name does not open here, although it is sealed under the same keys: give each
   * service a name where several have the same `keys`. At most 255 bytes of UTF-8.
   */
  name?: string;
  /**
   * Milliseconds after which the store is looked at again: a minute by default, or a quarter of
   * `rotateEvery` where that is less. More than a quarter is refused, as a key has to be seen by
   * all before it seals.
   */
  refreshEvery?: number;
  /** Is told what becomes of the ring: why it was refused, who revoked a key, whose clock is off. */
  onDiagnostic?: OnTicketKeyEvent;
}

const SHARED = {
  ...TIMES,
  keys: "anywhere",
  name: "anywhere",
  refreshEvery: "anywhere",
  onDiagnostic: "anywhere",
} as const satisfies KnownOptions<SharedTicketKeyOptions>;

function checkName(name: unknown): string {
  if (name === undefined) return "default";
  checkString("name", name);
  return checkText("name", name, MAX_NAME);
}

/** The ring as the engine takes it. To be read and used at once: the next change wipes it. */
export interface EngineTicketRing {
  /** 16 bytes of id and 32 of key for each key. */
  readonly ring: Uint8Array;
  /** Whether its first key seals; the others open only. */
  readonly seals: boolean;
}

/** For modules of this library: what {@linkcode TicketKeys} does not show to others. */
export interface TicketKeysInternals {
  /** Does what is due, and gives the ring. */
  ring(keys: TicketKeys): Promise<EngineTicketRing>;
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
 * Keep one object for as long as the process runs: what it has seen, such as which keys were
 * rotated away or revoked, a new one has to be told by the store.
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
  readonly #source: TicketKeySource;
  readonly #engineRing: EngineTicketRing;
  /** What the engine is given: a plain copy of these keys. */
  #order: readonly Uint8Array[] = [];
  #ring: Uint8Array = new Uint8Array(0);
  #seals = false;

  static {
    nameKind(TicketKeys, "TicketKeys");
    ticketKeysInternals = {
      async ring(keys) {
        await keys.#source.refresh();
        keys.#renew();
        return keys.#engineRing;
      },
    };
  }

  private constructor(source: TicketKeySource) {
    super();
    this.#source = source;
    // Properties, not copies: between an await and what follows it another call may renew the ring.
    const ring = () => this.#ring;
    const seals = () => this.#seals;
    this.#engineRing = {
      get ring() {
        return ring();
      },
      get seals() {
        return seals();
      },
    };
    this.#renew();
  }

  /** Brings what the engine is given up to the keys of now. */
  #renew(): TicketKey[] {
    const now = Date.now();
    const keys = inOrder(this.#source.keys(), now);
    const same = keys.length === this.#order.length &&
      keys.every(({ key }, i) => key === this.#order[i]);
    if (!same) {
      this.#ring.fill(0);
      this.#order = keys.map(({ key }) => key);
      this.#ring = engineRing(this.#order);
    }
    this.#seals = keys.length > 0 && sealsAt(keys[0], now);
    return keys;
  }

  /**
   * New random keys, which change by schedule.
   *
   * @throws {TypeError} on an option that is bad or unknown.
   */
  // deno-lint-ignore require-await -- errors are rejections
  static async generate(options: TicketKeyOptions = {}): Promise<TicketKeys> {
    const { rotateEvery, openFor } = readOptions(
      options,
      TIMES,
      "TicketKeys.generate() options",
    );
    return new TicketKeys(new OwnRing([], checkSchedule(rotateEvery, openFor)));
  }

  /**
   * Keys derived from a secret and the time: servers with the same secret, options and clock
   * agree without talking. A key cannot be erased: whoever gets the secret has those of the past
   * too, and can read recorded traffic whose sessions they sealed.
   *
   * @throws {TypeError} on a secret that is short, has one byte repeated, or is detached, and on an
   * option that is bad or unknown.
   */
  // deno-lint-ignore require-await -- errors are rejections
  static async fromSecret(
    secret: Uint8Array,
    options: TicketKeyOptions = {},
  ): Promise<TicketKeys> {
    const copy = copySecret("secret", secret);
    try {
      const { rotateEvery, openFor } = readOptions(
        options,
        TIMES,
        "TicketKeys.fromSecret() options",
      );
      const times = checkSchedule(rotateEvery, openFor);
      return new TicketKeys(new DerivedRing(copy, times));
    } catch (error) {
      copy.fill(0);
      throw error;
    }
  }

  /**
   * Keys that many servers share by a store with compare-and-set. Whoever finds the ring due
   * rotates it; a new key is published half a period before it seals. While the store is down the
   * keys that were seen last go on, each until its end; no handshake waits for it for long.
   *
   * A store may lose the ring, or give an older one: what this object has seen stays, and is put
   * back. A process that has just started knows nothing but what the store says
   * (docs/ticket_keys.md).
   *
   * @throws {TypeError} on an option that is bad or unknown, or a schedule that cannot work; what
   * the store does if there is nothing to begin with; {@linkcode TlsError}
   * `ERR_TLS_SESSION_UNSEALABLE` if what is there does not open with these keys and this name.
   */
  static async shared(
    store: KeyRingStore,
    options: SharedTicketKeyOptions,
  ): Promise<TicketKeys> {
    const isStore = reading(
      'Argument "store"',
      () => typeof store?.load === "function" && typeof store.compareAndSet === "function",
    );
    if (!isStore) {
      throw new TypeError('Argument "store" must be a KeyRingStore: "load" and "compareAndSet"');
    }
    const { keys, name, rotateEvery, openFor, refreshEvery, onDiagnostic } = readOptions(
      options,
      SHARED,
      "TicketKeys.shared() options",
    );
    checkInstance("keys", keys, SealingKeys);
    const ring = new SharedRing(store, {
      sealing: keys,
      name: checkName(name),
      times: checkSharedSchedule(checkSchedule(rotateEvery, openFor), refreshEvery),
      onDiagnostic: checkFunction("onDiagnostic", onDiagnostic),
    });
    await ring.load();
    return new TicketKeys(ring);
  }

  /**
   * Reads {@linkcode TicketKeys.toBytes}.
   *
   * @throws {TypeError} on anything else, on a zero or repeated key, if all keys have ended, on
   * bytes that are detached, and on an option that is bad or unknown.
   */
  // deno-lint-ignore require-await -- errors are rejections
  static async fromBytes(bytes: Uint8Array, options: TicketKeyOptions = {}): Promise<TicketKeys> {
    const copy = bytesOf("bytes", bytes);
    try {
      const { rotateEvery, openFor } = readOptions(
        options,
        TIMES,
        "TicketKeys.fromBytes() options",
      );
      const times = checkSchedule(rotateEvery, openFor);
      const keys = decodeTicketKeys(copy);
      if (keys.every((key) => key.openUntil <= Date.now())) {
        wipeKeys(keys);
        throw new TypeError("Every key of the ring has ended");
      }
      return new TicketKeys(new OwnRing(keys, times));
    } finally {
      copy.fill(0);
    }
  }

  /**
   * The keys in use with all their secrets and times; shared ones as they were used last. The bytes
   * are a copy, and the caller's to wipe. They name no revoked keys, as those are not in them.
   */
  toBytes(): Uint8Array<ArrayBuffer> {
    // A shared ring looks at its store in the background; it never rejects.
    void this.#source.refresh();
    return encodeTicketKeys(this.#renew());
  }

  /** Makes a new key seal now; the old ones open until they end, and never seal again. */
  async rotate(): Promise<void> {
    try {
      await this.#source.rotate();
    } finally {
      this.#renew();
    }
  }

  /**
   * Makes a stolen key neither seal nor open any more, here at once; what it sealed costs a full
   * handshake. Where it was the one that seals, a new one does. A handshake under way may still get
   * a ticket that nobody opens.
   *
   * - Shared keys: the other servers know with their next look at the store. The ring names the
   *   revoked key until it would have ended, so that nobody takes it from an older ring. If the
   *   store fails this rejects; the key is revoked here all the same, and the next look at the
   *   store tells the others.
   * - Keys from {@linkcode TicketKeys.fromBytes} or {@linkcode TicketKeys.generate}: the key is
   *   wiped here. Who has the bytes has it still.
   * - Keys from a secret: it is remembered in this process alone, and no key seals before the next
   *   one's time. Who stole the key from the secret has all of them: use another secret.
   *
   * @param keyId One of {@linkcode TicketKeys.ids}.
   * @throws {TypeError} on what is no id of a key of this ring. `RangeError` if 64 keys are revoked
   * that have not ended. What the store throws.
   *
   * @example
   * ```ts
   * import { TicketKeys } from "@reprise/tls";
   *
   * const keys = await TicketKeys.generate();
   * const [stolen] = keys.ids;
   * await keys.revoke(stolen);
   * console.assert(!keys.ids.includes(stolen));
   * ```
   */
  async revoke(keyId: string): Promise<void> {
    if (typeof keyId !== "string" || !/^[0-9a-f]{32}$/i.test(keyId)) {
      throw new TypeError(
        `Argument "keyId" must be 32 hexadecimal digits, as in "ids", got ${typeof keyId}`,
      );
    }
    const told = this.#source.revoke(keyId.toLowerCase());
    this.#renew();
    try {
      await told;
    } finally {
      this.#renew();
    }
  }

  /** The ids of the keys in use in hexadecimal, the sealing one first. */
  get ids(): string[] {
    return inOrder(this.#source.keys(), Date.now()).map(ticketKeyId);
  }
}

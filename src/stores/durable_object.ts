/**
 * A store in Durable Objects: one object for each partition, so that `take` has one winner and
 * partitions do not wait for each other. The class keeps rings of ticket keys too, in objects of
 * their own (`durable_object_ring.ts`).
 *
 * ```text
 * POST   /?expires=MS&limit=N     the value as body       put
 * DELETE /?take                   200 with a value, 204   take
 * GET    /                        200 with a value, 204   peek
 * DELETE /                                                delete
 *                                 409: the object has a ring, and takes no sessions
 * ```
 *
 * @module
 */

import type { PutOptions, SessionStore } from "../session_store.ts";
import { answerRing, hasRing, MAX_VALUE_BYTES, RING_PATH } from "./durable_object_ring.ts";
import { sequence } from "./sequence.ts";

export { durableObjectKeyRing } from "./durable_object_ring.ts";

/** What is used of an object's storage. */
export interface DurableStorage {
  /** Values by key, in the order of the keys. */
  list<T>(options?: { reverse?: boolean; limit?: number }): Promise<Map<string, T>>;
  /** Keeps a value. */
  put<T>(key: string, value: T): Promise<void>;
  /** Removes keys. */
  delete(keys: string[]): Promise<unknown>;
  /** Removes everything. */
  deleteAll(): Promise<void>;
  /** Has `alarm()` called at a time. */
  setAlarm(time: number): Promise<void>;
}

/** What is used of a namespace of objects. */
export interface DurableNamespace<Id = unknown> {
  /** The id of a name. */
  idFromName(name: string): Id;
  /** The object of an id. */
  get(id: Id): { fetch(url: string, init: ObjectRequest): Promise<ObjectResponse> };
}

/** A request to an object. */
export interface ObjectRequest {
  /** The HTTP method. */
  method: string;
  /** The value of a put. */
  body?: Uint8Array<ArrayBuffer>;
}

/** An object's answer. */
export interface ObjectResponse {
  /** Whether the status is a 2xx. */
  readonly ok: boolean;
  /** The HTTP status. */
  readonly status: number;
  /** The headers. */
  readonly headers: { get(name: string): string | null };
  /** The body. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

interface Entry {
  value: Uint8Array;
  expiresAt: number;
}

/**
 * The class to bind: export it from the Worker, and name it in its configuration.
 *
 * @example
 * ```ts ignore
 * export { SessionStoreObject } from "@reprise/tls/stores/durable_object";
 * ```
 */
export class SessionStoreObject {
  readonly #storage: DurableStorage;

  /** Made by the runtime. */
  constructor(state: { storage: DurableStorage }) {
    this.#storage = state.storage;
  }

  /** Serves {@linkcode durableObjectStore} and {@linkcode durableObjectKeyRing}. */
  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === RING_PATH) return await answerRing(this.#storage, request);
    const body = new Uint8Array(await request.arrayBuffer());
    if (await hasRing(this.#storage)) return new Response(null, { status: 409 });
    switch (request.method) {
      case "POST":
        return await this.#put(body, {
          expiresAt: Number(searchParams.get("expires")),
          limit: Number(searchParams.get("limit")),
        });
      case "GET":
        return await this.#newest(false);
      case "DELETE":
        if (searchParams.has("take")) return await this.#newest(true);
        await this.#storage.deleteAll();
        return new Response(null, { status: 204 });
      default:
        return new Response(null, { status: 405 });
    }
  }

  async #put(value: Uint8Array, { expiresAt, limit }: PutOptions): Promise<Response> {
    await this.#storage.put<Entry>(sequence(), { value, expiresAt });
    const entries = await this.#storage.list<Entry>({ reverse: true });
    const keys = [...entries.keys()];
    const old = keys.slice(Math.min(limit, keys.length));
    if (old.length > 0) await this.#storage.delete(old);
    await this.#setAlarm([...entries.values()]);
    return new Response(null, { status: 204 });
  }

  async #newest(take: boolean): Promise<Response> {
    // Nothing else runs in the object while its storage is asked: the input gate is shut.
    const entries = await this.#storage.list<Entry>({ reverse: true });
    for (const [key, { value, expiresAt }] of entries) {
      const live = expiresAt > Date.now();
      if (take || !live) await this.#storage.delete([key]);
      if (live) return new Response(value.slice());
    }
    return new Response(null, { status: 204 });
  }

  /** For when the last value has expired. */
  async #setAlarm(entries: Entry[]): Promise<void> {
    const times = entries.map(({ expiresAt }) => expiresAt);
    await this.#storage.setAlarm(Math.max(Date.now(), ...times));
  }

  /** Called by the runtime when the last value has expired; one may have come since. */
  async alarm(): Promise<void> {
    if (await hasRing(this.#storage)) return;
    const entries = [...(await this.#storage.list<Entry>()).values()];
    const living = entries.filter(({ expiresAt }) => expiresAt > Date.now());
    if (living.length > 0) await this.#setAlarm(living);
    else await this.#storage.deleteAll();
  }
}

/**
 * Keeps sessions in objects of the class {@linkcode SessionStoreObject}.
 *
 * @example
 * ```ts ignore
 * const store = durableObjectStore(env.SESSIONS);
 * const context = new ClientContext({ resumption: { store, keys } });
 * ctx.waitUntil(context.settled());
 * ```
 */
export function durableObjectStore<Id>(namespace: DurableNamespace<Id>): SessionStore {
  if (typeof namespace?.idFromName !== "function") {
    throw new TypeError('Argument "namespace" must be a namespace of Durable Objects');
  }

  async function ask(partition: string, method: string, query = "", body?: Uint8Array) {
    const object = namespace.get(namespace.idFromName(partition));
    const init = { method, ...(body && { body: new Uint8Array(body) }) };
    const response = await object.fetch(`https://session-store/${query}`, init);
    if (!response.ok) throw new Error(`The Durable Object answered ${response.status}`);
    return response.status === 204 ? null : new Uint8Array(await response.arrayBuffer());
  }

  return {
    capabilities: { atomicTake: true, consistency: "strong", maxValueBytes: MAX_VALUE_BYTES },
    async put(partition: string, value: Uint8Array, { expiresAt, limit }: PutOptions) {
      await ask(partition, "POST", `?expires=${Math.floor(expiresAt)}&limit=${limit}`, value);
    },
    take: (partition) => ask(partition, "DELETE", "?take"),
    peek: (partition) => ask(partition, "GET"),
    async delete(partition: string) {
      await ask(partition, "DELETE");
    },
  };
}

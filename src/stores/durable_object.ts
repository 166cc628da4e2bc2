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
 *                                 400: "expires" or "limit" is no such number, 413: the value is
 *                                 too large; 409: the object has a ring, and takes no sessions
 * ```
 *
 * Rules: what is refused has changed nothing. All that is in an object but a ring belongs to the
 * store, whoever wrote it: what cannot be used is removed when it is met. An object is read page by
 * page, as a Worker has 128 MB.
 *
 * @module
 */

import { badOption } from "../option_errors.ts";
import { hasMethods } from "../options.ts";
import type { PutOptions, SessionStore } from "../session_store.ts";
import { isValue, lives, MAX_LIFETIME_MS, MAX_PASSED_OVER, MAX_VALUES } from "./bounds.ts";
import { answerRing, hasRing, RING_PATH } from "./durable_object_ring.ts";
import { MAX_VALUE_BYTES, readBody } from "./durable_object_body.ts";
import { checkPartition, checkPut } from "./put_options.ts";
import { sequence } from "./sequence.ts";

export { durableObjectKeyRing } from "./durable_object_ring.ts";

/** What is used of an object's storage. */
export interface DurableStorage {
  /** Values by key, in the order of the keys, from `start` on and before `end`. */
  list<T>(
    options?: { reverse?: boolean; limit?: number; start?: string; end?: string },
  ): Promise<Map<string, T>>;
  /** Keeps a value. */
  put<T>(key: string, value: T): Promise<void>;
  /** Removes keys, 128 at most. */
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

/** Entries that are read at once: 8 MiB, if they are as large as can be. */
const PAGE = 64;
/** Entries of one object that are looked at in one go. */
const MAX_READ = MAX_VALUES + MAX_PASSED_OVER;

/** Whether it may be handed out: others may have written into the object. */
function isUsable(entry: unknown): entry is Entry {
  const { value, expiresAt } = (entry ?? {}) as Partial<Entry>;
  return isValue(value, MAX_VALUE_BYTES) && lives(expiresAt);
}

/** A number in decimal digits within bounds; `undefined`: it is none. */
function numberIn(text: string | null, min: number, max: number): number | undefined {
  const number = /^\d{1,15}$/.test(text ?? "") ? Number(text) : NaN;
  return number >= min && number <= max ? number : undefined;
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
    const { method } = request;
    const body = await readBody(request);
    if (method === "POST") {
      const expiresAt = numberIn(searchParams.get("expires"), 0, Date.now() + MAX_LIFETIME_MS);
      const limit = numberIn(searchParams.get("limit"), 1, MAX_VALUES);
      if (expiresAt === undefined || limit === undefined) return empty(400);
      if (body === null) return empty(413);
      // From here on nothing else runs in the object while its storage is asked: the input gate.
      if (await hasRing(this.#storage)) return empty(409);
      return await this.#put(body, { expiresAt, limit });
    }
    if (method !== "GET" && method !== "DELETE") return empty(405);
    if (await hasRing(this.#storage)) return empty(409);
    if (method === "GET") return await this.#newest(false);
    if (searchParams.has("take")) return await this.#newest(true);
    await this.#storage.deleteAll();
    return empty(204);
  }

  /** The entries, the newest first, in pages; no more than the object should have. */
  async *#pages(): AsyncGenerator<[key: string, entry: unknown][]> {
    let end: string | undefined;
    for (let read = 0; read < MAX_READ; read += PAGE) {
      const entries = await this.#storage.list<unknown>({
        reverse: true,
        limit: PAGE,
        ...(end !== undefined && { end }),
      });
      const page = [...entries];
      yield page;
      if (page.length < PAGE) return;
      end = page[PAGE - 1][0];
    }
  }

  async #put(value: Uint8Array, { expiresAt, limit }: PutOptions): Promise<Response> {
    await this.#storage.put<Entry>(sequence(), { value, expiresAt });
    let kept = 0;
    let last = Date.now();
    for await (const page of this.#pages()) {
      const over: string[] = [];
      for (const [key, entry] of page) {
        if (isUsable(entry) && kept < limit) {
          kept++;
          last = Math.max(last, entry.expiresAt);
        } else over.push(key);
      }
      if (over.length > 0) await this.#storage.delete(over);
    }
    await this.#storage.setAlarm(last);
    return empty(204);
  }

  async #newest(take: boolean): Promise<Response> {
    for await (const page of this.#pages()) {
      const over: string[] = [];
      const found = page.find(([key, entry]) => {
        const usable = isUsable(entry);
        if (!usable || take) over.push(key);
        return usable;
      })?.[1] as Entry | undefined;
      if (over.length > 0) await this.#storage.delete(over);
      if (found !== undefined) return new Response(found.value.slice());
    }
    return empty(204);
  }

  /** Called by the runtime when the last value has expired; one may have come since. */
  async alarm(): Promise<void> {
    if (await hasRing(this.#storage)) return;
    let last = 0;
    for await (const page of this.#pages()) {
      for (const [, entry] of page) if (isUsable(entry)) last = Math.max(last, entry.expiresAt);
    }
    if (last > 0) await this.#storage.setAlarm(last);
    else await this.#storage.deleteAll();
  }
}

function empty(status: number): Response {
  return new Response(null, { status });
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
  if (!hasMethods('Argument "namespace"', namespace, "idFromName")) {
    badOption("namespace", "a namespace of Durable Objects", namespace, "Argument");
  }

  async function ask(
    partition: string,
    method: string,
    query = "",
    body?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array | null> {
    const object = namespace.get(namespace.idFromName(checkPartition(partition)));
    const response = await object.fetch(`https://session-store/${query}`, {
      method,
      ...(body && { body }),
    });
    if (!response.ok) throw new Error(`The Durable Object answered ${response.status}`);
    return response.status === 204 ? null : new Uint8Array(await response.arrayBuffer());
  }

  return {
    capabilities: { atomicTake: true, consistency: "strong", maxValueBytes: MAX_VALUE_BYTES },
    async put(partition: string, given: Uint8Array, options: PutOptions) {
      const { value, expiresAt, limit } = checkPut(partition, given, options, MAX_VALUE_BYTES);
      await ask(partition, "POST", `?expires=${Math.floor(expiresAt)}&limit=${limit}`, value);
    },
    take: (partition) => ask(partition, "DELETE", "?take"),
    peek: (partition) => ask(partition, "GET"),
    async delete(partition: string) {
      await ask(partition, "DELETE");
    },
  };
}

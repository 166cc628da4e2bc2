/**
 * A ring of ticket keys in a Durable Object: one object for each ring, of the class that keeps
 * sessions too, so that one binding is enough.
 *
 * Rules: an object has a ring or sessions, and refuses the other; a ring is never removed. Its
 * versions count up.
 *
 * ```text
 * GET /ring                  200 with a value and its version as ETag, 204: there is none
 * PUT /ring?version=V        the value as body; 204: replaced, 412: it has another version
 * PUT /ring                  204: made, 412: there is one
 *                            409: the object has sessions, 413: the value is too large
 *                            500: what is in the place of the ring is none
 * ```
 *
 * @module
 */

import type { KeyRingStore } from "../key_ring_store.ts";
import { badOption } from "../option_errors.ts";
import { checkBytes, hasMethods } from "../options.ts";
import { isValue } from "./bounds.ts";
import { MAX_VALUE_BYTES, readBody } from "./durable_object_body.ts";
import type { DurableNamespace, DurableStorage } from "./durable_object.ts";

/** The path of requests for a ring. */
export const RING_PATH = "/ring";
/** Where it is in the object's storage. */
const RING = "ring";
/** This key and no other. */
const ONLY_RING = { start: RING, end: `${RING}\0`, reverse: true, limit: 1 };

interface Ring {
  value: Uint8Array;
  version: number;
}

/** Whether it is a ring as this class stores it: a class made from this one may store more. */
function isRing(entry: unknown): entry is Ring {
  const { value, version } = (entry ?? {}) as Partial<Ring>;
  return isValue(value, MAX_VALUE_BYTES) && Number.isSafeInteger(version) && version! > 0;
}

/** Whether the object has a ring, so that it takes no sessions. */
export async function hasRing(storage: DurableStorage): Promise<boolean> {
  return (await storage.list(ONLY_RING)).has(RING);
}

/** An object's answer to a request for a ring. */
export async function answerRing(storage: DurableStorage, request: Request): Promise<Response> {
  const body = await readBody(request);
  if (request.method !== "GET" && request.method !== "PUT") return empty(405);
  const version = new URL(request.url).searchParams.get("version");
  const value = request.method === "GET" ? undefined : body;
  if (value === null) return empty(413);
  // From here to the put nothing else runs in the object: the input gate is shut.
  const ring = (await storage.list<unknown>(ONLY_RING)).get(RING);
  if (ring === undefined) {
    if ((await storage.list({ reverse: true, limit: 1 })).size > 0) return empty(409);
  } else if (!isRing(ring)) return empty(500);
  if (value === undefined) {
    if (ring === undefined) return empty(204);
    return new Response(ring.value.slice(), { headers: { etag: String(ring.version) } });
  }
  if (version !== (ring === undefined ? null : String(ring.version))) return empty(412);
  await storage.put<Ring>(RING, { value, version: (ring?.version ?? 0) + 1 });
  return empty(204);
}

function empty(status: number): Response {
  return new Response(null, { status });
}

/**
 * Keeps a ring of ticket keys for `TicketKeys.shared()` in an object of the class
 * {@linkcode SessionStoreObject}: it may be the class that sessions are in, and the same binding.
 *
 * @param name Which ring, where there are several.
 * @throws {TypeError} on what is no namespace, and on a name that is empty or no string.
 *
 * @example
 * ```ts ignore
 * const ticketKeys = await TicketKeys.shared(durableObjectKeyRing(env.SESSIONS), { keys });
 * ```
 */
export function durableObjectKeyRing<Id>(
  namespace: DurableNamespace<Id>,
  name = "ticket keys",
): KeyRingStore {
  if (!hasMethods('Argument "namespace"', namespace, "idFromName")) {
    badOption("namespace", "a namespace of Durable Objects", namespace, "Argument");
  }
  if (typeof name !== "string" || name === "") {
    throw new TypeError('Argument "name" must be a string that is not empty');
  }

  function ask(method: string, query = "", body?: Uint8Array) {
    const object = namespace.get(namespace.idFromName(`ring/${name}`));
    const init = { method, ...(body && { body: new Uint8Array(body) }) };
    return object.fetch(`https://session-store${RING_PATH}${query}`, init);
  }

  return {
    async load() {
      const response = await ask("GET");
      if (!response.ok) throw failure(response.status);
      if (response.status === 204) return null;
      const version = response.headers.get("etag");
      if (version === null) throw new Error("The Durable Object has no version for the ring");
      return { version, value: new Uint8Array(await response.arrayBuffer()) };
    },
    async compareAndSet(version, value) {
      if (version !== null && typeof version !== "string") {
        throw new TypeError('Argument "version" must be a string or null');
      }
      checkBytes("value", value);
      if (value.length > MAX_VALUE_BYTES) {
        throw new RangeError(
          `Argument "value" must be ${MAX_VALUE_BYTES} bytes at most, got ${value.length}`,
        );
      }
      const query = version === null ? "" : `?version=${encodeURIComponent(version)}`;
      const { ok, status } = await ask("PUT", query, value);
      if (status === 412) return false;
      if (!ok) throw failure(status);
      return true;
    },
  };
}

function failure(status: number): Error {
  const why: Record<number, string> = {
    409: ": it has sessions, and takes no ring",
    500: ": what it has in the place of the ring is none",
  };
  return new Error(`The Durable Object answered ${status}${why[status] ?? ""}`);
}

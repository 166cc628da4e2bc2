/**
 * A store over HTTP: kept by a test for all runtimes to ask, or in a Worker for a test to ask.
 *
 * ```text
 * POST .../OPERATION?partition=...&expiresAt=...&limit=...   the value as body; 204: null
 * ```
 *
 * @module
 */

import type {
  PutOptions,
  SessionStore,
  SessionStoreCapabilities,
} from "../../src/session_store.ts";

const ATOMIC: SessionStoreCapabilities = { atomicTake: true, consistency: "strong" };

/** The client's side. */
export function httpStore(url: string, capabilities = ATOMIC): SessionStore {
  async function ask(operation: string, parameters: object, body?: Uint8Array) {
    const query = new URLSearchParams(
      Object.entries(parameters).map(([name, value]) => [name, `${value}`]),
    );
    const init = { method: "POST", ...(body && { body: new Uint8Array(body) }) };
    const response = await fetch(`${url}/${operation}?${query}`, init);
    const answer = new Uint8Array(await response.arrayBuffer());
    if (!response.ok) throw new Error(new TextDecoder().decode(answer));
    return response.status === 204 ? null : answer;
  }
  return {
    capabilities,
    async put(partition: string, value: Uint8Array, options: PutOptions) {
      // What cannot go over HTTP as it is: the store itself would refuse it.
      if (!(value instanceof Uint8Array)) throw new TypeError(`No bytes: ${typeof value}`);
      await ask("put", { partition, ...options }, value);
    },
    take: (partition) => ask("take", { partition }),
    peek: (partition) => ask("peek", { partition }),
    async delete(partition) {
      await ask("delete", { partition });
    },
  };
}

/** The server's side. */
export async function answerStore(request: Request, store: SessionStore): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const partition = searchParams.get("partition") ?? "";
  const operation = pathname.split("/").at(-1);
  const value = new Uint8Array(await request.arrayBuffer());
  switch (operation) {
    case "capabilities":
      return Response.json(store.capabilities);
    case "put":
      await store.put(partition, value, {
        expiresAt: Number(searchParams.get("expiresAt")),
        limit: Number(searchParams.get("limit")),
      });
      return new Response(null, { status: 204 });
    case "delete":
      await store.delete(partition);
      return new Response(null, { status: 204 });
    case "take":
    case "peek": {
      const found = await store[operation](partition);
      return new Response(found && new Uint8Array(found), { status: found ? 200 : 204 });
    }
    default:
      return new Response(null, { status: 404 });
  }
}

/**
 * The Worker of the tests: stores as a Worker uses them, asked over HTTP.
 *
 * ```text
 * POST /KIND/OPERATION?partition=...&expiresAt=...&limit=...   the value as body; 204: null
 * ```
 *
 * @module
 */

import type { SessionStore } from "../../src/session_store.ts";
import {
  type DurableNamespace,
  durableObjectStore,
  SessionStoreObject,
} from "../../src/stores/durable_object.ts";
import { type WorkersKv, workersKvStore } from "../../src/stores/workers_kv.ts";

export { SessionStoreObject };

/** Where new objects are: on SQLite. */
export class SqliteObject extends SessionStoreObject {}

interface Env {
  KV: WorkersKv;
  OBJECTS: DurableNamespace;
  SQLITE: DurableNamespace;
}

function storeOf(kind: string, env: Env): SessionStore {
  switch (kind) {
    case "kv":
      return workersKvStore(env.KV);
    case "objects":
      return durableObjectStore(env.OBJECTS);
    case "sqlite":
      return durableObjectStore(env.SQLITE);
    default:
      throw new Error(`There is no store "${kind}"`);
  }
}

async function answer(request: Request, env: Env): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const [, kind, operation] = pathname.split("/");
  const store = storeOf(kind, env);
  const partition = searchParams.get("partition") ?? "";
  switch (operation) {
    case "capabilities":
      return Response.json(store.capabilities);
    case "put":
      await store.put(partition, new Uint8Array(await request.arrayBuffer()), {
        expiresAt: Number(searchParams.get("expiresAt")),
        limit: Number(searchParams.get("limit")),
      });
      return new Response(null, { status: 204 });
    case "delete":
      await store.delete(partition);
      return new Response(null, { status: 204 });
    case "take":
    case "peek": {
      const value = await store[operation](partition);
      if (value === null) return new Response(null, { status: 204 });
      return new Response(value as Uint8Array<ArrayBuffer>);
    }
    default:
      return new Response(null, { status: 404 });
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    try {
      return await answer(request, env);
    } catch (error) {
      return new Response(String(error), { status: 500 });
    }
  },
};

/**
 * The Worker of the tests: stores as a Worker uses them, asked over HTTP.
 *
 * ```text
 * POST /KIND/...   http_store.ts
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
import { answerStore } from "./http_store.ts";
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

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    try {
      const [, kind] = new URL(request.url).pathname.split("/");
      return await answerStore(request, storeOf(kind, env));
    } catch (error) {
      return new Response(String(error), { status: 500 });
    }
  },
};

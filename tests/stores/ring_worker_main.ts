/**
 * The Worker of the tests of rings: rings in Durable Objects as a Worker uses them, over HTTP.
 *
 * ```text
 * GET  /KIND/NAME               200 with a value and its version as ETag, 204: none
 * POST /KIND/NAME?version=V     the value as body; 200 with whether it was set
 * *    /KIND/NAME/object...     as it is, to the object that has this ring
 * ```
 *
 * @module
 */

import {
  type DurableNamespace,
  durableObjectKeyRing,
  SessionStoreObject,
} from "../../src/stores/durable_object.ts";

export { SessionStoreObject };

/** Where new objects are: on SQLite. */
export class SqliteObject extends SessionStoreObject {}

interface Env {
  objects: DurableNamespace;
  sqlite: DurableNamespace;
}

async function answer(request: Request, env: Env): Promise<Response> {
  const { pathname, search, searchParams } = new URL(request.url);
  const [, kind, name, ...path] = pathname.split("/");
  const namespace = env[kind as keyof Env];
  if (path.length > 0) {
    const object = namespace.get(namespace.idFromName(`ring/${name}`));
    const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer());
    const url = `https://session-store/${path.slice(1).join("/")}${search}`;
    return await object.fetch(url, { method: request.method, body }) as unknown as Response;
  }
  const ring = durableObjectKeyRing(namespace, name);
  if (request.method === "POST") {
    const value = new Uint8Array(await request.arrayBuffer());
    return Response.json(await ring.compareAndSet(searchParams.get("version"), value));
  }
  const loaded = await ring.load();
  if (loaded === null) return new Response(null, { status: 204 });
  return new Response(loaded.value.slice(), { headers: { etag: loaded.version } });
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

/**
 * Rings of ticket keys in Durable Objects, in workerd by Miniflare, over a folder that outlives it.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
// deno-lint-ignore no-import-prefix -- see tests/packages.ts
import { Miniflare } from "npm:miniflare@4.20260730.0";
import type { KeyRingStore } from "../../mod.ts";
import { Child } from "../peers/child.ts";

/** Classes of objects on either kind of storage. */
export const KINDS = ["objects", "sqlite"] as const;

/** A running Worker. */
export interface RingWorkerd extends AsyncDisposable {
  /** A ring in an object. */
  ring(kind: typeof KINDS[number], name: string): KeyRingStore;
  /** Asks the object that has the ring, as it is asked within the Worker; its status. */
  object(kind: typeof KINDS[number], name: string, request: string, body?: string): Promise<number>;
}

/** The Worker as one script. */
export async function bundleRingWorker(): Promise<string> {
  const file = fileURLToPath(new URL("./ring_worker_main.ts", import.meta.url));
  await using bundler = new Child(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform=browser", file],
  });
  const { success } = await bundler.exited(60_000);
  if (!success) throw new Error(`deno bundle failed\n${bundler.log()}`);
  return bundler.stdout.text();
}

/** Starts workerd over what the folder has. */
export async function startRingWorkerd(script: string, folder: string): Promise<RingWorkerd> {
  const miniflare = new Miniflare({
    modules: true,
    script,
    compatibilityDate: "2025-06-01",
    durableObjectsPersist: folder,
    durableObjects: {
      objects: "SessionStoreObject",
      sqlite: { className: "SqliteObject", useSQLite: true },
    },
  });
  const url = await miniflare.ready;
  return {
    ring: (kind, name) => overHttp(new URL(`${kind}/${name}`, url)),
    async object(kind, name, request, body) {
      const [method, path] = request.split(" ");
      const response = await fetch(new URL(`${kind}/${name}/object${path}`, url), { method, body });
      await response.body?.cancel();
      return response.status;
    },
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  };
}

function overHttp(url: URL): KeyRingStore {
  return {
    async load() {
      const response = await fetch(url);
      const value = new Uint8Array(await response.arrayBuffer());
      if (!response.ok) throw new Error(new TextDecoder().decode(value));
      return response.status === 204 ? null : { version: response.headers.get("etag")!, value };
    },
    async compareAndSet(version, value) {
      const query = new URL(url);
      if (version !== null) query.searchParams.set("version", version);
      const response = await fetch(query, { method: "POST", body: new Uint8Array(value) });
      const said = await response.text();
      if (!response.ok) throw new Error(said);
      return JSON.parse(said);
    },
  };
}

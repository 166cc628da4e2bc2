/**
 * Workers KV and Durable Objects in workerd, by Miniflare: one process for a test file.
 *
 * Rule: the stores run in a Worker, as they would; tests speak with it over HTTP.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
// deno-lint-ignore no-import-prefix -- see tests/packages.ts
import { Miniflare } from "npm:miniflare@4.20260730.0";
import type { SessionStore } from "../../mod.ts";
import { Child } from "../peers/child.ts";
import { httpStore } from "./http_store.ts";

/** The stores of `worker_main.ts`. */
export type WorkerStore = "kv" | "objects" | "sqlite";

/** A running Worker. */
export interface Workerd extends AsyncDisposable {
  /** One of its stores. */
  store(kind: WorkerStore): Promise<SessionStore>;
}

async function bundle(): Promise<string> {
  const file = fileURLToPath(new URL("./worker_main.ts", import.meta.url));
  await using bundler = new Child(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform=browser", file],
  });
  const { success } = await bundler.exited(60_000);
  if (!success) throw new Error(`deno bundle failed\n${bundler.log()}`);
  return bundler.stdout.text();
}

/** Starts workerd. */
export async function startWorkerd(): Promise<Workerd> {
  const miniflare = new Miniflare({
    modules: true,
    script: await bundle(),
    compatibilityDate: "2025-06-01",
    kvNamespaces: ["KV"],
    durableObjects: {
      OBJECTS: "SessionStoreObject",
      SQLITE: { className: "SqliteObject", useSQLite: true },
    },
  });
  try {
    const url = await miniflare.ready;
    return {
      store: (kind) => overHttp(new URL(kind, url).href),
      [Symbol.asyncDispose]: () => miniflare.dispose(),
    };
  } catch (error) {
    await miniflare.dispose();
    throw error;
  }
}

async function overHttp(url: string): Promise<SessionStore> {
  const response = await fetch(`${url}/capabilities`, { method: "POST" });
  return httpStore(url, await response.json());
}

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
import type { PutOptions, SessionStore } from "../../mod.ts";
import { Child } from "../peers/child.ts";

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
      store: (kind) => overHttp(new URL(`${kind}/`, url)),
      [Symbol.asyncDispose]: () => miniflare.dispose(),
    };
  } catch (error) {
    await miniflare.dispose();
    throw error;
  }
}

async function overHttp(base: URL): Promise<SessionStore> {
  async function ask(operation: string, parameters: object, body?: Uint8Array) {
    const url = new URL(operation, base);
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, `${value}`);
    const init = { method: "POST", body: body && new Uint8Array(body) };
    const response = await fetch(url, init);
    const answer = new Uint8Array(await response.arrayBuffer());
    if (!response.ok) throw new Error(new TextDecoder().decode(answer));
    return response.status === 204 ? null : answer;
  }
  const capabilities = JSON.parse(new TextDecoder().decode((await ask("capabilities", {}))!));
  return {
    capabilities,
    async put(partition: string, value: Uint8Array, options: PutOptions) {
      await ask("put", { partition, ...options }, value);
    },
    take: (partition) => ask("take", { partition }),
    peek: (partition) => ask("peek", { partition }),
    async delete(partition) {
      await ask("delete", { partition });
    },
  };
}

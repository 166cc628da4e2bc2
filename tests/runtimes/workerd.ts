/**
 * workerd, by Miniflare: asked over HTTP; its server is reached through WebSockets.
 *
 * @module
 */

import { join } from "node:path";
// deno-lint-ignore no-import-prefix -- see tests/packages.ts
import { Miniflare } from "npm:miniflare@4.20260730.0";
import { TcpListener } from "../peers/tcp_listener.ts";
import type { Ask } from "./protocol.ts";
import { relay } from "./relay.ts";
import type { Runtime } from "./runtime.ts";

/** Starts it; `bundles` is the folder of `bundleAgents()`. */
export async function startWorkerd(bundles: string): Promise<Runtime> {
  const folder = await Deno.makeTempDir({ prefix: "reprise-workerd-" });
  const modules = [
    {
      type: "ESModule" as const,
      path: join(bundles, "workerd.mjs"),
      contents: await Deno.readTextFile(join(bundles, "workerd.mjs")),
    },
    {
      type: "CompiledWasm" as const,
      path: join(bundles, "reprise.wasm"),
      contents: await Deno.readFile(join(bundles, "reprise.wasm")),
    },
  ];
  const start = async () => {
    const miniflare = new Miniflare({
      modules,
      modulesRoot: bundles,
      compatibilityDate: "2026-06-01",
      durableObjects: { SESSIONS: { className: "SessionStoreObject", useSQLite: true } },
      durableObjectsPersist: folder,
    });
    try {
      return { miniflare, url: await miniflare.ready };
    } catch (error) {
      await miniflare.dispose();
      throw error;
    }
  };
  let running = await start();
  const listener = new TcpListener(async (tcp) => {
    const socket = new WebSocket(running.url.href.replace(/^http/, "ws"));
    await relay(tcp, socket);
  });

  const call: Ask = async (operation, input) => {
    const response = await fetch(running.url, {
      method: "POST",
      body: JSON.stringify({ operation, input }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`workerd answered ${response.status}: ${text}`);
    const { result, error } = JSON.parse(text);
    if (error !== undefined) throw new Error(error);
    return result;
  };

  return {
    name: "workerd",
    call,
    async serve(input) {
      await call("serve", input);
      return listener.port;
    },
    async restart() {
      await running.miniflare.dispose();
      running = await start();
    },
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await running.miniflare.dispose();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/**
 * Headless Chromium: the page and its files come from a server here, and so do TCP connections, by
 * WebSocket.
 *
 * ```text
 * GET /                  the page
 * GET /agent.js          its agent
 * GET /reprise.wasm      the engine, as a page supplies it
 * WS  /control           calls, answers, and word of connections to the page's server
 * WS  /tcp/PORT          a connection to a port of 127.0.0.1
 * WS  /inbound/N         the N-th connection to the page's server
 * *   /store/...         http_store.ts
 * ```
 *
 * @module
 */

import { join } from "node:path";
import { settledWithin } from "../peers/child.ts";
import { TcpListener } from "../peers/tcp_listener.ts";
import { Calls } from "./calls.ts";
import { removeProfile, startBrowser } from "./browser_process.ts";
import { relay } from "./relay.ts";
import type { Runtime } from "./runtime.ts";

const PATIENCE_MS = 30_000;

const PAGE = `<!doctype html><meta charset="utf-8"><title>agent</title>
<script type="module" src="agent.js"></script>`;

/** Starts it; `bundles` is the folder of `bundleAgents()`. */
export async function startChromium(bundles: string): Promise<Runtime> {
  const profile = await Deno.makeTempDir({ prefix: "reprise-chromium-" });
  const agent = await Deno.readFile(join(bundles, "browser.mjs"));
  const wasm = await Deno.readFile(join(bundles, "reprise.wasm"));
  const inbound = new Map<number, PromiseWithResolvers<WebSocket>>();
  let next = 0;
  let control: WebSocket | undefined;
  let calls: Calls | undefined;
  let ready = Promise.withResolvers<void>();

  function attach(socket: WebSocket): void {
    socket.onopen = () => {
      control = socket;
      calls = new Calls((line) => socket.send(line));
      ready.resolve();
    };
    socket.onmessage = ({ data }) => calls?.answer(data);
    socket.onclose = () => calls?.fail(new Error("The page is gone"));
  }

  async function tunnel(socket: WebSocket, port: number): Promise<void> {
    const connecting = Deno.connect({ hostname: "127.0.0.1", port });
    try {
      await relay(connecting, socket);
    } catch {
      socket.close(1011, "No connection");
    }
    await connecting.then((tcp) => tcp.close(), () => {});
  }

  function answer(request: Request): Response {
    const { pathname } = new URL(request.url);
    const [, kind, number] = pathname.split("/");
    if (request.headers.get("upgrade") === "websocket") {
      const { socket, response } = Deno.upgradeWebSocket(request);
      if (kind === "control") attach(socket);
      else if (kind === "tcp") tunnel(socket, Number(number));
      else inbound.get(Number(number))?.resolve(socket);
      return response;
    }
    const file = (body: BodyInit, type: string) =>
      new Response(body, { headers: { "content-type": type } });
    if (kind === "") return file(PAGE, "text/html");
    if (kind === "agent.js") return file(agent, "text/javascript");
    if (kind === "reprise.wasm") return file(wasm, "application/wasm");
    return new Response(null, { status: 404 });
  }

  const http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  const listener = new TcpListener(async (tcp) => {
    const number = next++;
    const waiting = Promise.withResolvers<WebSocket>();
    inbound.set(number, waiting);
    control?.send(JSON.stringify({ accept: number }));
    const socket = await waiting.promise;
    inbound.delete(number);
    await relay(tcp, socket);
  });

  const start = async () => {
    ready = Promise.withResolvers();
    const browser = startBrowser(`http://127.0.0.1:${http.addr.port}/`, profile);
    if (!(await settledWithin(ready.promise, PATIENCE_MS))) {
      await browser[Symbol.asyncDispose]();
      throw new Error("The page does not answer");
    }
    return browser;
  };
  let browser: AsyncDisposable;
  try {
    browser = await start();
  } catch (error) {
    await http.shutdown();
    throw error;
  }
  return {
    name: "browser",
    call: (operation, input) => calls!.call(operation, input),
    async serve(input) {
      await calls!.call("serve", input);
      return listener.port;
    },
    async restart() {
      await browser[Symbol.asyncDispose]();
      browser = await start();
    },
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await browser[Symbol.asyncDispose]();
      await http.shutdown();
      await removeProfile(profile);
    },
  };
}

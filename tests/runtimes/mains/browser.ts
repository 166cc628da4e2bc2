/**
 * The agent in a page: TCP by a WebSocket tunnel, sessions in localStorage. Calls come by a
 * WebSocket, and so does word of connections to its server.
 */

// Bundled with the package's entry for browsers, where this name is the entry for Deno.
import * as entry from "@reprise/tls";
import { fetchOver } from "@reprise/tls/http";
import { webSocketStreams } from "@reprise/tls/web_socket";
import { fromHex, makeAgent, perform, toHex } from "../agent.ts";
import type { Answer } from "../protocol.ts";

const base = location.href.replace(/^http/, "ws").replace(/[^/]*$/, "");

async function tunnel(path: string) {
  const socket = new WebSocket(`${base}${path}`);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("The tunnel cannot be opened"));
  });
  return webSocketStreams(socket);
}

const library = entry as unknown as typeof import("../../../src/entrypoints/browser.ts");

// The page supplies the engine: from an address, as any other file.
library.provideEngine(await WebAssembly.compileStreaming(fetch("reprise.wasm")));

const agent = makeAgent({
  library,
  fetchOver,
  version: `Chromium ${/Chrome\/([\d.]+)/.exec(navigator.userAgent)?.[1]}`,
  connect: async (options) => await library.startTls(await tunnel(`tcp/${options.port}`), options),
  store: () =>
    library.callbackStore({
      lookup(id) {
        const value = localStorage.getItem(id);
        return value === null ? null : fromHex(value);
      },
      store: (id, bytes) => localStorage.setItem(id, toHex(bytes)),
      remove: (id) => localStorage.removeItem(id),
    }),
  listens: false,
});

const control = new WebSocket(`${base}control`);
control.onmessage = async ({ data }) => {
  const message = JSON.parse(data);
  if (message.accept !== undefined) {
    return await agent.accept(await tunnel(`inbound/${message.accept}`));
  }
  const { id, operation, input } = message;
  const answer: Answer = { id, ...await perform(agent, operation, input) };
  control.send(JSON.stringify(answer));
};

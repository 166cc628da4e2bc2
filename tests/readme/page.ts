/**
 * A program of the README in a page of headless Chromium.
 *
 * @module
 */

import { join } from "node:path";
import { bounded } from "../interop/visit.ts";
import { ESBUILD, npmProgram, output } from "../npm.ts";
import { removeProfile, startBrowser } from "../runtimes/browser_process.ts";
import { relay } from "../runtimes/relay.ts";

/** Opens two connections with it, and tells whether they were resumed, or why not. */
const MAIN = `import { open } from "./program.mjs";
try {
  const seen = [];
  for (let i = 0; i < 2; i++) {
    const conn = await open();
    await conn.getSession();
    seen.push([conn.sessionReused, conn.sessionMiss]);
    await conn.close();
  }
  await fetch("/seen", { method: "POST", body: JSON.stringify(seen) });
} catch (error) {
  await fetch("/seen", { method: "POST", body: JSON.stringify(String(error)) });
}
`;

/** Bundles it with the package in a folder, and runs it; `tunnel` is the address of the tunnel. */
export async function openInPage(
  folder: string,
  code: string,
  port: number,
  caFile: string,
): Promise<unknown> {
  await Deno.writeTextFile(join(folder, "program.mjs"), code);
  await Deno.writeTextFile(join(folder, "page.mjs"), MAIN);
  await output([
    await npmProgram(ESBUILD, "esbuild"),
    "page.mjs",
    "--bundle",
    "--format=esm",
    "--platform=browser",
    "--outfile=page.bundled.mjs",
    "--log-level=warning",
  ], { cwd: folder });
  const files: Record<string, [path: string, type: string]> = {
    "/page.js": [join(folder, "page.bundled.mjs"), "text/javascript"],
    "/reprise.wasm": [join(folder, "reprise.wasm"), "application/wasm"],
    "/ca.pem": [caFile, "text/plain"],
  };
  const seen = Promise.withResolvers<unknown>();

  async function tunnel(socket: WebSocket): Promise<void> {
    const connecting = Deno.connect({ hostname: "127.0.0.1", port });
    await relay(connecting, socket).catch(() => {});
    await connecting.then((tcp) => tcp.close(), () => {});
  }

  async function answer(request: Request): Promise<Response> {
    const { pathname, host } = new URL(request.url);
    if (request.headers.get("upgrade") === "websocket") {
      const { socket, response } = Deno.upgradeWebSocket(request);
      tunnel(socket);
      return response;
    }
    if (pathname === "/seen") seen.resolve(await request.json());
    if (pathname === "/") {
      const page = `<!doctype html><script>globalThis.tunnel = "ws://${host}/"</script>` +
        `<script type="module" src="page.js"></script>`;
      return new Response(page, { headers: { "content-type": "text/html" } });
    }
    const file = files[pathname];
    if (file === undefined) return new Response(null, { status: 404 });
    const [path, type] = file;
    return new Response(await Deno.readFile(path), { headers: { "content-type": type } });
  }

  await using http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  const profile = await Deno.makeTempDir({ prefix: "reprise-readme-chromium-" });
  const browser = startBrowser(`http://127.0.0.1:${http.addr.port}/`, profile);
  try {
    return await bounded(seen.promise, "the page", 30_000);
  } finally {
    await browser[Symbol.asyncDispose]();
    await removeProfile(profile);
  }
}

/**
 * HTTPS servers of others, and connections of ours to them.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { connectTls, type TlsConn } from "../../mod.ts";
import { Child } from "../peers/child.ts";
import { caCert, serverCert, serverCertPaths } from "../testdata/mod.ts";

export interface HttpsServer extends AsyncDisposable {
  port: number;
}

/** Allow for a first build of net/http on a machine. */
const BUILD_TIMEOUT_MS = 300_000;

let built: Promise<string> | undefined;

/** A connection to a server on this machine. */
export async function connectTo({ port }: { port: number }): Promise<TlsConn> {
  return await connectTls({
    hostname: "localhost",
    port,
    caCerts: [caCert("ec")],
    alpnProtocols: ["http/1.1"],
  });
}

/** `Deno.serve()` in this process. */
export function denoServer(
  handler: (request: Request) => Response | Promise<Response>,
): HttpsServer {
  const { cert, key } = serverCert("ec_p256");
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert, key, onListen() {}, onError: () => new Response("x") },
    handler,
  );
  return { port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** `node:https` in a process of its own. */
export async function nodeServer(): Promise<HttpsServer> {
  const main = fileURLToPath(new URL("./node_server.mjs", import.meta.url));
  const child = new Child("node", { args: [main], stdin: "piped" });
  return await listening(child, `${JSON.stringify(serverCert("ec_p256"))}\n`);
}

/** Go's net/http. */
export async function goServer({ idle = "1m" } = {}): Promise<HttpsServer> {
  const program = await (built ??= build());
  const { cert, key } = serverCertPaths("ec_p256");
  const args = ["-cert", cert, "-key", key, "-idle", idle];
  return await listening(new Child(program, { args, stdin: "piped" }));
}

async function build(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "reprise-go-" });
  addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  await using go = new Child("go", {
    args: ["build", "-trimpath", "-o", `${folder}/`, "./http_server"],
    cwd: fileURLToPath(new URL("../peers/go", import.meta.url)),
    env: { CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOFLAGS: "-buildvcs=false" },
  });
  const { success } = await go.exited(BUILD_TIMEOUT_MS);
  if (!success) throw new Error(`go build failed\n${go.log()}`);
  return `${folder}/http_server`;
}

async function listening(child: Child, input = ""): Promise<HttpsServer> {
  try {
    if (input !== "") await child.write(input);
    const [, port] = await child.waitForLog(/^LISTENING (\d+)$/m);
    return { port: Number(port), [Symbol.asyncDispose]: () => child.stop() };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

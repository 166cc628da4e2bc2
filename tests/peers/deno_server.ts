/**
 * Deno's native TLS server (`Deno.listenTls`, rustls) in a process of its own.
 *
 * Rules:
 * - It offers TLS 1.2 and 1.3, issues tickets, and resumes sessions of other client processes.
 * - It cannot tell whether a connection was resumed: ask the client.
 * - It serves connections concurrently, and remembers few sessions: resume soon.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { type CertAndKey, serverCert, type ServerCertName } from "../testdata/mod.ts";
import { Child } from "./child.ts";

export interface DenoServerOptions {
  /** A certificate of testdata, or PEM. Default: `ec_p256`. */
  cert?: ServerCertName | CertAndKey;
  /** `hello`: an HTTP/1.0 answer with the body `hello\n`, then the end. Default: `echo`. */
  answer?: "hello" | "echo";
  alpn?: string[];
}

/** What `deno_server_main.ts` reads from its stdin. */
export interface DenoServerInput extends CertAndKey {
  answer: "hello" | "echo";
  alpn: string[] | undefined;
}

export interface DenoServer extends AsyncDisposable {
  port: number;
  pid: number;
  /** One line for each connection that failed. */
  log(): string;
}

export async function startDenoServer(
  { cert = "ec_p256", answer = "echo", alpn }: DenoServerOptions = {},
): Promise<DenoServer> {
  const pair = typeof cert === "string" ? serverCert(cert) : cert;
  const main = fileURLToPath(new URL("./deno_server_main.ts", import.meta.url));
  const child = new Child(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-lock", "--no-config", "--allow-net", main],
    env: { NO_COLOR: "1" },
    stdin: "piped",
  });
  try {
    const input: DenoServerInput = { cert: pair.cert, key: pair.key, answer, alpn };
    // stdin stays open: at its end the server ends too, even if this process is killed.
    await child.write(`${JSON.stringify(input)}\n`);
    const [, port] = await child.waitForLog(/^LISTENING (\d+)$/m);
    return {
      port: Number(port),
      pid: child.pid,
      log: () => child.log(),
      [Symbol.asyncDispose]: () => child.stop(),
    };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

/**
 * The example in workerd, in a new process each time: what one keeps in its objects, the next one
 * finds.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "../peers/child.ts";
import { caCert, clientCert, serverCert } from "../testdata/mod.ts";
import type { Start } from "./miniflare_script.ts";

const SCRIPT = fileURLToPath(new URL("./miniflare_script.ts", import.meta.url));
const START_MS = 60_000;

/** What the Worker seals under. */
export const SECRET = new Uint8Array(32).map((_, i) => i * 7 + 1);

/** What the Worker says of its connection to the backend. */
export interface Asked {
  protocol: string;
  resumed: boolean;
  miss: string | null;
  answer: string;
}

/** A running Worker. */
export interface WorkerProcess extends AsyncDisposable {
  readonly pid: number;
  readonly url: URL;
  readonly tunnel: string;
  /** What `GET /backend` answers. */
  ask(query?: string): Promise<Asked>;
  /** What workerd said. */
  log(): string;
  /** Ends it: workerd is killed, and has on the disk what it promised. */
  end(): Promise<void>;
}

/** What the Worker is given; `undefined` takes a binding away. */
export type Bindings = Record<string, string | undefined>;

/** The bindings of the example, with the certificates of the tests. */
export function bindings(backendPort: number, more: Bindings = {}): Record<string, string> {
  const client = clientCert("ec");
  const server = serverCert("ec_p256");
  const all: Bindings = {
    BACKEND: `localhost:${backendPort}`,
    BACKEND_CA: caCert("ec"),
    CLIENT_CERT: client.cert,
    CLIENT_KEY: client.key,
    SERVER_CERT: server.cert,
    SERVER_KEY: server.key,
    SEALING_SECRET: SECRET.toBase64(),
    ...more,
  };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Record<string, string>;
}

/** Starts Miniflare over a folder that outlives it. */
export async function startWorker(
  options: Omit<Start, "compatibilityDate" | "around"> & { around?: string[] },
): Promise<WorkerProcess> {
  const start: Start = {
    around: [],
    ...options,
    compatibilityDate: await compatibilityDate(options.bundled),
  };
  const file = await Deno.makeTempFile({ dir: options.persist, suffix: ".json" });
  await Deno.writeTextFile(file, JSON.stringify(start));
  const child = new Child(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-lock", SCRIPT, file],
    env: { NO_COLOR: "1" },
    stdin: "piped",
  });
  const end = async () => {
    await child.closeStdin();
    const { success } = await child.exited();
    if (!success) throw new Error(`Miniflare failed\n${child.log()}`);
  };
  try {
    const [, base] = await child.waitForLog(/^READY (\S+)$/m, START_MS);
    const url = new URL(base);
    return {
      pid: child.pid,
      url,
      tunnel: new URL("tunnel", url).href.replace(/^http/, "ws"),
      async ask(query = "") {
        const response = await fetch(new URL(`backend${query}`, url));
        const text = await response.text();
        if (!response.ok) throw new Error(`The Worker answered ${response.status}: ${text}`);
        return JSON.parse(text);
      },
      log: () => child.log(),
      end,
      async [Symbol.asyncDispose]() {
        // workerd is a process of its own: Miniflare ends it.
        await end().catch(() => {});
        await child.stop();
      },
    };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

/** The date that the example's configuration names. */
async function compatibilityDate(bundled: string): Promise<string> {
  const config = await Deno.readTextFile(join(bundled, "..", "wrangler.jsonc"));
  return config.match(/"compatibility_date": "(.+)"/)![1];
}

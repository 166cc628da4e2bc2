/**
 * A server of this library in a process of its own, so that "a new server process" is one.
 *
 * Rules: `await using` ends it. Every wait has a limit, and its error shows what the process said.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import type { Stats } from "../../mod.ts";
import { Child } from "../peers/child.ts";
import type { Report } from "./answer.ts";
import type { ServerSpec } from "./spec.ts";

const START_TIMEOUT_MS = 30_000;

/** A running server process. */
export interface ServerProcess extends AsyncDisposable {
  port: number;
  pid: number;
  /** The reports of the first `count` connections; waits until there are so many. */
  connections(count: number): Promise<Report[]>;
  /** The first `count` handshakes that failed; waits until there are so many. */
  failures(count: number): Promise<{ code: string; alert: string | null }[]>;
  stats(): Promise<Stats>;
}

/** Starts a server process; resolves when it listens. */
export async function startServer(spec: ServerSpec): Promise<ServerProcess> {
  const main = fileURLToPath(new URL("./server_main.ts", import.meta.url));
  const child = new Child(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-lock", "--no-check", "-A", "--unstable-kv", main],
    env: { NO_COLOR: "1" },
    stdin: "piped",
  });
  let statsAsked = 0;
  /** The first `count` lines of one kind. */
  const told = async <T>(kind: string, count: number): Promise<T[]> => {
    if (count > 0) await child.waitForLog(new RegExp(`(^${kind} .*\\n[^]*?){${count}}`, "m"));
    const all = child.stdout.text().matchAll(new RegExp(`^${kind} (.*)$`, "gm"));
    return Array.from(all, ([, json]) => JSON.parse(json)).slice(0, count);
  };
  try {
    await child.write(`${JSON.stringify(spec)}\n`);
    const [, port] = await child.waitForLog(/^LISTENING (\d+)$/m, START_TIMEOUT_MS);
    return {
      port: Number(port),
      pid: child.pid,
      connections: (count) => told("CONN", count),
      failures: (count) => told("FAILED", count),
      async stats() {
        await child.write("stats\n");
        return (await told<Stats>("STATS", ++statsAsked)).at(-1)!;
      },
      [Symbol.asyncDispose]: () => child.stop(),
    };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

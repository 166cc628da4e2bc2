/**
 * Debian's redis-server for one test file: in memory only, on a port of loopback.
 *
 * Rules: owned by `await using`, ended by its own pid. A port that somebody else got in between is
 * left, and another one tried.
 *
 * @module
 */

import { Child, programVersion } from "../peers/child.ts";

const TRIES = 5;

let present: boolean | undefined;

/** Whether redis-server 5 or newer is on the path. */
export function haveRedis(): boolean {
  const version = () => programVersion("redis-server", ["--version"])?.match(/v=(\d+)\./)?.[1];
  present ??= Number(version() ?? 0) >= 5;
  return present;
}

/** A running server. */
export interface RedisServer extends AsyncDisposable {
  port: number;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Starts a server. */
export async function startRedis(): Promise<RedisServer> {
  for (let tries = 1;; tries++) {
    const port = freePort();
    const options = { save: "", port, bind: "127.0.0.1", appendonly: "no", daemonize: "no" };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = new Child("redis-server", { args });
    try {
      await child.waitForLog(/Ready to accept connections/);
      return { port, [Symbol.asyncDispose]: () => child.stop() };
    } catch (error) {
      await child.stop();
      if (tries === TRIES) throw error;
    }
  }
}

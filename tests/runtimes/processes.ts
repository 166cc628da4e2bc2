/**
 * Deno, Node and Bun: a child process each, asked by lines of JSON.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BUN, NODE_LTS, npmProgram } from "../npm.ts";
import { Calls } from "./calls.ts";
import type { Runtime } from "./runtime.ts";

const DENO_MAIN = fileURLToPath(new URL("mains/deno.ts", import.meta.url));

const COMMANDS = {
  Deno: () => Promise.resolve([Deno.execPath(), "run", "-A", "--unstable-kv", DENO_MAIN]),
  Node: (bundles: string) => Promise.resolve(["node", join(bundles, "node.mjs")]),
  "Node LTS": async (bundles: string) => [
    await npmProgram(NODE_LTS, "node"),
    "--no-warnings",
    join(bundles, "node.mjs"),
  ],
  Bun: async (bundles: string) => [await npmProgram(BUN, "bun"), join(bundles, "node.mjs")],
} as const;

/** Starts one; `bundles` is the folder of `bundleAgents()`. */
export async function startProcess(
  name: keyof typeof COMMANDS,
  bundles: string,
): Promise<Runtime> {
  const folder = await Deno.makeTempDir({ prefix: "reprise-agent-" });
  const command = [...await COMMANDS[name](bundles), folder];
  let running = start(command);
  return {
    name,
    call: (operation, input) => running.calls.call(operation, input),
    async serve(input) {
      return (await running.calls.call("serve", input))!;
    },
    async restart() {
      await running.end();
      running = start(command);
    },
    async [Symbol.asyncDispose]() {
      await running.end();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function start([program, ...args]: string[]) {
  const child = new Deno.Command(program, {
    args,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const calls = new Calls((line) => writer.write(new TextEncoder().encode(`${line}\n`)));
  const reading = (async () => {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) calls.answer(line);
    }
    calls.fail(new Error(`${program} ended`));
  })();
  return {
    calls,
    /** The agent ends with its input. */
    async end() {
      await writer.close().catch(() => {});
      const timer = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await child.status;
      clearTimeout(timer);
      await reading;
    },
  };
}

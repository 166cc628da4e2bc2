/**
 * The demo's child processes.
 *
 * Rules: each has its own process id and no more permissions than it needs. A signal that aborts
 * stops them, and nobody else's.
 *
 * @module
 */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClientAnswer, ClientInput } from "./client.ts";
import type { ServerInput } from "./server.ts";

/** Longer than all of a client's own limits together. */
const CLIENT_TIMEOUT_MS = 60_000;

function spawn(
  module: string,
  permissions: string[],
  options: { stderr: "piped" | "inherit"; signal: AbortSignal },
): Deno.ChildProcess {
  const main = fileURLToPath(new URL(module, import.meta.url));
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--unstable-kv", ...permissions, main],
    stdin: "piped",
    stdout: "piped",
    ...options,
  }).spawn();
}

async function write(child: Deno.ChildProcess, message: unknown) {
  const writer = child.stdin.getWriter();
  // A child that is gone is found out by its status.
  await writer.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`)).catch(() => {});
  return writer;
}

/** Runs one client process to its end. */
export async function runClient(
  input: ClientInput,
  signal: AbortSignal,
): Promise<{ pid: number; answer: ClientAnswer }> {
  const folder = dirname(input.kv);
  const child = spawn("client.ts", [
    "--allow-net",
    `--allow-read=${folder}`,
    `--allow-write=${folder}`,
  ], {
    stderr: "piped",
    signal: AbortSignal.any([signal, AbortSignal.timeout(CLIENT_TIMEOUT_MS)]),
  });
  await (await write(child, input)).close().catch(() => {});
  const { success, stdout, stderr } = await child.output();
  signal.throwIfAborted();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`The client process failed\n${decoder.decode(stderr)}`.trim());
  return { pid: child.pid, answer: JSON.parse(decoder.decode(stdout)) };
}

/** The server, which ends with the scope that owns it. */
export interface Server extends AsyncDisposable {
  pid: number;
  port: number;
}

/** Starts the server; resolves when it listens. */
export async function startServer(input: ServerInput, signal: AbortSignal): Promise<Server> {
  const child = spawn("server.ts", ["--allow-net=127.0.0.1"], { stderr: "inherit", signal });
  const stdin = await write(child, input);
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  for (let part = await output.read(); !part.done; part = await output.read()) {
    said += part.value;
    if (said.endsWith("\n")) break;
  }
  const end = async () => {
    // The server ends at the end of its stdin.
    await stdin.close().catch(() => {});
    await output.cancel();
    await child.status;
  };
  if (!/^\d+\n$/.test(said)) {
    await end();
    signal.throwIfAborted();
    throw new Error("The server process did not start");
  }
  return { pid: child.pid, port: Number(said), [Symbol.asyncDispose]: end };
}

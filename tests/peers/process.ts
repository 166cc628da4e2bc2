/**
 * Scripts in a new Deno process: what one process saves, another one resumes.
 *
 * Rules:
 * - The script gets its input as JSON on stdin (`readInput`), and answers with one line of JSON
 *   (`writeOutput`). What it prints before that line is ignored.
 * - A script that fails, is late or answers no JSON rejects, with all it printed.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { Child, DEFAULT_TIMEOUT_MS } from "./child.ts";

export interface ScriptOptions {
  args?: string[];
  /** Sent as JSON on stdin. */
  input?: unknown;
  timeout?: number;
  /** Flags of `deno run`. Default: `-A`. */
  flags?: string[];
  env?: Record<string, string>;
  /** A `deno.json` other than the one found from the script's folder up. */
  config?: string;
}

/** Runs a script to its end in a process of its own, and returns its last line, parsed. */
export async function runScript<T = unknown>(
  script: URL,
  { args = [], input = null, timeout = DEFAULT_TIMEOUT_MS * 2, flags = ["-A"], env, config }:
    ScriptOptions = {},
): Promise<T> {
  const map = config === undefined ? [] : ["--config", config];
  const file = fileURLToPath(script);
  await using child = new Child(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-lock", ...flags, ...map, file, ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "piped",
  });
  // A script that reads no input may be gone by now.
  await child.write(JSON.stringify(input)).catch(() => {});
  await child.closeStdin();
  const { code, signal } = await child.exited(timeout);
  if (code !== 0) {
    throw new Error(`${file} ended with ${signal ?? code}\n${child.log()}`);
  }
  const line = child.stdout.text().trimEnd().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line) as T;
  } catch (cause) {
    throw new Error(`${file} did not end with a line of JSON\n${child.log()}`, { cause });
  }
}

/** In the script: what the test gave as `input`. */
export async function readInput<T>(): Promise<T> {
  return await new Response(Deno.stdin.readable).json() as T;
}

/** In the script: the answer. Print nothing after it. */
export function writeOutput(value: unknown): void {
  // deno-lint-ignore no-console -- stdout and stderr are how it is spoken with
  console.log(`\n${JSON.stringify(value)}`);
}

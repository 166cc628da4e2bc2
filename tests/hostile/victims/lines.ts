/**
 * A victim on a pipe: a call is a line of JSON, its answer another one; signs of life in between.
 *
 * @module
 */

import type { Call, Line, Operations } from "./protocol.ts";

/** How often it says that its timers run. */
export const BEAT_MS = 50;

/** Answers calls until the input ends. */
export async function serveLines(
  victim: Operations,
  input: ReadableStream<Uint8Array>,
  print: (line: string) => void,
): Promise<void> {
  const say = (line: Line) => print(JSON.stringify(line));
  let beat = 0;
  setInterval(() => say({ beat: beat++ }), BEAT_MS);
  const reader = input.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop()!;
    for (const line of lines) answer(victim, JSON.parse(line) as Call, say);
  }
}

async function answer(victim: Operations, call: Call, say: (line: Line) => void): Promise<void> {
  const { id, operation, input } = call;
  try {
    const run = victim[operation] as (input: unknown) => Promise<unknown>;
    say({ id, result: await run(input) });
  } catch (error) {
    say({ id, error: `${(error as Error)?.stack ?? error}` });
  }
}

/**
 * An agent on a pipe: a call is a line of JSON, its answer another one.
 *
 * @module
 */

import { type Agent, perform } from "../agent.ts";
import type { Answer, Call } from "../protocol.ts";

/** Answers calls until the input ends. */
export async function serveLines(
  agent: Agent,
  input: ReadableStream<Uint8Array>,
  write: (line: string) => void,
): Promise<void> {
  const reader = input.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const { id, operation, input } = JSON.parse(line) as Call;
      perform(agent, operation, input).then((answer) =>
        write(JSON.stringify({ id, ...answer } satisfies Answer))
      );
    }
  }
}

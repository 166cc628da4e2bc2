/**
 * Lets the output of a child process through and keeps it.
 *
 * @module
 */

/** Writes to `to`, if it is there, what comes, as it comes. Resolves with all of it at the end. */
export async function tee(
  from: ReadableStream<Uint8Array>,
  to: typeof Deno.stdout | undefined,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of from) {
    text += decoder.decode(chunk, { stream: true });
    for (let sent = 0; to && sent < chunk.length;) sent += await to.write(chunk.subarray(sent));
  }
  return text;
}

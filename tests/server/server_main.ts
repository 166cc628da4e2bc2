/**
 * The process behind `startServer`: a server of this library, in a process of its own.
 *
 * Rules: the first line on stdin is the `ServerSpec`; each later line is a command: `stats` prints
 * the context's counters. `LISTENING`, `CONN`, `FAILED` and `STATS` begin the lines on stdout. The
 * end of stdin ends the process.
 *
 * @module
 */

// deno-lint-ignore-file no-console -- stdout is how it is spoken with

import { listenTls, ServerContext, TlsError } from "../../mod.ts";
import { answer, reportOn } from "./answer.ts";
import { contextOptions } from "./spec.ts";

async function* lines(): AsyncGenerator<string> {
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

const commands = lines();
const context = new ServerContext(
  await contextOptions(JSON.parse((await commands.next()).value as string)),
);
const listener = listenTls({
  hostname: "127.0.0.1",
  port: 0,
  context,
  onError(error) {
    const { code, alert } = error instanceof TlsError ? error : { code: error.name, alert: null };
    console.log(`FAILED ${JSON.stringify({ code, alert })}`);
  },
});

async function serve(): Promise<void> {
  for await (const conn of listener) {
    // What a client may rely on: its session is in the store when it has been answered.
    const report = await reportOn(conn);
    await context.settled();
    console.log(`CONN ${JSON.stringify(report)}`);
    answer(conn, report);
  }
}

console.log(`LISTENING ${(await listener.listening).port}`);
serve();
for await (const command of commands) {
  if (command === "stats") console.log(`STATS ${JSON.stringify(context.stats())}`);
}
Deno.exit(0);

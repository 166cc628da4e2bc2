/** The agent in Deno: the sources as they are, sessions in Deno KV. */

import * as library from "../../../mod.ts";
import { fetchOver } from "../../../src/http/mod.ts";
import { denoKvStore } from "../../../src/stores/deno_kv.ts";
import { makeAgent } from "../agent.ts";
import { serveLines } from "./lines.ts";

const [folder] = Deno.args;
let kv: Deno.Kv | undefined;

const agent = makeAgent({
  library,
  fetchOver,
  version: `Deno ${Deno.version.deno}`,
  connect: library.connectTls,
  store: async () => denoKvStore(kv ??= await Deno.openKv(`${folder}/sessions.kv`)),
  listens: true,
});

// deno-lint-ignore no-console -- how it answers
await serveLines(agent, Deno.stdin.readable, (line) => console.log(line));
kv?.close();
Deno.exit();

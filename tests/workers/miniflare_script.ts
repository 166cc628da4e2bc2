// deno-lint-ignore-file no-console
/**
 * Miniflare in a process of its own: prints the Worker's URL, and ends when its stdin does.
 *
 * The argument is a JSON file: a {@linkcode Start}.
 *
 * @module
 */

import { basename, join } from "node:path";
// deno-lint-ignore no-import-prefix -- see tests/packages.ts
import { Miniflare } from "npm:miniflare@4.20260730.0";

/** What is started. */
export interface Start {
  /** The folder that wrangler made. */
  bundled: string;
  /** Modules of a test around `worker.js`, the main one first. */
  around: string[];
  /** Where objects are kept. */
  persist: string;
  compatibilityDate: string;
  /** Variables and secrets. */
  bindings: Record<string, string>;
}

const start: Start = JSON.parse(await Deno.readTextFile(Deno.args[0]));

const names = [];
for await (const { name } of Deno.readDir(start.bundled)) names.push(name);
const modules = [
  ...start.around,
  join(start.bundled, "worker.js"),
  ...names.filter((name) => name.endsWith(".wasm")).map((name) => join(start.bundled, name)),
].map((path) => ({
  type: path.endsWith(".wasm") ? "CompiledWasm" as const : "ESModule" as const,
  path: basename(path),
  contents: Deno.readFileSync(path),
}));

const miniflare = new Miniflare({
  modules,
  modulesRoot: ".",
  compatibilityDate: start.compatibilityDate,
  durableObjects: { SESSIONS: { className: "SessionStoreObject", useSQLite: true } },
  durableObjectsPersist: start.persist,
  bindings: start.bindings,
});
try {
  console.log(`READY ${await miniflare.ready}`);
  for await (const _ of Deno.stdin.readable) {
    // Its end is waited for.
  }
} finally {
  await miniflare.dispose();
}
// What is idle of Miniflare keeps the process for seconds.
Deno.exit();

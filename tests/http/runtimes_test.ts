/**
 * The same client in Node, Bun and workerd, bundled and unchanged.
 */

import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
// deno-lint-ignore no-import-prefix -- see tests/packages.ts
import { Miniflare } from "npm:miniflare@4.20260730.0";
import { Child } from "../peers/child.ts";
import type { Outcomes } from "./runtimes_main.ts";

/** From npm, as in `scripts/build_npm.ts` and `scripts/check/runtimes.ts`. */
const ESBUILD = "0.28.2";
const BUN = "1.4.5";
const LIMIT_MS = 120_000;

async function run([command, ...args]: string[]): Promise<string> {
  await using child = new Child(command, { args, env: { NO_COLOR: "1" } });
  const { success } = await child.exited(LIMIT_MS);
  assert(success, child.log());
  return child.stdout.text();
}

let bundled: Promise<string> | undefined;

function bundle(): Promise<string> {
  const main = fileURLToPath(new URL("./runtimes_main.ts", import.meta.url));
  const options = ["--bundle", "--format=esm", "--platform=neutral", "--target=node20"];
  return bundled ??= run(["npx", "--yes", `esbuild@${ESBUILD}`, main, ...options]);
}

function check(outcomes: Outcomes): void {
  assertEquals(Object.entries(outcomes).filter(([, outcome]) => outcome !== null), []);
  assertEquals(Object.keys(outcomes).length, 6);
}

const COMMANDS = { Node: ["node"], Bun: ["npx", "--yes", `bun@${BUN}`] };

for (const [runtime, command] of Object.entries(COMMANDS)) {
  Deno.test(`${runtime}: the client works unchanged`, async () => {
    const file = await Deno.makeTempFile({ suffix: ".mjs" });
    try {
      await Deno.writeTextFile(file, await bundle());
      check(JSON.parse(await run([...command, file, "run"])));
    } finally {
      await Deno.remove(file);
    }
  });
}

Deno.test({
  name: "workerd: the client works unchanged, without compatibility flags",
  // Miniflare leaves what is its own.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const worker = `import { run } from "./main.mjs";
      export default { fetch: async () => Response.json(await run()) };`;
    const miniflare = new Miniflare({
      modules: [
        { type: "ESModule", path: "worker.mjs", contents: worker },
        { type: "ESModule", path: "main.mjs", contents: await bundle() },
      ],
      compatibilityDate: "2025-06-01",
    });
    try {
      check(await (await fetch(await miniflare.ready)).json());
    } finally {
      await miniflare.dispose();
    }
  },
});

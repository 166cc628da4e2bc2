/**
 * The contract in other runtimes: memory, file and SQLite in Bun; in Node too, where it has SQLite.
 */

import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "../peers/child.ts";
import { temporaryFolder } from "./register.ts";
import type { Outcomes } from "./runtimes_main.ts";

Deno.test.sanitizer({ ops: true, resources: true });

/** From npm, as in `scripts/check/runtimes.ts`. */
const BUN = "1.4.5";
const LIMIT_MS = 120_000;

const RUNTIMES = [
  { runtime: "Node", command: ["node"], stores: ["memory", "file"] },
  { runtime: "Bun", command: ["npx", "--yes", `bun@${BUN}`], stores: ["memory", "file", "SQLite"] },
];

async function run([command, ...args]: string[]): Promise<string> {
  await using child = new Child(command, { args, env: { NO_COLOR: "1" } });
  const { success } = await child.exited(LIMIT_MS);
  assert(success, child.log());
  return child.stdout.text();
}

for (const { runtime, command, stores } of RUNTIMES) {
  Deno.test(`${runtime}: ${stores.join(", ")} pass the contract`, async () => {
    const main = fileURLToPath(new URL("./runtimes_main.ts", import.meta.url));
    const { path, remove } = await temporaryFolder();
    const bundled = join(path, "main.mjs");
    const bundle = ["bundle", "--quiet", "--platform=deno", `--output=${bundled}`, main];
    await run([Deno.execPath(), ...bundle]);
    const outcomes = JSON.parse(await run([...command, bundled])) as Outcomes;
    await remove();
    const failed = Object.entries(outcomes).filter(([, outcome]) => outcome !== null);
    assertEquals(failed, []);
    const tested = new Set(Object.keys(outcomes).map((name) => name.split(":")[0]));
    assert(stores.every((store) => tested.has(store)), [...tested].join());
    assert(Object.keys(outcomes).length > 25 * stores.length);
  });
}

/**
 * Deployed, all but: what `wrangler deploy --dry-run` makes of a Worker resumes in workerd, over
 * `cloudflare:sockets`. The engine is a module of its own there: nothing fetches or compiles it.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { needs } from "../skips.ts";
import { WASM, wranglerDryRun } from "./bundles.ts";
import { assertResumed, withOpenssl } from "./connections.ts";
import { packageIn } from "./project.ts";
import { newWorkerProject } from "./worker_project.ts";
import { runWorker } from "./workerd.ts";

let deploying: Promise<{ project: string; output: string }> | undefined;

async function deploy() {
  const project = await newWorkerProject();
  return { project, output: await wranglerDryRun(project) };
}

const deployed = () => deploying ??= deploy();

Deno.test("wrangler takes the wasm file as a module, unchanged", async () => {
  const { project, output } = await deployed();
  const names = (await Array.fromAsync(Deno.readDir(output))).map(({ name }) => name);
  const [wasm, ...others] = names.filter((name) => name.endsWith(".wasm"));
  assertEquals(others, []);
  const script = await Deno.readTextFile(join(output, "worker.js"));
  assertMatch(script, new RegExp(`^import \\w+ from "\\./${wasm.replaceAll(".", "\\.")}";$`, "m"));
  assertEquals(
    await Deno.readFile(join(output, wasm)),
    await Deno.readFile(join(packageIn(project), WASM)),
  );
  assert(!/from "node:/.test(script), "it needs no compatibility with Node");
});

Deno.test("workerd: what was deployed resumes at OpenSSL", needs("openssl"), async () => {
  const { output } = await deployed();
  await using worker = await runWorker(output, "worker.js");
  await withOpenssl(async (input) => {
    const response = await fetch(worker.url, { method: "POST", body: JSON.stringify(input) });
    const said = await response.text();
    assert(response.ok, said);
    assertResumed(JSON.parse(said).visits);
  });
});

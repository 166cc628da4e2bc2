/**
 * A program of the README as a Worker.
 *
 * @module
 */

import { join } from "node:path";
// deno-lint-ignore no-import-prefix -- see tests/packages.ts
import { Miniflare } from "npm:miniflare@4.20260730.0";
import { ESBUILD, npmProgram, output } from "../npm.ts";

/** Bundles it with the package in a folder, and asks it so many times; a new process each time. */
export async function fetchFromWorker(
  folder: string,
  code: string,
  bindings: Record<string, string>,
  times: number,
): Promise<Record<string, unknown>[]> {
  await Deno.writeTextFile(join(folder, "worker.mjs"), code);
  await output([
    await npmProgram(ESBUILD, "esbuild"),
    "worker.mjs",
    "--bundle",
    "--format=esm",
    "--conditions=workerd,worker,browser",
    "--external:cloudflare:*",
    "--external:*.wasm",
    "--outfile=worker.bundled.mjs",
    "--log-level=warning",
  ], { cwd: folder });
  const module = async (type: "ESModule" | "CompiledWasm", name: string) => ({
    type,
    path: join(folder, name),
    contents: type === "ESModule"
      ? await Deno.readTextFile(join(folder, name))
      : await Deno.readFile(join(folder, name)),
  });
  const modules = [
    await module("ESModule", "worker.bundled.mjs"),
    await module("CompiledWasm", "reprise.wasm"),
  ];
  const kept = await Deno.makeTempDir({ prefix: "reprise-readme-objects-" });
  const answers: Record<string, unknown>[] = [];
  try {
    for (let i = 0; i < times; i++) {
      const miniflare = new Miniflare({
        modules,
        modulesRoot: folder,
        compatibilityDate: "2026-06-01",
        bindings,
        durableObjects: { SESSIONS: { className: "SessionStoreObject", useSQLite: true } },
        durableObjectsPersist: kept,
      });
      try {
        const response = await fetch(await miniflare.ready);
        if (!response.ok) throw new Error(await response.text());
        answers.push(await response.json());
      } finally {
        await miniflare.dispose();
      }
    }
  } finally {
    await Deno.remove(kept, { recursive: true });
  }
  return answers;
}

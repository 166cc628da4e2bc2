/**
 * A Worker as it was built, in workerd.
 *
 * @module
 */

import { join } from "node:path";
// deno-lint-ignore no-import-prefix -- see tests/packages.ts
import { Miniflare } from "npm:miniflare@4.20260730.0";
import { COMPATIBILITY_DATE } from "./worker_project.ts";

/** A running Worker. */
export interface Workerd extends AsyncDisposable {
  url: URL;
}

/** Runs a script of a folder with the modules beside it; nothing is bundled. */
export async function runWorker(folder: string, script: string): Promise<Workerd> {
  const miniflare = new Miniflare({
    modules: true,
    modulesRoot: folder,
    modulesRules: [{ type: "CompiledWasm", include: ["**/*.wasm"] }],
    scriptPath: join(folder, script),
    compatibilityDate: COMPATIBILITY_DATE,
  });
  try {
    return { url: await miniflare.ready, [Symbol.asyncDispose]: () => miniflare.dispose() };
  } catch (error) {
    await miniflare.dispose();
    throw error;
  }
}

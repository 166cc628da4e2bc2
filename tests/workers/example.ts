/**
 * The Worker of `examples/` as its user has it: the npm package installed beside it, made ready by
 * wrangler.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  installPackage,
  NODE_LTS,
  npmProgram,
  output,
  TYPESCRIPT,
  WORKERS_TYPES,
  WRANGLER,
} from "../npm.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/worker/", import.meta.url));

/** A folder with the example and what it imports. */
export interface Example extends AsyncDisposable {
  readonly folder: string;
  /** Checks its types; rejects with what is wrong. */
  checkTypes(): Promise<void>;
  /** Bundles it; the folder with `worker.js` and the wasm file, and what wrangler said. */
  bundle(): Promise<{ bundled: string; said: string }>;
}

/** Installs the package beside a copy of the example, outside the repository. */
export async function installExample(): Promise<Example> {
  const folder = await Deno.makeTempDir({ prefix: "reprise-worker-" });
  try {
    for await (const { name } of Deno.readDir(EXAMPLE)) {
      await Deno.copyFile(join(EXAMPLE, name), join(folder, name));
    }
    await installPackage(folder, [WORKERS_TYPES]);
    return {
      folder,
      checkTypes: () => checkTypes(folder),
      bundle: () => bundle(folder),
      [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
    };
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

async function checkTypes(folder: string): Promise<void> {
  const config = {
    compilerOptions: {
      target: "es2024",
      module: "esnext",
      moduleResolution: "bundler",
      lib: ["es2024", "esnext.disposable"],
      types: ["@cloudflare/workers-types"],
      strict: true,
      noEmit: true,
    },
    files: ["worker.ts"],
  };
  await Deno.writeTextFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  await output([await npmProgram(TYPESCRIPT, "tsc"), "--project", "."], { cwd: folder });
}

async function bundle(folder: string) {
  const node = await npmProgram(NODE_LTS, "node");
  const wrangler = await Deno.realPath(await npmProgram(WRANGLER, "wrangler"));
  const said = await output([node, wrangler, "deploy", "--dry-run", "--outdir=bundled"], {
    cwd: folder,
    env: { WRANGLER_SEND_METRICS: "false", CI: "1" },
  });
  return { bundled: join(folder, "bundled"), said };
}

/**
 * The victim as Node and Bun take it: bundled by esbuild, beside the npm package.
 *
 * Rule: a folder of its own, outside the repository, with the package installed by npm, so that
 * nothing but the package's own `exports` decides what a runtime gets.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ESBUILD, installPackage, npmProgram, output } from "../../npm.ts";

/** The folder with `victim.mjs`. */
export interface Bundle extends AsyncDisposable {
  folder: string;
}

/** Installs the package and bundles the victim. */
export async function bundleVictim(): Promise<Bundle> {
  const folder = await Deno.makeTempDir({ prefix: "reprise-victim-" });
  const remove = () => Deno.remove(folder, { recursive: true });
  try {
    await installPackage(folder);
    await output([
      await npmProgram(ESBUILD, "esbuild"),
      fileURLToPath(new URL("./main_node.ts", import.meta.url)),
      "--bundle",
      "--format=esm",
      "--target=node20",
      "--platform=node",
      "--packages=external",
      `--outfile=${join(folder, "victim.mjs")}`,
      "--log-level=warning",
    ], { cwd: folder });
    return { folder, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * The agents as their runtimes take them: bundled by esbuild, beside or with the npm package.
 *
 * Rule: a folder of its own, outside the repository, with the package installed by npm, so that
 * nothing but the package's own `exports` decides what a runtime gets.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ESBUILD, installPackage, npmProgram, output } from "../npm.ts";

/** The folder with the agents: `node.mjs`, `workerd.mjs`, `browser.mjs`, and `reprise.wasm`. */
export interface Bundles extends AsyncDisposable {
  folder: string;
}

const main = (name: string) => fileURLToPath(new URL(`mains/${name}.ts`, import.meta.url));

/** Installs the package and bundles the agents that are asked for. */
export async function bundleAgents(names: ("node" | "workerd" | "browser")[]): Promise<Bundles> {
  const folder = await Deno.makeTempDir({ prefix: "reprise-runtimes-" });
  const remove = () => Deno.remove(folder, { recursive: true });
  try {
    await installPackage(folder);
    const esbuild = await npmProgram(ESBUILD, "esbuild");
    for (const name of names) await bundle(esbuild, folder, name);
    const wasm = join(folder, "node_modules/@reprise/tls/reprise.wasm");
    await Deno.copyFile(wasm, join(folder, "reprise.wasm"));
    return { folder, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function bundle(esbuild: string, folder: string, name: string): Promise<void> {
  const how = {
    node: ["--platform=node", "--packages=external"],
    workerd: ["--conditions=workerd,worker,browser", "--external:cloudflare:*"],
    browser: ["--platform=browser"],
  }[name]!;
  await output([
    esbuild,
    main(name),
    "--bundle",
    "--format=esm",
    "--target=node20,chrome120",
    "--external:*.wasm",
    `--outfile=${join(folder, `${name}.mjs`)}`,
    ...how,
    "--log-level=warning",
  ], {
    cwd: folder,
    // The agents lie in the repository; the package that they import lies here.
    env: { NODE_PATH: join(folder, "node_modules") },
  });
}

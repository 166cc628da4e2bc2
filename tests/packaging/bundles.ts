/**
 * Bundles of programs, made by esbuild as a user would make them, and by wrangler.
 *
 * Rule: `.` for Node keeps the wasm file outside: it is copied to where the bundle lies. A bundle of
 * one file imports `./inline` before `.`: the first engine that is named is used.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { ESBUILD, NODE_LTS, npmProgram, output, WRANGLER } from "../npm.ts";
import { newFolder, packageIn } from "./project.ts";

/** The name of the wasm file, in the package and beside a bundle. */
export const WASM = "reprise.wasm";

/** Bundles a program of a project into `main.mjs` of a new folder, which is returned. */
export async function esbuild(
  project: string,
  program: string,
  platform: "node" | "browser",
  ...args: string[]
): Promise<string> {
  const folder = await newFolder();
  await output([
    await npmProgram(ESBUILD, "esbuild"),
    program,
    "--bundle",
    "--format=esm",
    `--platform=${platform}`,
    `--outfile=${join(folder, "main.mjs")}`,
    "--log-level=warning",
    ...args,
  ], { cwd: project });
  return folder;
}

/** What a user does beside bundling for Node: the wasm file goes where the bundle lies. */
export async function withWasm(project: string, folder: string): Promise<string> {
  await Deno.copyFile(join(packageIn(project), WASM), join(folder, WASM));
  return folder;
}

/** `wrangler deploy --dry-run` of a project with a `wrangler.toml`; the folder of its output. */
export async function wranglerDryRun(project: string, ...args: string[]): Promise<string> {
  const folder = await newFolder();
  const [node, wrangler] = await Promise.all([
    npmProgram(NODE_LTS, "node"),
    npmProgram(WRANGLER, "wrangler"),
  ]);
  await output(
    [node, await Deno.realPath(wrangler), "deploy", "--dry-run", `--outdir=${folder}`, ...args],
    {
      cwd: project,
      env: {
        // It needs a newer Node than this machine may have, and starts more of it.
        PATH: `${dirname(node)}:${Deno.env.get("PATH")}`,
        CI: "1",
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_LOG_PATH: join(folder, "logs"),
        XDG_CONFIG_HOME: await newFolder(),
      },
    },
  );
  return folder;
}

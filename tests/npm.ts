/**
 * What tests have from npm: the package made of these sources, and programs at one version each.
 *
 * Rule: a program is asked for once, by npx, and then started by its path, so that a signal reaches
 * it and nothing in between.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "./peers/child.ts";

/** Versions, each in one place. */
export const BUN = "bun@1.4.5";
/** The newest that npm has whose `process.release.lts` has a name. */
export const NODE_LTS = `node-${platform()}@24.21.0`;
export const ESBUILD = "esbuild@0.28.2";
export const TYPESCRIPT = "typescript@5.9.3";
export const WRANGLER = "wrangler@4.164.0";
export const WORKERS_TYPES = "@cloudflare/workers-types@5.20261117.1";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const LIMIT_MS = 180_000;

/** As npm's packages of Node are named. */
function platform(): string {
  const { os, arch } = Deno.build;
  return `${os === "windows" ? "win" : os}-${arch === "x86_64" ? "x64" : "arm64"}`;
}

/** Runs a program to its end, in a folder; what it wrote to its standard output. */
export async function output(
  [program, ...args]: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<string> {
  await using child = new Child(program, {
    args,
    ...options,
    env: { NO_COLOR: "1", npm_config_update_notifier: "false", ...options.env },
  });
  const { success } = await child.exited(LIMIT_MS);
  if (!success) throw new Error(`${[program, ...args].join(" ")} failed\n${child.log()}`);
  return child.stdout.text();
}

const paths = new Map<string, Promise<string>>();

/** The path of a program of a package of npm: `npmProgram(BUN, "bun")`. */
export function npmProgram(name: string, program: string): Promise<string> {
  const key = `${name} ${program}`;
  const found = paths.get(key) ??
    output(["npx", "--yes", `--package=${name}`, "--", "sh", "-c", `command -v ${program}`])
      .then((said) => said.trim().split("\n").at(-1)!);
  paths.set(key, found);
  return found;
}

/**
 * Installs the package in a folder, as `npm pack` makes it, and others of npm by name and version;
 * `tarball` is one that was packed before.
 */
export async function installPackage(
  folder: string,
  others: readonly string[] = [],
  tarball?: string,
): Promise<void> {
  await Deno.writeTextFile(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  if (tarball === undefined) {
    const said = await output(["npm", "pack", "--silent", await npmPackage()], { cwd: folder });
    tarball = join(folder, said.trim().split("\n").at(-1)!);
  }
  await output(["npm", "install", "--no-audit", "--no-fund", tarball, ...others], { cwd: folder });
}

/** The folder of the npm package made of the sources as they are. It may be replaced: copy it. */
export async function npmPackage(): Promise<string> {
  await output([Deno.execPath(), "run", "-A", "scripts/build_npm.ts", "--if-changed"], {
    cwd: ROOT,
  });
  return `${ROOT}dist/npm`;
}

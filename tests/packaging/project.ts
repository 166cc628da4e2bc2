/**
 * Projects that use the package: folders outside the repository, so that no deno.json and no
 * package.json of it changes what a tool does.
 *
 * Rules:
 * - The package is what `npm pack` makes of `dist/npm`; a test file packs once. What is installed
 *   is that file, and nothing of the repository is reached.
 * - A test file makes its projects once, and removes them when its tests are over.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { installPackage, npmPackage, output } from "../npm.ts";
import { Child } from "../peers/child.ts";

const LIMIT_MS = 120_000;

/** One file of the package, as npm lists it. */
export interface PackedFile {
  path: string;
  size: number;
}

/** What `npm pack` made. */
export interface Packed {
  /** The `.tgz`. */
  tarball: string;
  /** Its bytes. */
  size: number;
  files: PackedFile[];
}

const folders: string[] = [];

/** A new folder, which is removed when the tests of this file are over. */
export async function newFolder(): Promise<string> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "reprise-packaging-" }));
  folders.push(path);
  return path;
}

Deno.test.afterAll(async () => {
  for (const path of folders) await Deno.remove(path, { recursive: true });
});

let packing: Promise<Packed> | undefined;

async function pack(): Promise<Packed> {
  const cwd = await newFolder();
  const [made] = JSON.parse(await output(["npm", "pack", "--json", await npmPackage()], { cwd }));
  return { tarball: join(cwd, made.filename), size: made.size, files: made.files };
}

/** The package, packed once. */
export function packed(): Promise<Packed> {
  return packing ??= pack();
}

/** Installs into a folder: the package, and others of npm by name and version. */
export async function install(folder: string, ...others: string[]): Promise<void> {
  const { tarball } = await packed();
  await installPackage(folder, others, tarball);
}

/** A new project with the package and others, and these programs of `programs/`. */
export async function newProject(
  { others = [], programs = [] }: { others?: string[]; programs?: string[] },
): Promise<string> {
  const folder = await newFolder();
  await install(folder, ...others);
  await copyPrograms(folder, ...programs);
  return folder;
}

/** Copies programs of `programs/`, which are written for whoever has the package. */
export async function copyPrograms(folder: string, ...names: string[]): Promise<void> {
  for (const name of names) {
    const from = fileURLToPath(new URL(`programs/${name}`, import.meta.url));
    await Deno.copyFile(from, join(folder, name));
  }
}

/** Writes a file, and the folders above it. */
export async function write(folder: string, name: string, text: string): Promise<void> {
  const path = join(folder, name);
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, text);
}

/** Where the package lies in a project. */
export const packageIn = (folder: string): string => join(folder, "node_modules/@reprise/tls");

/** A program's end: its exit code, and what it wrote. */
export interface Ended {
  success: boolean;
  stdout: string;
  /** Both streams. */
  log: string;
}

/** Runs a program to its end, whatever that is. */
export async function run(
  [program, ...args]: readonly string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<Ended> {
  const env = { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...options.env };
  await using child = new Child(program, { args, cwd: options.cwd, env });
  const { success } = await child.exited(LIMIT_MS);
  return { success, stdout: child.stdout.text(), log: child.log() };
}

/**
 * What `deno publish` would publish, copied: a file that `publish.include` leaves out is missed
 * here as it would be there.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { output } from "../npm.ts";
import { newFolder } from "./project.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BASE = pathToFileURL(ROOT).href.replace(/\/?$/, "/");

/** The paths of what is published, from the root. */
export async function publishedFiles(): Promise<string[]> {
  const said = await output(
    ["sh", "-c", `"${Deno.execPath()}" publish --dry-run --allow-dirty --no-check 2>&1`],
    { cwd: ROOT },
  );
  return [...said.matchAll(/^\s*(file:\/\/\S+) \([\d.]+\s?\w+\)$/gm)]
    .map(([, url]) => decodeURIComponent(url.slice(BASE.length)));
}

/** A folder with copies of them. */
export async function publishedCopy(): Promise<string> {
  const folder = await newFolder();
  for (const path of await publishedFiles()) {
    await Deno.mkdir(dirname(join(folder, path)), { recursive: true });
    await Deno.copyFile(join(ROOT, path), join(folder, path));
  }
  return folder;
}

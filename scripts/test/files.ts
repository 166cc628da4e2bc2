/**
 * Finds files of the repository by the end of their names.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/**
 * The lock of what only tests and benchmarks import. Before a task runs, Deno fetches all that the
 * lock beside deno.json names, whatever the task needs.
 */
export const TESTS_LOCK = "--lock=tests/deno.lock";

/** The files under these files and folders, sorted; all paths are from the root. */
export async function filesUnder(paths: readonly string[], suffix: string): Promise<string[]> {
  const files: string[] = [];
  const add = async (path: string) => {
    if ((await Deno.stat(join(ROOT, path))).isFile) files.push(path);
    else {
      for await (const { name, isDirectory } of Deno.readDir(join(ROOT, path))) {
        if (isDirectory || name.endsWith(suffix)) await add(join(path, name));
      }
    }
  };
  for (const path of paths) await add(path);
  return files.sort();
}

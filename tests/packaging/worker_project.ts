/**
 * The project of a Worker.
 *
 * @module
 */

import { newProject, write } from "./project.ts";

/** As new as the workerd of the tests knows. */
export const COMPATIBILITY_DATE = "2026-07-01";

/** A Worker of `programs/worker.mjs`, and nothing but what wrangler needs to know. */
export async function newWorkerProject(): Promise<string> {
  const folder = await newProject({ programs: ["resume.mjs", "worker.mjs"] });
  await write(
    folder,
    "wrangler.toml",
    `name = "packaging"
main = "worker.mjs"
compatibility_date = "${COMPATIBILITY_DATE}"
`,
  );
  return folder;
}

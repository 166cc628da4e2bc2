/**
 * A headless Chromium: one page, a profile of its own.
 *
 * Rule: it is asked to end, so that it writes down what pages keep.
 *
 * @module
 */

import { settledWithin } from "../peers/child.ts";
import { chromiumProgram } from "./chromium_program.ts";

/** Opens a page; disposing it ends the browser and leaves the profile. */
export function startBrowser(url: string, profile: string): AsyncDisposable {
  const child = new Deno.Command(chromiumProgram()!, {
    args: [
      "--headless=new",
      "--no-sandbox", // it may run as root, in a container
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      `--user-data-dir=${profile}`,
      url,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      if (!(await settledWithin(child.status, 10_000))) child.kill("SIGKILL");
      await child.status;
    },
  };
}

/** Removes a profile: the browser's own processes end a moment after it. */
export async function removeProfile(profile: string): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    try {
      return await Deno.remove(profile, { recursive: true });
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/**
 * Which Chromium there is.
 *
 * @module
 */

import { programVersion } from "../peers/child.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

let found: string | null | undefined;

/** The program, or `null` where there is none. */
export function chromiumProgram(): string | null {
  if (found === undefined) {
    found = NAMES.find((name) => programVersion(name, ["--version"]) !== null) ?? null;
  }
  return found;
}

/** Whether there is one. */
export function haveChromium(): boolean {
  return chromiumProgram() !== null;
}

/**
 * Starts any of the runtimes.
 *
 * @module
 */

import { startChromium } from "./chromium.ts";
import { startProcess } from "./processes.ts";
import type { Runtime, RuntimeName } from "./runtime.ts";
import { startWorkerd } from "./workerd.ts";

/** Which agent a runtime runs; `null`: the sources as they are. */
export const AGENT = {
  Deno: null,
  Node: "node",
  "Node LTS": "node",
  Bun: "node",
  workerd: "workerd",
  browser: "browser",
} as const;

/** Starts it; `bundles` is the folder of `bundleAgents()`. */
export function startRuntime(name: RuntimeName, bundles: string): Promise<Runtime> {
  if (name === "workerd") return startWorkerd(bundles);
  if (name === "browser") return startChromium(bundles);
  return startProcess(name, bundles);
}

/**
 * Registers the suite's cases for a runtime: one process of it serves a test file, and is restarted
 * by the cases that say so.
 *
 * @module
 */

import { assertMatch } from "@std/assert";
import { needs, type Program } from "../skips.ts";
import { bundleAgents, type Bundles } from "./bundles.ts";
import { CLIENT_CASES } from "./client_cases.ts";
import { MISTAKE_CASES } from "./mistake_cases.ts";
import type { Runtime, RuntimeName } from "./runtime.ts";
import { SERVER_CASES } from "./server_cases.ts";
import { AGENT, startRuntime } from "./start.ts";

/** Tests a runtime; `version` is what it has to call itself. */
export function testRuntime(name: RuntimeName, version: RegExp): void {
  const wanted: Program[] = name === "browser" ? ["openssl", "chromium"] : ["openssl"];
  const programs = needs(...wanted);
  let bundles: Bundles;
  let runtime: Runtime;
  if (!programs.ignore) {
    Deno.test.beforeAll(async () => {
      const agent = AGENT[name];
      // Kept until the end: a restart reads them again.
      bundles = await bundleAgents(agent === null ? [] : [agent]);
      runtime = await startRuntime(name, bundles.folder);
    });
    Deno.test.afterAll(async () => {
      await runtime?.[Symbol.asyncDispose]();
      await bundles?.[Symbol.asyncDispose]();
    });
  }
  Deno.test(`${name}: is what it is called`, programs, async () => {
    assertMatch(await runtime.call("version", null), version);
  });
  for (const { name: what, fn } of CLIENT_CASES) {
    Deno.test(`${name}: a client ${what}`, programs, () => fn(runtime));
  }
  for (const { name: what, fn } of MISTAKE_CASES) {
    Deno.test(`${name}: a caller ${what}`, programs, () => fn(runtime));
  }
  for (const { name: what, fn } of SERVER_CASES) {
    Deno.test(`${name}: a server ${what}`, programs, () => fn(runtime));
  }
}

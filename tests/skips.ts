/**
 * Which tests need which program, and what becomes of them where it is missing.
 *
 * Rules: a test that is skipped is skipped by name, so that nobody takes it for one that passed.
 * Where `REPRISE_NO_SKIPS` is 1, as in CI, a missing program is an error.
 *
 * @module
 */

import { haveGnutls } from "./peers/gnutls.ts";
import { haveGo } from "./peers/go.ts";
import { haveOpenssl } from "./peers/openssl.ts";
import { haveChromium } from "./runtimes/chromium_program.ts";
import { haveRedis } from "./stores/redis_server.ts";

const PROGRAMS = {
  openssl: { present: haveOpenssl, what: "OpenSSL 3.0 or newer (openssl)" },
  gnutls: { present: haveGnutls, what: "GnuTLS 3.6.5 or newer (gnutls-cli)" },
  redis: { present: haveRedis, what: "Redis 5 or newer (redis-server)" },
  chromium: { present: haveChromium, what: "Chromium (chromium)" },
  go: { present: haveGo, what: "Go 1.23 or newer (go)" },
} as const;

/** A program that a test may need. */
export type Program = keyof typeof PROGRAMS;

const told = new Set<Program>();

/**
 * The options of a `Deno.test` that needs these programs: it is ignored where one is missing, and
 * each one missing is named once a test file.
 */
export function needs(...programs: Program[]): { ignore: boolean } {
  const missing = programs.filter((program) => !PROGRAMS[program].present());
  for (const program of missing) {
    const { what } = PROGRAMS[program];
    if (Deno.env.get("REPRISE_NO_SKIPS") === "1") {
      throw new Error(`${what} is missing, and REPRISE_NO_SKIPS is 1`);
    }
    if (told.has(program)) continue;
    told.add(program);
    // deno-lint-ignore no-console -- a skip is to be seen
    console.warn(`SKIPPED without ${what}: some tests of this file`);
  }
  return { ignore: missing.length > 0 };
}

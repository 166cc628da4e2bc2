/**
 * Runs the tests: `deno task test [FILE or FOLDER ...] [options of deno test]`.
 *
 * Rules:
 * - The last line is `N passed, N failed`, and `, N skipped` behind it where some were. Steps of a
 *   test are part of it.
 * - Counts are those of the report that `deno test` writes, not of words on the terminal. What is
 *   not in it counts as one: a file that failed as a whole, or an exit code nothing else explains.
 * - What was skipped is told by file, with the programs that are missing; each test's own line says
 *   "ignored". Where `REPRISE_NO_SKIPS` is 1, as in CI, a test that was skipped failed.
 * - Files run side by side, as many as there are processors; `DENO_JOBS=1` runs them one by one.
 * - Types are not checked here: `deno task ok` does that.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { relative, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { filesUnder, ROOT, TESTS_LOCK } from "./test/files.ts";
import { readReport, type Result } from "./test/report.ts";
import { tee } from "./test/tee.ts";

/** Everything together takes minutes: a test that hangs is not waited for. */
const LIMIT_MS = 25 * 60_000;

/** Runs `deno test`; returns its code and what it said. */
async function denoTest(args: readonly string[]): Promise<{ code: number; said: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", TESTS_LOCK, "--unstable-kv", "--no-check", "--parallel", ...args],
    cwd: ROOT,
    env: Deno.stdout.isTerminal() && !Deno.noColor ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => {
    console.error(`\nThe tests did not end within ${LIMIT_MS / 60_000} minutes: stopped`);
    child.kill("SIGKILL");
  }, LIMIT_MS);
  const said = await Promise.all([tee(child.stdout, Deno.stdout), tee(child.stderr, Deno.stderr)]);
  const { code } = await child.status;
  clearTimeout(timer);
  return { code, said: stripVTControlCharacters(said.join("\n")) };
}

/** The programs that tests said they lack (`tests/skips.ts`). */
function missingPrograms(said: string): string[] {
  return [...new Set(Array.from(said.matchAll(/SKIPPED without (.+?): /g), ([, what]) => what))];
}

function byFile(results: readonly Result[]): string {
  const files = Map.groupBy(results, ({ file }) => file);
  return [...files].map(([file, tests]) =>
    `  ${file}\n${tests.map(({ name }) => `    ${name}`).join("\n")}`
  ).join("\n");
}

async function main(): Promise<number> {
  const options = Deno.args.filter((arg) => arg.startsWith("-"));
  const paths = Deno.args.filter((arg) => !arg.startsWith("-"));
  const given = paths.map((path) =>
    relative(ROOT, resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), path))
  );
  const files = await filesUnder(given.length > 0 ? given : ["tests"], "_test.ts");

  const report = await Deno.makeTempFile({ prefix: "reprise-tests-", suffix: ".xml" });
  let results: Result[];
  let code: number, said: string;
  try {
    ({ code, said } = await denoTest([`--junit-path=${report}`, ...options, ...files]));
    results = readReport(await Deno.readTextFile(report));
  } finally {
    await Deno.remove(report);
  }

  const of = (outcome: Result["outcome"]) => results.filter((result) => result.outcome === outcome);
  const [passed, failed] = [of("passed"), of("failed")];
  // The report calls skipped what a filter leaves out.
  const skipped = options.some((option) => option.startsWith("--filter")) ? [] : of("skipped");
  const broken = files.filter((file) => said.includes(`\n./${file} (uncaught error)\n`));
  let failures = failed.length + broken.length;
  if (Deno.env.get("REPRISE_NO_SKIPS") === "1") failures += skipped.length;
  if (code !== 0 && failures === 0) failures = 1;

  console.log();
  if (failed.length > 0) console.log(`failed:\n${byFile(failed)}\n`);
  if (broken.length > 0) console.log(`failed as a whole:\n  ${broken.join("\n  ")}\n`);
  if (skipped.length > 0) {
    console.log("skipped:");
    for (const [file, tests] of Map.groupBy(skipped, ({ file }) => file)) {
      console.log(`  ${file}: ${tests.length}`);
    }
    for (const what of missingPrograms(said)) console.log(`  missing here: ${what}`);
    console.log();
  }
  const line = `${passed.length} passed, ${failures} failed`;
  console.log(skipped.length === 0 ? line : `${line}, ${skipped.length} skipped`);
  return failures > 0 || passed.length === 0 ? 1 : 0;
}

Deno.exit(await main());

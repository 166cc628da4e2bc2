/**
 * Everything that has to be right before a change is merged: `deno task ok`.
 *
 * Rules:
 * - Each step runs, whatever became of the ones before. What a step said is shown if it failed.
 * - The tests come last. The last line is theirs, `N passed, N failed`, and a step that failed is a
 *   failure in it.
 * - `--ci` adds what takes minutes and needs compilers, and lets no test be skipped.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { filesUnder, ROOT, TESTS_LOCK } from "./test/files.ts";
import { tee } from "./test/tee.ts";

interface Step {
  name: string;
  /** Arguments of deno. */
  args: string[];
  /** It takes minutes: in CI only, and its output is shown as it comes. */
  long?: boolean;
}

const { exports } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
const ENTRIES: string[] = Object.values(exports);

/** Written for a bundler: what it imports is not there before `scripts/build_npm.ts` has run. */
const BUNDLED = ["src/entrypoints/workerd.ts"];
const sources = async (...folders: string[]) =>
  (await filesUnder(folders, ".ts")).filter((file) => !BUNDLED.includes(file));
const SHIPPED = await sources("mod.ts", "src", "demo", "scripts");
const ALL = [...SHIPPED, ...await sources("bench", "tests")];

const STEPS: Step[] = [
  { name: "format", args: ["fmt", "--check"] },
  { name: "lint", args: ["lint"] },
  { name: "the lock", args: ["check", "--frozen", ...SHIPPED] },
  { name: "types, and the lock of the tests", args: ["check", "--frozen", TESTS_LOCK, ...ALL] },
  { name: "doc comments", args: ["doc", "--lint", ...ENTRIES] },
  { name: "examples in doc comments", args: ["test", "-A", "--doc", "mod.ts", "src"] },
  { name: "examples in the README", args: ["check", "--doc-only", "README.md"] },
  { name: "size", args: ["task", "--quiet", "size"] },
  { name: "package", args: ["publish", "--dry-run", "--allow-dirty"] },
  { name: "rust", args: ["task", "--quiet", "check:rust"], long: true },
  { name: "wasm", args: ["task", "--quiet", "check:wasm", "--same-toolchain"], long: true },
];

const TESTS: Step = { name: "tests", args: ["task", "--quiet", "test"], long: true };

async function run(
  step: Step,
  env: Record<string, string>,
): Promise<{ ok: boolean; said: string }> {
  const started = performance.now();
  if (step.long) console.log(`     ${step.name} …`);
  const child = new Deno.Command(Deno.execPath(), {
    args: step.args,
    cwd: ROOT,
    env: Deno.stdout.isTerminal() ? env : { ...env, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = await Promise.all([
    tee(child.stdout, step.long ? Deno.stdout : undefined),
    tee(child.stderr, step.long ? Deno.stderr : undefined),
  ]);
  const { success } = await child.status;
  if (!success && !step.long) console.log(said.join("\n").trim());
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${success ? "ok  " : "FAIL"} ${step.name} (${seconds} s)`);
  return { ok: success, said: said[0] };
}

const ci = Deno.args.includes("--ci");
const failed: string[] = [];
for (const step of STEPS) {
  if (step.long && !ci) continue;
  if (!(await run(step, {})).ok) failed.push(step.name);
}
const tests = await run(TESTS, ci ? { REPRISE_NO_SKIPS: "1" } : {});

const counts = /^(\d+) passed, (\d+) failed(, \d+ skipped)?\s*$/.exec(
  tests.said.trimEnd().split("\n").at(-1) ?? "",
);
const [, passed, testsFailed, skipped = ""] = counts ?? ["", "0", "0"];
const failures = failed.length + Math.max(Number(testsFailed), tests.ok ? 0 : 1);
if (failed.length > 0) console.log(`\nfailed, besides tests: ${failed.join("; ")}`);
console.log(`\n${passed} passed, ${failures} failed${skipped}`);
Deno.exit(failures > 0 ? 1 : 0);

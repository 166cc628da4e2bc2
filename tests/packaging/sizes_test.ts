/**
 * How much a user downloads, printed, and held under budgets: what is above one is either worth
 * it, and the budget is raised, or came in by mistake.
 *
 * Rule: sizes are of bytes as made; gzipped at level 9. The budget of the engine itself is that of
 * `scripts/size.ts`.
 */

import { assert } from "@std/assert";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { esbuild, wranglerDryRun } from "./bundles.ts";
import { copyPrograms, packageIn, packed } from "./project.ts";
import { newWorkerProject } from "./worker_project.ts";

interface Size {
  what: string;
  raw: number;
  gzipped: number;
  /** Gzipped, in bytes. */
  budget: number;
}

const sizes: Size[] = [];

const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} KB`.padStart(10);

Deno.test.afterAll(() => {
  const width = Math.max(...sizes.map(({ what }) => what.length));
  const line = (what: string, ...columns: string[]) => [what.padEnd(width), ...columns].join(" ");
  // deno-lint-ignore no-console -- sizes are to be seen
  console.log([
    line("", "raw".padStart(10), "gzipped".padStart(10), "budget".padStart(10)),
    ...sizes.map(({ what, raw, gzipped, budget }) =>
      line(what, kilobytes(raw), kilobytes(gzipped), kilobytes(budget))
    ),
  ].join("\n"));
});

/** Notes a size, and holds it to its budget. */
function hold(what: string, parts: Uint8Array[], budget: number): void {
  const raw = parts.reduce((sum, { length }) => sum + length, 0);
  const gzipped = parts.reduce((sum, part) => sum + gzipSync(part, { level: 9 }).length, 0);
  sizes.push({ what, raw, gzipped, budget });
  assert(gzipped <= budget, `${what}: ${gzipped} bytes gzipped, the budget is ${budget}`);
}

const filesOf = (folder: string, names: string[]) =>
  Promise.all(names.map((name) => Deno.readFile(join(folder, name))));

let making: Promise<string> | undefined;
async function make(): Promise<string> {
  const folder = await newWorkerProject();
  await copyPrograms(folder, "client.mjs", "page.mjs", "page_inline.mjs");
  return folder;
}
const project = () => making ??= make();

/** What an entry of the package imports of it, itself included; lazily loaded files as well. */
async function closure(folder: string, entry: string): Promise<string[]> {
  const found = new Set([entry]);
  for (const name of found) {
    if (!name.endsWith(".js")) continue;
    const text = await Deno.readTextFile(join(folder, name));
    for (const [, path] of text.matchAll(/(?:from |import |import\()"(\.[^"]+)"/g)) {
      found.add(join(name, "..", path));
    }
  }
  return [...found];
}

Deno.test("the package, as npm downloads it", async () => {
  const { size, files } = await packed();
  const raw = files.reduce((sum, { size }) => sum + size, 0);
  const [what, budget] = ["@reprise/tls.tgz", 1_050_000];
  sizes.push({ what, raw, gzipped: size, budget });
  assert(size <= budget, `${size} bytes, the budget is ${budget}`);
});

for (
  const { entry, budget } of [
    { entry: "node.js", budget: 130_000 },
    { entry: "deno.js", budget: 130_000 },
    { entry: "workerd.js", budget: 130_000 },
    { entry: "browser.js", budget: 130_000 },
    { entry: "inline.js", budget: 580_000 },
    { entry: "reprise.wasm", budget: 360_000 },
  ]
) {
  Deno.test(`an entry and what it imports: ${entry}`, async () => {
    const folder = packageIn(await project());
    const names = (await closure(folder, entry)).filter((name) =>
      name === entry || !name.endsWith(".wasm")
    );
    hold(`package: ${entry}`, await filesOf(folder, names), budget);
  });
}

for (
  const { program, platform, budget } of [
    { program: "client.mjs", platform: "node", budget: 98_000 },
    { program: "page.mjs", platform: "browser", budget: 98_000 },
    { program: "page_inline.mjs", platform: "browser", budget: 560_000 },
  ] as const
) {
  Deno.test(`a client, bundled and minified: ${program}`, async () => {
    const bundle = await esbuild(await project(), program, platform, "--minify");
    hold(`${platform} bundle: ${program}`, await filesOf(bundle, ["main.mjs"]), budget);
  });
}

Deno.test("a Worker, as wrangler makes it", async () => {
  const output = await wranglerDryRun(await project(), "--minify");
  const names = (await Array.fromAsync(Deno.readDir(output))).map(({ name }) => name);
  const uploaded = names.filter((name) => /\.(js|wasm)$/.test(name));
  hold("wrangler: worker.js and the wasm file", await filesOf(output, uploaded), 450_000);
});

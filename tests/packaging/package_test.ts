/**
 * What is in the package, and what is reachable: the files, the fields of its package.json, the
 * entries. What is expected is derived from deno.json, so that a new entry needs no change here.
 */

import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { machinePaths } from "../../scripts/check/machine_paths.ts";
import { filesUnder } from "../../scripts/test/files.ts";
import { BUN, npmProgram } from "../npm.ts";
import { newProject, packageIn, packed, run, write } from "./project.ts";
import { publishedFiles } from "./published.ts";

let installing: Promise<string> | undefined;
const project = () => installing ??= newProject({});

type Target = string | { [condition: string]: Target };

interface Manifest {
  [field: string]: unknown;
  exports: Record<string, Target>;
  sideEffects: string[];
}

async function manifest(): Promise<Manifest> {
  return JSON.parse(await Deno.readTextFile(join(packageIn(await project()), "package.json")));
}

/** The files that a target of `exports` names. */
function targets(target: Target): string[] {
  return typeof target === "string" ? [target] : Object.values(target).flatMap(targets);
}

/** The entries of deno.json but `.`, by their names in `dist`. */
const APART = Object.keys(config.exports).filter((name) => name !== ".").map((name) =>
  name.slice(2)
);
/** The entries of the package that deno.json does not have: one for each runtime. */
const RUNTIMES = ["node", "deno", "workerd", "browser", "inline"];

const LICENCES = ["LICENSE", "LICENSE-APACHE", "LICENSE-MIT", "LICENSE-ROOTS", "NOTICES.txt"];
/** Where those are in the repository that are not at its root. */
const ELSEWHERE: Record<string, string> = {
  "LICENSE-ROOTS": "src/roots/LICENSE",
  "NOTICES.txt": "wasm/pkg/NOTICES.txt",
};
/** Written as examples in the README and doc comments. */
const EXAMPLES = ["/var/lib/app/sessions"];

Deno.test("the package holds its entries, their types, the engine and licences, no more", async () => {
  const { files } = await packed();
  const names = files.map(({ path }) => path);
  const types = names.filter((name) => name.startsWith("types/"));
  const chunks = names.filter((name) => /^chunks\/[\w-]+\.js$/.test(name));
  const others = names.filter((name) => !types.includes(name) && !chunks.includes(name));
  assertEquals(
    others.sort(),
    [
      ...LICENCES,
      "CHANGELOG.md",
      "README.md",
      "package.json",
      "reprise.wasm",
      "wasm_deno.js",
      ...[...RUNTIMES, ...APART].map((name) => `${name}.js`),
    ].sort(),
  );

  // Declarations are of sources that are published as well, or of the engine's glue.
  const sources = new Set(
    (await publishedFiles()).map((path) => `types/${path.replace(/\.ts$/, ".d.ts")}`),
  );
  for (const path of await filesUnder(["src/entrypoints"], ".ts")) {
    sources.add(`types/${path.replace(/\.ts$/, ".d.ts")}`);
  }
  sources.add("types/web_assembly.d.ts").add("types/wasm/pkg/reprise.d.ts");
  assertEquals(types.filter((name) => !sources.has(name)), []);
  assertEquals(types.filter((name) => !name.endsWith(".d.ts")), []);
  const tests = types.filter((name) => name.startsWith("types/tests/"));
  assert(
    tests.every((name) => /^types\/tests\/stores\/contract\w*\.d\.ts$/.test(name)),
    `${tests}`,
  );
});

Deno.test("each file is reached from an entry: nothing is left over", async () => {
  const folder = packageIn(await project());
  const { exports } = await manifest();
  const reached = new Set(
    Object.values(exports).flatMap(targets).map((path) => path.replace("./", "")),
  );
  for (const name of reached) {
    if (!/\.(js|d\.ts)$/.test(name)) continue;
    const text = await Deno.readTextFile(join(folder, name));
    const paths = text.matchAll(/(?:from |import |import\(|reference path=)"(\.[^"]+)"/g);
    for (const [, path] of paths) {
      const to = join(name, "..", path);
      reached.add(name.endsWith(".d.ts") ? to.replace(/(?<!\.d)\.[jt]s$/, ".d.ts") : to);
    }
  }
  const { files } = await packed();
  const code = files.map(({ path }) => path).filter((path) => /\.(js|wasm)$/.test(path));
  assertEquals(code.filter((path) => !reached.has(path)), []);
  const there = new Set(files.map(({ path }) => path));
  assertEquals([...reached].filter((path) => !there.has(path)), []);
});

Deno.test("no file names a path of a machine, or a test", async () => {
  const folder = packageIn(await project());
  for (const { path } of (await packed()).files) {
    const bytes = await Deno.readFile(join(folder, path));
    const text = new TextDecoder("latin1").decode(bytes);
    const home = Deno.env.get("HOME");
    const found = machinePaths(bytes).filter((each) =>
      !EXAMPLES.includes(each) && (each !== home || text.includes(`${home}/`))
    );
    assertEquals(found, [], path);
    assert(!text.includes("sourceMappingURL"), path);
    assert(!/testdata|_test\.ts/.test(text), path);
  }
});

Deno.test("the README that npm shows is the repository's, licences are there in full", async () => {
  const folder = packageIn(await project());
  for (const name of [...LICENCES, "README.md"]) {
    const from = ELSEWHERE[name] ?? name;
    const own = await Deno.readTextFile(new URL(`../../${from}`, import.meta.url));
    assertEquals(await Deno.readTextFile(join(folder, name)), own);
  }
});

Deno.test("package.json says what is true, and nothing of where it was made", async () => {
  const { exports, sideEffects, dependencies, ...fields } = await manifest();
  assertEquals(fields, {
    name: config.name,
    version: config.version,
    description: fields.description,
    license: config.license,
    type: "module",
    engines: { node: ">=20" },
  });
  assert(typeof fields.description === "string" && fields.description.length > 20);
  // Each version is one, not a range.
  for (const version of Object.values(dependencies as Record<string, string>)) {
    assert(/^\d+\.\d+\.\d+$/.test(version), version);
  }
  const named = new Set(Object.values(exports).flatMap(targets));
  for (const file of sideEffects) assert(named.has(file), file);
  const folder = packageIn(await project());
  for (const file of named) {
    if (!file.endsWith(".js")) continue;
    const registers = /^provide\w+\(/m.test(await Deno.readTextFile(join(folder, file)));
    assertEquals(sideEffects.includes(file), registers, file);
  }
});

Deno.test("exports: the entries of deno.json and one for each runtime, types first", async () => {
  const { exports } = await manifest();
  assertEquals(
    Object.keys(exports).sort(),
    [".", "./inline", "./reprise.wasm", "./package.json", ...APART.map((name) => `./${name}`)]
      .sort(),
  );
  // A runtime takes the first condition that it knows: Bun and Deno know Node's, workerd browsers'.
  const order = Object.keys(exports["."] as Record<string, Target>);
  const before = (a: string, b: string) =>
    assert(order.includes(a) && order.indexOf(a) < order.indexOf(b), `${a} before ${b}: ${order}`);
  before("deno", "node");
  before("bun", "node");
  before("workerd", "browser");
  before("node", "browser");
  assertEquals(order.at(-1), "default");
  const folder = packageIn(await project());
  for (const target of Object.values(exports)) {
    for (const path of targets(target)) assert((await Deno.stat(join(folder, path))).isFile, path);
  }
  const entries = (target: Target): Target[] =>
    typeof target === "string" || "types" in target
      ? [target]
      : Object.values(target).flatMap(entries);
  for (const entry of Object.values(exports).flatMap(entries)) {
    if (typeof entry !== "string") assertEquals(Object.keys(entry), ["types", "default"]);
  }
});

for (const name of ["Node", "Bun"] as const) {
  Deno.test(`${name}: each entry is imported by its name, and no other file is`, async () => {
    const cwd = await project();
    const { exports } = await manifest();
    const { files } = await packed();
    const entries = Object.keys(exports).filter((name) => !/\.(wasm|json)$/.test(name));
    // Bun finds `./engine` by "engine.js" as well.
    const closed = files.map(({ path }) => `./${path}`).filter((path) =>
      !(path in exports) && !(name === "Bun" && path.replace(/\.js$/, "") in exports)
    );
    await write(
      cwd,
      "entries.mjs",
      `import assert from "node:assert/strict";
for (const name of ${JSON.stringify(entries)}) {
  const entry = await import("@reprise/tls" + name.slice(1));
  assert.ok(Object.keys(entry).length > 0, name);
}
for (const name of ["reprise.wasm", "package.json"]) {
  assert.ok(import.meta.resolve("@reprise/tls/" + name).endsWith("/" + name));
}
for (const path of ${JSON.stringify(closed)}) {
  await assert.rejects(import("@reprise/tls" + path.slice(1)), path);
}
`,
    );
    const command = name === "Bun" ? await npmProgram(BUN, "bun") : "node";
    const { success, log } = await run([command, "entries.mjs"], { cwd });
    assertEquals({ success, log }, { success: true, log: "" });
  });
}

Deno.test("what deno publish includes: entries, sources and the engine, no tests or keys", async () => {
  const files = await publishedFiles();
  for (const path of Object.values(config.exports)) assert(files.includes(path.slice(2)), path);
  assertEquals(
    files.filter((path) => path.startsWith("src/")),
    await filesUnder(["src"], ""),
  );
  const others = files.filter((path) => !path.startsWith("src/"));
  const allowed =
    /^(mod\.ts|deno\.json|\w+\.md|LICENSE(-\w+)?|wasm\/pkg\/\w+\.\w+(\.ts)?|tests\/stores\/contract\w*\.ts)$/;
  assertEquals(others.filter((path) => !allowed.test(path)), []);
});

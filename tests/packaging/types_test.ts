/**
 * Types as programs meet them: the whole API, used rightly and wrongly, under each compiler and in
 * each kind of project. Strictly, and libraries are not skipped: each declaration file is checked.
 */

import { assert, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { npmProgram, TYPESCRIPT, WORKERS_TYPES } from "../npm.ts";
import { newProject, packageIn, run, write } from "./project.ts";
import { BUN_TYPES, NODE_20_TYPES, NODE_TYPES, TYPESCRIPT_7 } from "./versions.ts";

const once = (...others: string[]) => {
  let made: Promise<string> | undefined;
  return () => made ??= newProject({ others, programs: ["api.ts"] });
};
const oldest = once(NODE_20_TYPES);
const newest = once(NODE_TYPES, BUN_TYPES, WORKERS_TYPES);

const NODE = { module: "nodenext" };
const BUNDLER = { module: "esnext", moduleResolution: "bundler" };

interface Kind {
  project: () => Promise<string>;
  options: Record<string, unknown>;
  /** `lib` has no names of runtimes, and `api.ts` has none either: those are in `types`. */
  lib: string[];
}

const KINDS: Record<string, Kind> = {
  "Node 20, es2022": {
    project: oldest,
    options: { ...NODE, types: ["node"] },
    lib: ["es2022"],
  },
  "Node, es2023": { project: newest, options: { ...NODE, types: ["node"] }, lib: ["es2023"] },
  "Node, esnext and dom": {
    project: newest,
    options: { ...NODE, types: ["node"] },
    lib: ["esnext", "dom"],
  },
  "a bundler, for browsers": {
    project: oldest,
    options: { ...BUNDLER, types: [] },
    lib: ["es2022", "dom"],
  },
  'a bundler, with the condition "browser"': {
    project: oldest,
    options: { ...BUNDLER, types: [], customConditions: ["browser"] },
    lib: ["es2022", "dom", "dom.iterable"],
  },
  Workers: {
    project: newest,
    options: { ...BUNDLER, types: ["@cloudflare/workers-types"] },
    lib: ["es2022"],
  },
  'Workers, with the condition "workerd"': {
    project: newest,
    options: {
      ...BUNDLER,
      types: ["@cloudflare/workers-types"],
      customConditions: ["workerd", "worker", "browser"],
    },
    lib: ["esnext"],
  },
  Bun: { project: newest, options: { ...BUNDLER, types: ["bun"] }, lib: ["esnext"] },
};

/** All of these, and no library is skipped. */
const STRICT = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  skipLibCheck: false,
  noEmit: true,
  target: "es2022",
};

/** Every entry, so that each declaration is compiled; `inline` is one of the package alone. */
const ENTRIES = [...Object.keys(config.exports), "./inline"].map((name, at) =>
  `export * as entry${at} from "${config.name}${name.slice(1)}";\n`
).join("");

async function check(compiler: string, { project, options, lib }: Kind, file?: string) {
  const cwd = await project();
  await write(cwd, "entries.ts", ENTRIES);
  const config = {
    compilerOptions: { ...STRICT, ...options, lib },
    files: file === undefined ? ["api.ts", "entries.ts"] : [file],
  };
  const name = `tsconfig.${crypto.randomUUID()}.json`;
  await write(cwd, name, JSON.stringify(config));
  return await run([await npmProgram(compiler, "tsc"), "--project", name], { cwd });
}

for (const compiler of [TYPESCRIPT, TYPESCRIPT_7]) {
  for (const [name, kind] of Object.entries(KINDS)) {
    Deno.test(`${compiler}: ${name}`, async () => {
      const { success, log } = await check(compiler, kind);
      assert(success, log);
    });
  }
}

Deno.test("a wrong use is an error, by the file of the program: types are there, not any", async () => {
  const kind = KINDS["Node 20, es2022"];
  const text = `import { connectTls } from "@reprise/tls";\nvoid connectTls({ port: "443" });\n`;
  await write(await kind.project(), "wrong.ts", text);
  const { success, log } = await check(TYPESCRIPT, kind, "wrong.ts");
  assert(!success);
  assertStringIncludes(log, "wrong.ts(2,");
  assertStringIncludes(log, "TS2322");
});

Deno.test("a file that is not exported is not found by the compiler either", async () => {
  const kind = KINDS["Node 20, es2022"];
  await write(await kind.project(), "deep.ts", `export * from "@reprise/tls/node.js";\n`);
  const { success, log } = await check(TYPESCRIPT, kind, "deep.ts");
  assert(!success);
  assertStringIncludes(log, "TS2307");
  const there = await Deno.stat(join(packageIn(await kind.project()), "node.js"));
  assert(there.isFile);
});

// deno-lint-ignore-file no-console
/**
 * Makes the npm package in `dist/npm`: `deno task build:npm`.
 *
 * Rules:
 * - Nothing in there is written by hand; nothing of it is committed.
 * - `--if-changed` leaves a package alone that was made from the sources as they are: tests ask for
 *   it, several at a time, and one of them makes it. It takes its place whole.
 * - One bundle with shared chunks: whatever a program imports, there is one copy of each class.
 * - No `package.json` at the root of the repository: it changes what `deno task` does.
 */
import { createHash } from "node:crypto";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import config from "../deno.json" with { type: "json" };
import { filesUnder } from "./test/files.ts";
import { run } from "./wasm/run.ts";

/** From npm. */
const ESBUILD = "0.28.2";
const TYPESCRIPT = "5.9.3";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const made = join(dist, "npm");
/** Where it is made; moved to its place when it is complete. */
const out = join(dist, "making");
const generated = join(dist, "generated");
const madeFrom = join(dist, "made_from");

/** What the sources import from npm, and at which version: `npm:NAME@VERSION/FILE`. */
const FROM_NPM = /"npm:((?:@[^/]+\/)?[^/@]+)@([^/"]+)([^"]*)"/g;
const dependencies: Record<string, string> = {};

/** As npm has it: the version stands in the package.json. */
function withoutVersions(text: string): string {
  return text.replace(FROM_NPM, (_, name, version, file) => {
    dependencies[name] = version;
    return `"${name}${file}"`;
  });
}

const COPIED = ["README.md", "CHANGELOG.md", "LICENSE", "LICENSE-APACHE", "LICENSE-MIT"];

/** Entry points by their names in `exports`; in `dist` they are files of the same names. */
const ENTRIES: Record<string, string> = {
  node: "src/entrypoints/node.ts",
  deno: "src/entrypoints/deno.ts",
  workerd: "src/entrypoints/workerd.ts",
  browser: "src/entrypoints/browser.ts",
  inline: "src/entrypoints/inline.ts",
};
for (const [name, path] of Object.entries(config.exports)) {
  if (name !== ".") ENTRIES[name.slice(2)] = path.slice(2);
}

/**
 * Where a runtime has no `Symbol.dispose`, as older browsers: the one that esbuild's `using` takes
 * then.
 */
const DISPOSABLE = `const dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose");
const asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
export { asyncDispose as "Symbol.asyncDispose", dispose as "Symbol.dispose" };
`;

/** Imports the wasm file by a syntax of its own, which esbuild need not understand. */
const WASM_DENO = "src/entrypoints/wasm_deno.js";

async function bundle(): Promise<void> {
  await Deno.mkdir(generated, { recursive: true });
  await Deno.writeTextFile(join(generated, "disposable.js"), DISPOSABLE);
  await run("npx", [
    "--yes",
    `esbuild@${ESBUILD}`,
    ...Object.entries(ENTRIES).map(([name, path]) => `${name}=${path}`),
    "--bundle",
    "--splitting",
    "--format=esm",
    "--platform=neutral",
    "--target=node20",
    "--external:node:*",
    "--external:cloudflare:*",
    "--external:npm:*",
    "--external:./reprise.wasm",
    "--external:./wasm_deno.js",
    `--inject:${join(generated, "disposable.js")}`,
    // What is not left outside, the inline entry carries along.
    "--loader:.wasm=binary",
    "--chunk-names=chunks/[name]-[hash]",
    `--outdir=${out}`,
    "--log-level=warning",
  ], { cwd: root });
  for (const path of await files(out)) {
    await Deno.writeTextFile(path, withoutVersions(await Deno.readTextFile(path)));
  }
  await Deno.copyFile(join(root, "wasm", "pkg", "reprise.wasm"), join(out, "reprise.wasm"));
  const wasmDeno = await Deno.readTextFile(join(root, WASM_DENO));
  await Deno.writeTextFile(
    join(out, "wasm_deno.js"),
    wasmDeno.replace("../../wasm/pkg/", "./").replace(/^\/\/ @ts-.*\n/m, ""),
  );
}

/** The names that declarations use, for a program whose `lib` has no WebAssembly: they merge. */
const WEB_ASSEMBLY = `declare namespace WebAssembly {
  interface Module {}
  interface Memory {}
}
`;

/** Declarations, whose imports end in `.ts` where they are written and in `.js` where they go. */
async function declare(): Promise<void> {
  const types = join(out, "types");
  await Deno.writeTextFile(
    join(generated, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "esnext",
        module: "nodenext",
        lib: ["esnext", "dom", "dom.iterable"],
        types: [],
        strict: true,
        declaration: true,
        emitDeclarationOnly: true,
        allowImportingTsExtensions: true,
        allowArbitraryExtensions: true,
        skipLibCheck: true,
        noCheck: true,
        rootDir: root,
        outDir: types,
      },
      files: Object.values(ENTRIES).map((path) => join(root, path)),
    }),
  );
  await run("npx", [
    "--yes",
    `--package=typescript@${TYPESCRIPT}`,
    "tsc",
    "--project",
    join(generated, "tsconfig.json"),
  ], { cwd: root });
  await Deno.mkdir(join(types, "wasm", "pkg"), { recursive: true });
  await Deno.copyFile(
    join(root, "wasm", "pkg", "reprise.d.ts"),
    join(types, "wasm", "pkg", "reprise.d.ts"),
  );
  for (const path of await files(types)) {
    let text = await Deno.readTextFile(path);
    text = withoutVersions(text).replace(/(from "|import\(")(\.[^"]*)\.ts"/g, '$1$2.js"');
    if (/\bSymbol\.(asyncD|d)ispose\b/.test(text)) {
      text = `/// <reference lib="esnext.disposable" />\n${text}`;
    }
    if (/\bWebAssembly\./.test(text)) {
      const above = relative(dirname(path), types).replaceAll("\\", "/");
      text = `/// <reference path="${above}/web_assembly.d.ts" />\n${text}`;
    }
    await Deno.writeTextFile(path, text);
  }
  await Deno.writeTextFile(join(types, "web_assembly.d.ts"), WEB_ASSEMBLY);
}

async function files(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    found.push(...(isDirectory ? await files(path) : [path]));
  }
  return found;
}

function conditions(): Record<string, unknown> {
  const types = (name: string) => `./types/${ENTRIES[name].replace(/\.ts$/, ".d.ts")}`;
  const entry = (name: string) => ({ types: types(name), default: `./${name}.js` });
  const apart = Object.keys(ENTRIES).filter((name) => `./${name}` in config.exports);
  return {
    ".": {
      workerd: entry("workerd"),
      deno: entry("deno"),
      bun: entry("node"),
      node: entry("node"),
      browser: entry("browser"),
      default: entry("browser"),
    },
    "./inline": entry("inline"),
    ...Object.fromEntries(apart.map((name) => [`./${name}`, entry(name)])),
    "./reprise.wasm": "./reprise.wasm",
    "./package.json": "./package.json",
  };
}

async function describe(): Promise<void> {
  const { name, version, license } = config;
  await Deno.writeTextFile(
    join(out, "package.json"),
    JSON.stringify(
      {
        name,
        version,
        description: "TLS whose sessions are bytes that belong to the caller",
        license,
        type: "module",
        sideEffects: ["./deno.js", "./node.js", "./workerd.js", "./inline.js"],
        engines: { node: ">=20" },
        exports: conditions(),
        dependencies,
      },
      null,
      2,
    ) + "\n",
  );
  for (const file of COPIED) await Deno.copyFile(join(root, file), join(out, file));
  await Deno.copyFile(join(root, "src", "roots", "LICENSE"), join(out, "LICENSE-ROOTS"));
  await Deno.copyFile(join(root, "wasm", "pkg", "NOTICES.txt"), join(out, "NOTICES.txt"));
}

/** A hash of everything that decides what is in the package. */
async function sourceHash(): Promise<string> {
  const sources = await filesUnder(["src", "wasm/pkg", "scripts/build_npm.ts", ...COPIED], "");
  const contracts = (await filesUnder(["tests/stores"], ".ts"))
    .filter((path) => path.includes("contract"));
  const hash = createHash("sha256");
  for (const path of [...sources, ...contracts, "deno.json"]) {
    hash.update(`${path}\0`).update(await Deno.readFile(join(root, path)));
  }
  return hash.digest("hex");
}

const read = (path: string) => Deno.readTextFile(path).catch(() => "");
const remove = (path: string) => Deno.remove(path, { recursive: true }).catch(() => {});

await Deno.mkdir(dist, { recursive: true });
// A second build waits for the first one.
using lock = await Deno.open(join(dist, "build.lock"), { create: true, write: true });
await lock.lock(true);
const source = await sourceHash();
if (Deno.args.includes("--if-changed") && await read(madeFrom) === source) {
  console.log("dist/npm is up to date");
} else {
  for (const path of [out, generated, madeFrom]) await remove(path);
  await bundle();
  await declare();
  await describe();
  await remove(made);
  await Deno.rename(out, made);
  await Deno.writeTextFile(madeFrom, source);
  console.log("dist/npm is made");
}

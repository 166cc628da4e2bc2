/**
 * Bundled by esbuild: for Node with the wasm file beside the bundle or in it, and for pages, which
 * give the engine themselves or have it in the bundle. Bundles run where nothing else is.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { needs } from "../skips.ts";
import { esbuild, WASM, withWasm } from "./bundles.ts";
import { clientResumes, withOpenssl } from "./connections.ts";
import { copyPrograms, newProject, packageIn, run } from "./project.ts";

const PROGRAMS = ["resume.mjs", "client.mjs", "inline_client.mjs", "page.mjs", "page_inline.mjs"];

let installing: Promise<string> | undefined;
const project = () => installing ??= newProject({ programs: PROGRAMS });

/** The first bytes of a wasm file, in base64. */
const WASM_BASE64 = "AGFzbQ";

const names = async (folder: string) =>
  (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();

/** A bundle for a page: its text, and how to run it. */
async function pageBundle(program: string) {
  const folder = await esbuild(
    await project(),
    program,
    "browser",
    "--format=iife",
    "--minify",
    "--target=es2022",
  );
  await copyPrograms(folder, "run_page.mjs");
  const path = join(folder, "main.mjs");
  const text = await Deno.readTextFile(path);
  const command = (wasm: string) => ["node", "run_page.mjs", path, wasm];
  return { folder, text, command };
}

Deno.test("Node, the wasm file beside the bundle: a client resumes", needs("openssl"), async () => {
  const cwd = await withWasm(
    await project(),
    await esbuild(await project(), "client.mjs", "node"),
  );
  assertEquals(await names(cwd), ["main.mjs", WASM]);
  await clientResumes(() => ["node", "main.mjs"], { cwd });
});

Deno.test("Node, without the wasm file: the error names where it is looked for", {
  ...needs("openssl"),
}, async () => {
  const cwd = await esbuild(await project(), "client.mjs", "node");
  const { success, log } = await withOpenssl((input) =>
    run(["node", "main.mjs", JSON.stringify(input)], { cwd })
  );
  assert(!success);
  assertStringIncludes(log, join(cwd, WASM));
});

Deno.test("Node, the wasm file in the bundle: a client resumes", needs("openssl"), async () => {
  const cwd = await esbuild(await project(), "inline_client.mjs", "node", "--minify");
  assertEquals(await names(cwd), ["main.mjs"]);
  await clientResumes(() => ["node", "main.mjs"], { cwd });
});

Deno.test("a page that gives the module: no engine in the bundle, nothing fetched, it resumes", {
  ...needs("openssl"),
}, async () => {
  const { folder: cwd, text, command } = await pageBundle("page.mjs");
  assertEquals(await names(cwd), ["main.mjs", "run_page.mjs"]);
  for (const part of [WASM_BASE64, WASM, "fetch(", "XMLHttpRequest", "import(", "node:"]) {
    assert(!text.includes(part), part);
  }
  const wasm = join(packageIn(await project()), WASM);
  const said = await clientResumes(() => command(wasm), { cwd });
  assertEquals(JSON.parse(said), { asked: [] });
});

Deno.test("a page that gives no module: the engine is asked for", needs("openssl"), async () => {
  const { folder: cwd, command } = await pageBundle("page.mjs");
  const { stdout } = await withOpenssl((input) =>
    run([...command(""), JSON.stringify(input)], { cwd })
  );
  assertMatch(JSON.parse(stdout).error, /^TypeError: No engine: .*WebAssembly\.Module/);
});

Deno.test("a page with the engine in its bundle: nothing fetched, it resumes", {
  ...needs("openssl"),
}, async () => {
  const { folder: cwd, text, command } = await pageBundle("page_inline.mjs");
  assertEquals(await names(cwd), ["main.mjs", "run_page.mjs"]);
  assertStringIncludes(text, WASM_BASE64);
  for (const part of ["fetch(", "import(", "node:"]) assert(!text.includes(part), part);
  const said = await clientResumes(() => command(""), { cwd });
  assertEquals(JSON.parse(said), { asked: [] });
});

Deno.test("what only registers is not shaken off: each entry, imported for its effect", async () => {
  const folder = await project();
  const manifest = JSON.parse(await Deno.readTextFile(join(packageIn(folder), "package.json")));
  const effects: string[] = manifest.sideEffects;
  for (const file of effects) {
    const name = file.slice(2);
    await Deno.writeTextFile(join(folder, "effect.mjs"), `import "@reprise/tls-file/${name}";\n`);
    const bundled = await esbuild(
      folder,
      "effect.mjs",
      "node",
      `--alias:@reprise/tls-file=${packageIn(folder)}`,
      "--external:*.wasm",
      "--external:*/wasm_deno.js",
      "--external:./wasm_deno.js",
    );
    assertMatch(await Deno.readTextFile(join(bundled, "main.mjs")), /^provideEngine\(/m, name);
  }
});

Deno.test("a store alone brings no engine and no TLS along", async () => {
  const folder = await project();
  const text = `export { memoryStore } from "@reprise/tls/stores/memory";\n`;
  await Deno.writeTextFile(join(folder, "store.mjs"), text);
  const bundled = await esbuild(folder, "store.mjs", "browser", "--minify");
  const { size } = await Deno.stat(join(bundled, "main.mjs"));
  assert(size < 7_000, `${size} bytes`);
});

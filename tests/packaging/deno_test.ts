/**
 * In Deno: by the path of `mod.ts`, by `npm:`, and from `node_modules`; with the permissions that
 * the README states, and no others.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";
import { type ClientInput, clientResumes, serverResumes, withOpenssl } from "./connections.ts";
import { copyPrograms, newFolder, newProject, packed, run, write } from "./project.ts";
import { publishedCopy } from "./published.ts";
import { newDenoProject, startRegistry } from "./registry.ts";

const PROGRAMS = ["resume.mjs", "client.mjs", "server.mjs", "store_client.mjs"];
const DENO = Deno.execPath();

/** No permission is asked for: what is not granted is refused. */
const denoRun = (...args: string[]) => [DENO, "run", "--no-prompt", ...args];

const once = <T>(make: () => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => made ??= make();
};

/** A folder with an import map: each entry is a path in the copy of what is published. */
const byPath = once(async () => {
  const copy = await publishedCopy();
  const folder = await newFolder();
  await copyPrograms(folder, ...PROGRAMS, "api.ts");
  const imports = Object.fromEntries(
    Object.entries(config.exports).map(([name, path]) => [
      `${config.name}${name.slice(1)}`,
      pathToFileURL(join(copy, path)).href,
    ]),
  );
  await write(folder, "deno.json", JSON.stringify({ imports }));
  return { copy, folder };
});

const withNodeModules = once(() => newProject({ programs: [...PROGRAMS, "api.ts"] }));

Deno.test("by path: a client needs --allow-net alone, for its server's name and port", {
  ...needs("openssl"),
}, async () => {
  const { folder: cwd } = await byPath();
  await clientResumes(
    (port) => denoRun(`--allow-net=localhost:${port},127.0.0.1:${port}`, "client.mjs"),
    { cwd },
  );
});

Deno.test("by path: a server needs --allow-net alone", needs("openssl"), async () => {
  const { folder: cwd } = await byPath();
  await serverResumes(denoRun("--allow-net", "server.mjs"), { cwd });
});

Deno.test("by path: without permissions it is imported, and does not connect", async () => {
  const { folder: cwd } = await byPath();
  const input = JSON.stringify({ port: 1, caCerts: [caCert("ec")] });
  const { success, log } = await run(denoRun("client.mjs", input), { cwd });
  assert(!success);
  assertStringIncludes(log, "net access");
});

Deno.test("by path: no import map is needed in the program's own folder", async () => {
  const { copy } = await byPath();
  const cwd = await newFolder();
  const url = pathToFileURL(join(copy, "mod.ts")).href;
  await write(cwd, "main.mjs", `import { Session } from "${url}"; console.log(typeof Session);`);
  const { stdout, log } = await run(denoRun("main.mjs"), { cwd });
  assertEquals(stdout, "function\n", log);
});

for (
  const { kind, name, permissions } of [
    { kind: "kv", name: "Deno KV", permissions: ["--allow-read", "--allow-write"] },
    { kind: "file", name: "files", permissions: ["--allow-read", "--allow-write"] },
  ]
) {
  const command = (place: string, granted: string[]) =>
    denoRun("--unstable-kv", "--allow-net", ...granted, "store_client.mjs", kind, place);

  Deno.test(`by path: a store in ${name} needs to read and write its place`, {
    ...needs("openssl"),
  }, async () => {
    const { folder: cwd } = await byPath();
    const place = join(await newFolder(), "sessions");
    // Deno KV keeps files beside its own: the folder is granted.
    const granted = permissions.map((each) => `${each}=${join(place, "..")}`);
    const said = await clientResumes(() => command(place, granted), { cwd });
    assertEquals(JSON.parse(said), { putsFailed: 0 });
  });

  Deno.test(`by path: a store in ${name} keeps nothing with --allow-net alone`, {
    ...needs("openssl"),
  }, async () => {
    const { folder: cwd } = await byPath();
    const place = join(await newFolder(), "sessions");
    const { success, stdout, log } = await withOpenssl((input: ClientInput) =>
      run([...command(place, []), JSON.stringify(input)], { cwd })
    );
    // A database cannot be opened; a folder that fails costs full handshakes.
    assertEquals(success, kind === "file", log);
    if (success) {
      const { visits, putsFailed } = JSON.parse(stdout);
      assert(!visits[1].reused);
      assert(putsFailed > 0);
    } else assertStringIncludes(log, "NotCapable");
  });
}

Deno.test("npm: a client needs --allow-net alone, and types are there", {
  ...needs("openssl"),
}, async () => {
  await using registry = await startRegistry(await packed());
  const cwd = await newDenoProject(registry);
  await copyPrograms(cwd, ...PROGRAMS, "api.ts");
  const specifier = `npm:${registry.name}`;
  const imports = { "@reprise/tls": specifier, "@reprise/tls/": `npm:/${registry.name}/` };
  await write(
    cwd,
    "deno.json",
    JSON.stringify({ imports, compilerOptions: { exactOptionalPropertyTypes: true } }),
  );
  // A cache of its own: the version that is tested is not the one of another day.
  const env = { DENO_DIR: await newFolder() };
  await clientResumes(
    (port) => denoRun(`--allow-net=localhost:${port},127.0.0.1:${port}`, "client.mjs"),
    { cwd, env },
  );
  const { success, log } = await run([DENO, "check", "api.ts"], { cwd, env });
  assert(success, log);
});

Deno.test("node_modules: both ends need --allow-net alone", needs("openssl"), async () => {
  const cwd = await withNodeModules();
  const permissions = ["--node-modules-dir=manual", "--allow-net"];
  await clientResumes(() => denoRun(...permissions, "client.mjs"), { cwd });
  await serverResumes(denoRun(...permissions, "server.mjs"), { cwd });
});

Deno.test("types: deno check, by path and from node_modules", async () => {
  const { folder } = await byPath();
  for (const cwd of [folder, await withNodeModules()]) {
    const { success, log } = await run([DENO, "check", "api.ts"], { cwd });
    assert(success, log);
  }
});

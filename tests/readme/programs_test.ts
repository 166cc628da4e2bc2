/**
 * Every program in the README runs in the runtime it is for, twice, and the second time resumes:
 * at OpenSSL's server, or with OpenSSL as the client.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BUN, NODE_LTS, npmPackage, npmProgram } from "../npm.ts";
import { Child } from "../peers/child.ts";
import {
  opensslClient,
  type OpensslServer,
  reusedByPage,
  startOpensslServer,
} from "../peers/openssl.ts";
import { bundleAgents, type Bundles } from "../runtimes/bundles.ts";
import { needs } from "../skips.ts";
import { caCert, caPath, clientCert, serverCertPaths } from "../testdata/mod.ts";
import { openInPage } from "./page.ts";
import { changed, program, programs, readme } from "./readme.ts";
import { fetchFromWorker } from "./worker.ts";

Deno.test.sanitizer({ ops: false, resources: false });

const openssl = needs("openssl");
const browser = needs("openssl", "chromium");
const LIMIT_MS = 60_000;
const SOURCES = fileURLToPath(new URL("../..", import.meta.url));

/** The headings whose programs have a test below; under one there are fragments. */
const RUN = [
  "Deno, by hand",
  "From a store",
  "A server",
  "Node and Bun",
  "Workers",
  "Browsers",
];

let bundles: Bundles;
Deno.test.beforeAll(async () => {
  bundles = await bundleAgents([]);
});
Deno.test.afterAll(async () => await bundles?.[Symbol.asyncDispose]());

/** A folder of its own; with the map of imports that a user of the sources has. */
async function folder() {
  const path = await Deno.makeTempDir({ prefix: "reprise-readme-" });
  const { exports } = JSON.parse(await Deno.readTextFile(join(SOURCES, "deno.json")));
  const imports = Object.fromEntries(
    Object.entries<string>(exports).map((
      [name, file],
    ) => [join("@reprise/tls", name), join(SOURCES, file)]),
  );
  await Deno.writeTextFile(join(path, "deno.json"), JSON.stringify({ imports }));
  await Deno.writeTextFile(join(path, "ca.pem"), caCert("ec"));
  return {
    path,
    async write(name: string, code: string) {
      await Deno.writeTextFile(join(path, name), code);
    },
    async run([command, ...args]: string[]): Promise<string> {
      await using child = new Child(command, { args, cwd: path, env: { NO_COLOR: "1" } });
      const { success } = await child.exited(LIMIT_MS);
      assert(success, child.log());
      return child.stdout.text().trim();
    },
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

const DENO = [Deno.execPath(), "run", "-A", "--unstable-kv", "main.ts"];

/** What a client of the README says instead of the server it names. */
const to = (server: OpensslServer, ca: string) => ({
  'hostname: "example.com"': 'hostname: "localhost"',
  "port: 443": `port: ${server.port}, ${ca}`,
});

/** A busy machine's store takes its time; a test waits for it. */
const PATIENT = { "denoKvStore(kv), keys": "denoKvStore(kv), keys, timeout: 10_000" };
const DENO_CA = 'caCerts: [Deno.readTextFileSync("ca.pem")]';
const TELL = "\nconsole.log(conn.sessionReused, conn.sessionMiss);\n";

Deno.test("README: every program is run here", async () => {
  const found = await programs();
  assertEquals([...new Set(found.map(({ heading }) => heading))], RUN);
  const fragments = found.filter(({ heading }, i) => heading === found[i - 1]?.heading);
  assertEquals(fragments.map(({ code }) => code.includes("import")), [false]);
});

Deno.test("README: the list of stores names what there is", async () => {
  const list = (await programs()).filter(({ heading }) => heading === "From a store")[1].code;
  const { exports } = JSON.parse(await Deno.readTextFile(join(SOURCES, "deno.json")));
  const modules = Object.entries<string>(exports)
    .filter(([name]) => name === "." || name.startsWith("./stores/"));
  const names = new Set<string>();
  for (const [, file] of modules) {
    for (const name of Object.keys(await import(join(SOURCES, file)))) names.add(name);
  }
  const named = Array.from(list.matchAll(/store: (\w+)\(/g), ([, name]) => name);
  assertEquals(named.filter((name) => !names.has(name)), []);
  assertEquals(named.length, 8);
});

Deno.test("README: Deno, by hand", openssl, async () => {
  await using server = await startOpensslServer({ www: "www" });
  await using here = await folder();
  const code = changed(await program("Deno, by hand"), to(server, DENO_CA));
  await here.write("main.ts", code + TELL);
  assertEquals(await here.run(DENO), "false null");
  assertEquals(await here.run(DENO), "true null");
});

Deno.test("README: from a store", openssl, async () => {
  await using server = await startOpensslServer({ www: "www" });
  await using here = await folder();
  await Deno.writeFile(join(here.path, "sealing.key"), crypto.getRandomValues(new Uint8Array(32)));
  const code = changed(await program("From a store"), {
    'hostname: "example.com"': 'hostname: "localhost"',
    "port: 443": `port: ${server.port}`,
    "new ClientContext({": `new ClientContext({ ${DENO_CA},`,
    ...PATIENT,
  });
  await here.write("main.ts", `${code}${TELL}await conn.getSession();\n`);
  assertEquals(await here.run(DENO), "false none_stored");
  assertEquals(await here.run(DENO), "true null");
});

Deno.test("README: a server", openssl, async () => {
  await using here = await folder();
  await Deno.writeFile(join(here.path, "sealing.key"), crypto.getRandomValues(new Uint8Array(32)));
  const { cert, key } = serverCertPaths("ec_p256");
  await Deno.copyFile(cert, join(here.path, "server.pem"));
  await Deno.copyFile(key, join(here.path, "server.key.pem"));
  // One that the system gives to nobody else meanwhile: below those that it chooses from.
  const port = 10_000 + Math.floor(Math.random() * 20_000);
  await here.write(
    "main.ts",
    changed(await program("A server"), {
      "port: 8443": `port: ${port}`,
      // Until then the session may be on its way to the store.
      "await conn.close();": 'await conn.close(); await context.settled(); console.log("closed");',
      ...PATIENT,
    }),
  );
  const session = join(here.path, "session.pem");
  for (const [i, sess] of [{ sessOut: session }, { sessIn: session }].entries()) {
    const [command, ...args] = DENO;
    await using child = new Child(command, { args, cwd: here.path, env: { NO_COLOR: "1" } });
    await until(async () => (await Deno.connect({ hostname: "127.0.0.1", port })).close());
    const { reused } = await opensslClient({ port, ...sess });
    assertEquals(reused, i === 1);
    await child.waitForLog(i === 1 ? /^true\nclosed$/m : /^false\nclosed$/m);
  }
});

/** Tries until it works, within bounds. */
async function until(attempt: () => Promise<void>): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

Deno.test("README: the package is installed as it says", async () => {
  const command = /`(npm install [^`]+) \.\/dist\/npm`/.exec(await readme())![1];
  await using here = await folder();
  await here.write("package.json", '{ "private": true }');
  await here.run([...command.split(" "), await npmPackage()]);
  await here.write(
    "main.mjs",
    'import { connectTls } from "@reprise/tls"; console.log(connectTls.name);',
  );
  assertEquals(await here.run(["node", "main.mjs"]), "connectTls");
});

const NODES: Record<string, () => Promise<string>> = {
  Node: () => Promise.resolve("node"),
  "Node LTS": () => npmProgram(NODE_LTS, "node"),
  Bun: () => npmProgram(BUN, "bun"),
};

for (const [name, command] of Object.entries(NODES)) {
  Deno.test(`README: ${name}`, openssl, async () => {
    await using server = await startOpensslServer({ www: "www" });
    await using here = await folder();
    await Deno.symlink(join(bundles.folder, "node_modules"), join(here.path, "node_modules"));
    const code = await program("Node and Bun");
    const ca = 'caCerts: [await readFile("ca.pem", "utf8")]';
    await here.write("main.mjs", changed(code, to(server, ca)));
    assertEquals(await here.run([await command(), "main.mjs"]), "false null");
    assertEquals(await here.run([await command(), "main.mjs"]), "true null");
    assertEquals(Deno.statSync(join(here.path, "session.bin")).mode! & 0o777, 0o600);
  });
}

Deno.test("README: `await using` as it says for Node 24", openssl, async () => {
  await using server = await startOpensslServer({ www: "www" });
  await using here = await folder();
  await Deno.symlink(join(bundles.folder, "node_modules"), join(here.path, "node_modules"));
  const code = await program("Node and Bun");
  assertMatch(code, /from Node 24 on: await using conn = …/);
  const start = changed(code.slice(0, code.indexOf("try {")), {
    ...to(server, 'caCerts: [await readFile("ca.pem", "utf8")]'),
    "const conn =": "await using conn =",
  });
  await here.write("main.mjs", start + TELL);
  assertEquals(await here.run([await npmProgram(NODE_LTS, "node"), "main.mjs"]), "false null");
});

Deno.test("README: Workers", openssl, async () => {
  await using server = await startOpensslServer({ www: "www", clientAuth: true });
  const code = changed(await program("Workers"), {
    'hostname: "example.com"': 'hostname: "localhost"',
    "port: 443": `port: ${server.port}`,
  });
  const { cert, key } = clientCert("ec");
  const bindings = {
    CA: caCert("ec"),
    CLIENT_CERT: cert,
    CLIENT_KEY: key,
    SECRET: crypto.randomUUID(),
  };
  const answers = await fetchFromWorker(bundles.folder, code, bindings, 2);
  const seen = answers.map(({ resumed, page }) => [resumed, reusedByPage(page as string)]);
  assertEquals(seen, [[false, false], [true, true]]);
});

Deno.test("README: browsers", browser, async () => {
  await using server = await startOpensslServer({ www: "www" });
  const code = changed(await program("Browsers"), {
    'hostname: "example.com", port: 443': 'hostname: "localhost", port: 443',
    '"wss://tunnel.example/"': "globalThis.tunnel",
  });
  const seen = await openInPage(bundles.folder, code, server.port, caPath("ec"));
  assertEquals(seen, [[false, "none_stored"], [true, null]]);
});

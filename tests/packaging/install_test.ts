/**
 * Installed into an empty project, by Node and Bun: both ends of real connections, the classes of
 * its entries, and that nothing happens before the first connection or beyond it.
 */

import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { BUN, NODE_LTS, npmProgram } from "../npm.ts";
import { needs } from "../skips.ts";
import { clientResumes, serverResumes } from "./connections.ts";
import { newProject, run } from "./project.ts";

const PROGRAMS = [
  "resume.mjs",
  "client.mjs",
  "server.mjs",
  "guarded_client.mjs",
  "same_classes.mjs",
];

let installing: Promise<string> | undefined;
const project = () => installing ??= newProject({ programs: PROGRAMS });

const RUNTIMES: Record<string, () => Promise<string>> = {
  "Node of this machine": () => Promise.resolve("node"),
  "Node LTS": () => npmProgram(NODE_LTS, "node"),
  Bun: () => npmProgram(BUN, "bun"),
};

for (const [name, program] of Object.entries(RUNTIMES)) {
  Deno.test(`${name}: a client resumes at OpenSSL`, needs("openssl"), async () => {
    const [cwd, command] = [await project(), await program()];
    await clientResumes(() => [command, "client.mjs"], { cwd });
  });

  Deno.test(`${name}: OpenSSL's client resumes at a server`, needs("openssl"), async () => {
    const [cwd, command] = [await project(), await program()];
    await serverResumes([command, "server.mjs"], { cwd });
  });

  Deno.test(
    `${name}: importing reads and compiles nothing, and nothing is fetched`,
    needs("openssl"),
    async () => {
      const [cwd, command] = [await project(), await program()];
      const said = await clientResumes(() => [command, "guarded_client.mjs"], { cwd });
      assertEquals(JSON.parse(said), {
        byImport: { compiled: 0, read: 0 },
        // A module, and an instance of it. What Bun reads cannot be watched from within.
        byConnecting: { compiled: 2, read: name === "Bun" ? 0 : 1 },
        elsewhere: [],
        asked: 1,
      });
    },
  );

  Deno.test(`${name}: all entries have the same classes`, async () => {
    const [cwd, command] = [await project(), await program()];
    const { success, log } = await run([command, "same_classes.mjs"], { cwd });
    assertEquals({ success, log }, { success: true, log: "" });
  });
}

Deno.test(
  "Node LTS: a client needs to read the project, and nothing else",
  needs("openssl"),
  async () => {
    const [cwd, command] = [await project(), await npmProgram(NODE_LTS, "node")];
    const permissions = ["--permission", `--allow-fs-read=${join(cwd, "*")}`];
    await clientResumes(() => [command, ...permissions, "client.mjs"], { cwd });
  },
);

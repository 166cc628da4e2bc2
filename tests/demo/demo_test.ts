/**
 * The demo does what the README says of it, run as a reader runs it.
 *
 * Rule: each run has an empty folder for its temporary files, which is empty again afterwards.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { Child } from "../peers/child.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { startSilentServer } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { caPath } from "../testdata/mod.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TIMEOUT_MS = 60_000;
/** Rows of the table: handshake, process, sent, received, round trips, session's bytes. */
const ROW =
  /^(?:TLS 1\.[23])? +(full|resumed) +(\d+) +(\d+) +([\d,]+) +(\d) +[\d.]+ +([\d,]+) bytes (?:kept|taken)/gm;

interface Run {
  code: number;
  output: string;
  rows: { handshake: string; pid: number; sent: number; received: number; session: number }[];
}

/** Starts a program of Deno in the repository, with a folder for temporary files. */
function start(args: string[], temporary: string, cwd = ROOT): Child {
  // `deno task` sets INIT_CWD unless it is set, as it is if the tests run by a task themselves.
  const env = { NO_COLOR: "1", TMPDIR: temporary, INIT_CWD: cwd };
  return new Child(Deno.execPath(), { args, cwd, env });
}

async function demo(args: string[], cwd?: string): Promise<Run> {
  const temporary = await Deno.makeTempDir();
  try {
    await using child = start(["task", "demo", ...args], temporary, cwd);
    const { code } = await child.exited(TIMEOUT_MS);
    const output = child.log();
    assertEquals(await Array.fromAsync(Deno.readDir(temporary)), [], "it leaves nothing behind");
    const number = (text: string) => Number(text.replaceAll(",", ""));
    const rows = Array.from(output.matchAll(ROW), ([, handshake, ...numbers]) => {
      const [pid, sent, received, , session] = numbers.map(number);
      return { handshake, pid, sent, received, session };
    });
    return { code, output, rows };
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

const handshakes = ({ rows }: Run) => rows.map(({ handshake }) => handshake);

Deno.test("the demo resumes in a new process, on TLS 1.3 and 1.2", async () => {
  const run = await demo([]);
  assertEquals(run.code, 0, run.output);
  assertEquals(handshakes(run), ["full", "resumed", "full", "resumed"], run.output);
  assertEquals(new Set(run.rows.map(({ pid }) => pid)).size, 4, "each in its own process");
  for (const [full, resumed] of [run.rows.slice(0, 2), run.rows.slice(2)]) {
    assertEquals(full.session, resumed.session);
    assert(resumed.received < full.received / 2, run.output);
  }
});

Deno.test("the demo's server ends with it", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const { output } = await demo([]);
  const [, pid] = output.match(/process (\d+)/)!;
  assertEquals(await Deno.lstat(`/proc/${pid}`).catch(() => null), null);
});

Deno.test("the demo resumes at a server of the user's", needs("openssl"), async () => {
  await using server = await startOpensslServer({ www: "www" });
  const run = await demo([`localhost:${server.port}`, "--ca", caPath("ec")]);
  assertEquals(run.code, 0, run.output);
  assertEquals(handshakes(run), ["full", "resumed", "full", "resumed"], run.output);
});

Deno.test("the demo takes --ca from the folder it is started in", needs("openssl"), async () => {
  await using server = await startOpensslServer({ www: "www" });
  const folder = fileURLToPath(new URL("../testdata/ca", import.meta.url));
  const run = await demo(["--ca", "ec.pem", `127.0.0.1:${server.port}`], folder);
  assertEquals(run.code, 0, run.output);
});

Deno.test("one version is enough at a server of the user's", needs("openssl"), async () => {
  await using server = await startOpensslServer({ www: "www", version: "TLSv1.2" });
  const run = await demo([`localhost:${server.port}`, "--ca", caPath("ec")]);
  assertEquals(run.code, 0, run.output);
  assertEquals(handshakes(run), ["full", "resumed"], run.output);
  assertMatch(run.output, /^TLS 1\.3 failed: ERR_TLS_ALERT_RECEIVED \(protocol_version\)/m);
});

Deno.test("the demo says that no session came", needs("openssl"), async () => {
  const args = ["-no_ticket", "-no_cache"];
  await using server = await startOpensslServer({ www: "www", numTickets: 0, args });
  const { code, output } = await demo([`localhost:${server.port}`, "--ca", caPath("ec")]);
  assertEquals(code, 1, output);
  assertMatch(output, /^TLS 1\.3 was not resumed: no ticket came/m);
  assertMatch(output, /^TLS 1\.2 was not resumed: no ticket came/m);
});

Deno.test("the demo says that the server declined", needs("openssl"), async () => {
  // It keeps sessions of TLS 1.3 on its side, and forgets them.
  const args = ["-no_ticket", "-no_cache"];
  await using server = await startOpensslServer({ www: "www", version: "TLSv1.3", args });
  const { code, output } = await demo([`localhost:${server.port}`, "--ca", caPath("ec")]);
  assertEquals(code, 1, output);
  assertMatch(output, /^TLS 1\.3 was not resumed: declined_by_peer/m);
});

Deno.test("the demo says why it came to no connection", needs("openssl"), async () => {
  await using server = await startOpensslServer({ www: "www" });
  const { code, output } = await demo([`localhost:${server.port}`]);
  assertEquals(code, 1, output);
  assertMatch(output, /^TLS 1\.3 failed: ERR_TLS_CERT_UNKNOWN_ISSUER/m);
  assertMatch(output, /^TLS 1\.2 failed: ERR_TLS_CERT_UNKNOWN_ISSUER/m);
});

Deno.test("the demo says that nobody listens", async () => {
  const { code, output } = await demo(["localhost:1"]);
  assertEquals(code, 1, output);
  assertMatch(output, /^TLS 1\.3 failed: ConnectionRefused/m);
});

for (const args of [["localhost"], ["localhost:0"], ["--ca"], ["a:1", "b:2"], ["--what"]]) {
  Deno.test(`the demo tells its usage for: ${args.join(" ")}`, async () => {
    const { code, output } = await demo(args);
    assertEquals(code, 2, output);
    assertStringIncludes(output, "usage: deno task demo");
  });
}

Deno.test("the demo can be interrupted", { ignore: Deno.build.os === "windows" }, async () => {
  const temporary = await Deno.makeTempDir();
  await using server = startSilentServer();
  const address = `127.0.0.1:${server.port}`;
  const args = ["run", "-A", "--unstable-kv", "demo/demo.ts", address];
  await using child = start(args, temporary);
  while (server.accepted() === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  Deno.kill(child.pid, "SIGINT");
  const { code } = await child.exited(TIMEOUT_MS);
  assertEquals(code, 130, child.log());
  assertEquals(await Array.fromAsync(Deno.readDir(temporary)), []);
  await Deno.remove(temporary);
});

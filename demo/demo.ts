/**
 * The demo: a TLS session that outlives its process.
 *
 * One process connects, keeps the session's bytes in a Deno KV file and ends. The next one starts
 * anew, takes them from there and resumes. `deno task demo` does it with a server that it starts,
 * `deno task demo HOST:PORT` with any other.
 *
 * Rules: the server is not of Reprise. Numbers are those of this run. Nothing is left behind. The
 * exit code is 0 if sessions were resumed, 1 if not, 2 if the command line is wrong.
 *
 * @module
 */
// deno-lint-ignore-file no-console

import { join, resolve } from "node:path";
import type { ProtocolVersion } from "../mod.ts";
import type { ClientInput } from "./client.ts";
import { runClient, startServer } from "./processes.ts";
import { isResumed, reason, report, type Row } from "./report.ts";

const USAGE = `usage: deno task demo                         with a server of its own
       deno task demo HOST:PORT [--ca FILE]   with yours; FILE: roots in PEM, else Mozilla's`;
const LEGEND = `sent, received: bytes of TCP until the handshake was complete
ms: the handshake, the first of its process: the start of the engine is part of it`;
const PROTOCOLS: ProtocolVersion[] = ["TLSv1.3", "TLSv1.2"];

/** A mistake on the command line. */
class UsageError extends Error {}

/** The server to talk to. */
type Target = Pick<ClientInput, "hostname" | "port" | "caCerts">;

/** What the command line asks for. */
interface Wanted {
  /** HOST:PORT, as it was given. */
  address: string;
  target: Target;
}

/** Reads the command line. `undefined`: a server of the demo's own. */
function parse(args: readonly string[]): Wanted | undefined {
  const rest = [...args];
  const at = rest.indexOf("--ca");
  const [, file] = at < 0 ? [] : rest.splice(at, 2);
  const [address, ...more] = rest;
  const unexpected = rest.find((arg) => arg.startsWith("-")) ?? more[0];
  if (unexpected !== undefined) throw new UsageError(`Unexpected: ${unexpected}`);
  if (address === undefined) {
    if (at >= 0) throw new UsageError("--ca is for a server of yours");
    return undefined;
  }
  const match = /^(\[[\da-f:.]+\]|[^:/?#@[\]\s]+):(\d{1,5})$/i.exec(address);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535) {
    throw new UsageError(`Not HOST:PORT: ${address}`);
  }
  const hostname = match[1].replace(/^\[(.*)\]$/, "$1");
  return { address, target: { hostname, port, caCerts: at < 0 ? undefined : [readRoots(file)] } };
}

function readRoots(file: string | undefined): string {
  if (file === undefined) throw new UsageError("--ca needs a file");
  try {
    // A task runs in the folder of deno.json, whatever folder it was started in.
    return Deno.readTextFileSync(resolve(Deno.env.get("INIT_CWD") ?? ".", file));
  } catch (error) {
    throw new UsageError(`--ca ${file}: ${(error as Error).message}`);
  }
}

function testdata(name: string): Promise<string> {
  return Deno.readTextFile(new URL(`../tests/testdata/${name}`, import.meta.url));
}

/** A full handshake and a resumed one, each in its process; one row if there is no session. */
async function tryProtocol(
  protocol: ProtocolVersion,
  target: Target,
  kv: string,
  signal: AbortSignal,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const task of ["keep", "resume"] as const) {
    const { pid, answer } = await runClient({ task, protocol, kv, ...target }, signal);
    rows.push({ protocol, task, pid, answer });
    if ("failure" in answer || answer.report.notKept !== undefined) break;
  }
  return rows;
}

/** Runs the demo; returns the exit code. */
async function demo(wanted: Wanted | undefined, signal: AbortSignal): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "reprise-demo-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));

  let target: Target;
  if (wanted === undefined) {
    const cert = await testdata("server/ec_p256.pem");
    const key = await testdata("server/ec_p256.key.pem");
    const { pid, port } = stack.use(await startServer({ cert, key }, signal));
    target = { hostname: "localhost", port, caCerts: [await testdata("ca/ec.pem")] };
    console.log(`Server: Deno's own TLS (not Reprise), process ${pid}, localhost:${port}.`);
  } else {
    target = wanted.target;
    console.log(`Server: ${wanted.address}.`);
  }
  console.log("Each row is a process. From one to the next go only the bytes in Deno KV.\n");

  const tried: Row[][] = [];
  for (const protocol of PROTOCOLS) {
    tried.push(await tryProtocol(protocol, target, join(folder, "sessions.sqlite"), signal));
  }
  console.log(report(tried.flat()));
  if (tried.flat().some(({ answer }) => "report" in answer)) console.log(`\n${LEGEND}`);

  const missed = tried.map((rows) => rows.at(-1)!).filter((row) => !isResumed(row));
  if (missed.length > 0) console.log(`\n${missed.map(reason).join("\n")}`);
  // A server of the user's may speak one version only; the demo's own speaks both.
  const allowed = wanted === undefined ? 0 : PROTOCOLS.length - 1;
  return missed.length > allowed ? 1 : 0;
}

const stop = new AbortController();
const interrupt = () => stop.abort(new DOMException("Interrupted", "AbortError"));
Deno.addSignalListener("SIGINT", interrupt);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", interrupt);
let code: number;
try {
  code = await demo(parse(Deno.args), stop.signal);
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${USAGE}`);
    code = 2;
  } else if (stop.signal.aborted) code = 130;
  else throw error;
}
Deno.exit(code);

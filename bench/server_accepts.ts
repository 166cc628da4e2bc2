/**
 * Connections a second that a server accepts, on loopback: full and resumed, beside `node:tls`.
 *
 * Rules:
 * - Each server is a process of its own, and so are the clients: Go's crypto/tls, 8 connections at
 *   a time (`accepts/load`), the same for all servers. On two cores neither waits for the other.
 * - A connection is TCP, handshake, a byte to the server and back, close_notify of both.
 * - Resumed means that the client says so, of each one. Stateful: a store in memory; each TLS 1.3
 *   ticket is taken once, and two new ones are sealed and put for each connection.
 * - On TLS 1.2 Go's client knows no session ids: a stateful server sends it the id as a ticket.
 * - CPU time is the server's.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "../tests/peers/child.ts";
import { haveGo } from "../tests/peers/go.ts";
import type { TlsVersion } from "../tests/peers/openssl.ts";
import { caPath, serverCertPaths } from "../tests/testdata/mod.ts";
import { Answering } from "./accepts/process.ts";
import type { Comparison } from "./report.ts";
import { interleave, type Sample, type Subject } from "./rounds.ts";

/** Options of {@linkcode serverAccepts}. */
export interface AcceptOptions {
  version: TlsVersion;
  rounds: number;
  /** So many of each subject in each round. */
  handshakes: number;
}

/** What the clients say of an order. */
interface Load {
  seconds: number;
  resumed: number;
  cipher: string;
}

const BUILD_TIMEOUT_MS = 300_000;
const WORKERS = 8;

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

async function buildLoad(folder: string): Promise<string> {
  const program = join(folder, "load");
  await using go = new Child("go", {
    args: ["build", "-trimpath", "-o", program, "."],
    cwd: here("accepts/load"),
    env: { CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOFLAGS: "-buildvcs=false" },
  });
  const { success } = await go.exited(BUILD_TIMEOUT_MS);
  if (!success) throw new Error(`go build failed\n${go.log()}`);
  return program;
}

/** A server that listens. */
interface Server extends AsyncDisposable {
  name: string;
  port: number;
  process: Answering;
}

async function start(name: string, command: string, args: string[]): Promise<Server> {
  const { cert, key } = serverCertPaths("ec_p256");
  const [script, ...more] = args;
  const process = new Answering(command, [...script.split(" "), cert, key, ...more]);
  const { port } = await process.line<{ port: number }>();
  return { name, port, process, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

/** Measures Reprise beside the servers of `node:tls`, Deno's and Node's. */
export async function serverAccepts(options: AcceptOptions): Promise<Comparison> {
  if (!haveGo()) throw new Error("Go 1.23 or newer is not there");
  const { version, rounds, handshakes } = options;
  const folder = await Deno.makeTempDir({ prefix: "bench-" });
  try {
    await using stack = new AsyncDisposableStack();
    const own = async <T extends AsyncDisposable>(one: Promise<T>) => stack.use(await one);
    const load = stack.use(new Answering(await buildLoad(folder), [caPath("ec")]));
    const reprise = `run --quiet -A ${here("accepts/reprise.ts")}`;
    const node = here("accepts/node_tls.js");
    const deno = Deno.execPath();
    const servers = [
      await own(start("Reprise stateful", deno, [reprise, "stateful"])),
      await own(start("Reprise tickets", deno, [reprise, "tickets"])),
      await own(start("node:tls of Deno", deno, [`run --quiet -A ${node}`])),
      await own(start("node:tls of Node", "node", [node])),
    ];

    const ciphers = new Map<string, string>();
    const measure = async (server: Server, resume: boolean): Promise<Sample> => {
      const before = await server.process.ask<{ cpu: number }>("cpu");
      const order = { port: server.port, version, connections: handshakes, workers: WORKERS };
      const { seconds, resumed, cipher } = await load.ask<Load>({ ...order, resume });
      const after = await server.process.ask<{ cpu: number }>("cpu");
      if (resumed !== (resume ? handshakes : 0)) {
        throw new Error(`${server.name}: ${resumed} of ${handshakes} connections were resumed`);
      }
      ciphers.set(server.name, cipher);
      return { rate: handshakes / seconds, cpu: (after.cpu - before.cpu) / handshakes };
    };
    const subjects: Subject[] = [];
    for (const server of servers) {
      subjects.push({ name: `${server.name} full`, measure: () => measure(server, false) });
      if (!await resumes(load, server.port, version)) continue;
      subjects.push({ name: `${server.name} resumed`, measure: () => measure(server, true) });
    }
    const measured = await interleave(subjects, rounds);

    const names = subjects.map(({ name }) => name);
    const [ours, others] = [names.filter(isOurs), names.filter((name) => !isOurs(name))];
    const sameKind = (a: string, b: string) => a.endsWith("full") === b.endsWith("full");
    return {
      title: `${version} accepts, P-256 certificate`,
      unit: "accept",
      digits: 0,
      measured,
      ratios: ours.flatMap((over) =>
        others.filter((under) => sameKind(over, under)).map((under) => ({ over, under }))
      ),
      notes: [
        `${handshakes} in each of ${rounds} rounds, ${WORKERS} at a time, by Go's crypto/tls`,
        Array.from(ciphers, ([name, cipher]) => `${name}: ${cipher}`).join(", "),
        ...servers.filter(({ name }) => !names.includes(`${name} resumed`))
          .map(({ name }) => `${name} does not resume with this client`),
      ],
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function isOurs(name: string): boolean {
  return name.startsWith("Reprise");
}

/** Whether a server resumes at all, with this client. */
async function resumes(load: Answering, port: number, version: TlsVersion): Promise<boolean> {
  const order = { port, version, connections: 3, workers: 1, resume: true };
  return (await load.ask<Load>(order)).resumed === 3;
}

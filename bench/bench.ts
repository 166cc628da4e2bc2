/**
 * Benchmarks, all on loopback: `deno task bench [NAME ...] [options]`.
 *
 * Without a name it runs all but `stores`, which takes many minutes. The options say how much, not
 * how: what is compared with what, and by which rules, is in the file of each benchmark.
 */
// deno-lint-ignore-file no-console
import { parseArgs } from "node:util";
import { haveOpenssl } from "../tests/peers/openssl.ts";
import { clientDownload } from "./client_download.ts";
import { clientHandshakes } from "./client_handshakes.ts";
import { machine } from "./machine.ts";
import { type Comparison, json, text } from "./report.ts";
import { serverAccepts } from "./server_accepts.ts";
import { stores } from "./stores.ts";

const USAGE = `deno task bench [NAME ...] [options]

  handshakes          full and resumed, TLS 1.3 and 1.2, beside Deno.connectTls and node:tls
  download            MB/s of one connection, beside the same
  accepts             a server's, full and resumed, beside node:tls of Deno and of Node (needs Go)
  stores              put, peek and take, and how they grow with what is stored (by name only)

  --rounds N          rounds that count, of each comparison (7)
  --handshakes N      handshakes of each subject in each round (100)
  --mib N             size of the download (64)
  --sessions N        the most in a store (1000000)
  --json              one JSON document instead of tables`;

interface Amounts {
  rounds: number;
  handshakes: number;
  mib: number;
  sessions: number;
}

/** What a benchmark found. */
interface Report {
  text(): string;
  json(): unknown;
}

async function reported(comparison: Promise<Comparison>): Promise<Report> {
  const found = await comparison;
  return { text: () => text(found), json: () => json(found) };
}

/** By name; each makes its comparisons one after the other. */
const BENCHMARKS: Record<string, ((amounts: Amounts) => Promise<Report>)[]> = {
  handshakes: [
    (amounts) => reported(clientHandshakes({ ...amounts, version: "TLSv1.3" })),
    (amounts) => reported(clientHandshakes({ ...amounts, version: "TLSv1.2" })),
  ],
  download: [
    (amounts) => reported(clientDownload({ ...amounts, version: "TLSv1.3" })),
    (amounts) => reported(clientDownload({ ...amounts, version: "TLSv1.2" })),
  ],
  accepts: [
    (amounts) => reported(serverAccepts({ ...amounts, version: "TLSv1.3" })),
    (amounts) => reported(serverAccepts({ ...amounts, version: "TLSv1.2" })),
  ],
  stores: [stores],
};

function usage(problem?: string): never {
  console.error(problem === undefined ? USAGE : `${problem}\n\n${USAGE}`);
  Deno.exit(problem === undefined ? 0 : 2);
}

function amount(name: string, value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) usage(`--${name} takes a number from 1 up`);
  return number;
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        rounds: { type: "string", default: "7" },
        handshakes: { type: "string", default: "100" },
        mib: { type: "string", default: "64" },
        sessions: { type: "string", default: "1000000" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    return usage((error as Error).message);
  }
}

const { values, positionals } = parse(Deno.args);
if (values.help) usage();
const USUAL = Object.keys(BENCHMARKS).filter((name) => name !== "stores");
const names = positionals.length > 0 ? positionals : USUAL;
for (const name of names) {
  if (!Object.hasOwn(BENCHMARKS, name)) usage(`There is no benchmark "${name}"`);
}
const amounts = {
  rounds: amount("rounds", values.rounds),
  handshakes: amount("handshakes", values.handshakes),
  mib: amount("mib", values.mib),
  sessions: amount("sessions", values.sessions),
};
if (!haveOpenssl()) usage("OpenSSL 3.0 or newer is not there");

const where = machine();
if (!values.json) {
  console.log(
    `${where.cpu}, ${where.cores} cores, load ${where.load.toFixed(1)}; ${where.system}; ` +
      `Deno ${where.deno}; OpenSSL ${where.openssl}`,
  );
}
const comparisons: unknown[] = [];
for (const benchmark of names.flatMap((name) => BENCHMARKS[name])) {
  const report = await benchmark(amounts);
  if (values.json) comparisons.push(report.json());
  else console.log(`\n${report.text()}`);
}
if (values.json) console.log(JSON.stringify({ machine: where, comparisons }, null, 2));

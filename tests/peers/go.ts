/**
 * Go's crypto/tls as the other side, from the small programs in `go/`.
 *
 * Rules:
 * - They are built once a process, into a temporary folder that goes away with the process. The first
 *   build on a machine compiles the standard library: allow minutes.
 * - A client run is one connection; its session lives in a file, so that the next run, a new process,
 *   can offer it.
 * - A failed handshake is a result (`error`), not an exception.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { caPath, type CertPaths, serverCertPaths } from "../testdata/mod.ts";
import { Child, DEFAULT_TIMEOUT_MS, programVersion } from "./child.ts";
import type { TlsVersion } from "./openssl.ts";

const BUILD_TIMEOUT_MS = 300_000;
const VERSION_FLAG = { "TLSv1.2": "12", "TLSv1.3": "13" } as const;

let present: boolean | undefined;
let built: Promise<GoPeers> | undefined;

/** Whether Go 1.23 or newer is on the path. */
export function haveGo(): boolean {
  const version = () => Number(programVersion("go", ["version"])?.match(/go1\.(\d+)/)?.[1] ?? 0);
  present ??= version() >= 23;
  return present;
}

export interface GoClientOptions {
  port: number;
  version?: TlsVersion;
  serverName?: string;
  /** File of trusted roots. Default: EC and RSA. */
  caFile?: string;
  /** File to resume from, if it is there, and to save the newest ticket to. */
  session?: string;
  /** A client certificate, as paths. */
  cert?: CertPaths;
  alpn?: string[];
  /** What to write after the handshake. */
  send?: string;
  /** Stop once this has been read, and a ticket has come if `session` is given. Else at the end. */
  until?: string;
  timeout?: number;
}

export interface GoClientReport {
  resumed: boolean;
  /** `TLS 1.2` or `TLS 1.3`. */
  version: string;
  cipher: string;
  alpn: string;
  /** Whether the file held a session to offer. */
  offered: boolean;
  /** Whether a ticket was written to the file. */
  saved: boolean;
  body: string;
  error?: string;
}

export interface GoServerOptions {
  /** Paths. Default: `ec_p256`. */
  cert?: CertPaths;
  version?: TlsVersion;
  alpn?: string[];
  /** Demand a client certificate under the EC or RSA root. */
  clientAuth?: boolean;
  /** 32 bytes in hex. Servers with the same key resume each other's sessions. */
  ticketKey?: string;
}

/** What the Go server saw of a connection: the body of its answer. */
export interface GoServerReport {
  resumed: boolean;
  version: string;
  cipher: string;
  alpn: string;
  serverName: string;
  /** The subject of the client's certificate, or "". */
  client: string;
}

export interface GoServer extends AsyncDisposable {
  port: number;
  pid: number;
  log(): string;
}

export interface GoPeers {
  connect(options: GoClientOptions): Promise<GoClientReport>;
  /** Answers a line or an HTTP request with an HTTP/1.0 response: see `goServerReport`. */
  listen(options?: GoServerOptions): Promise<GoServer>;
}

/** Reads the answer of the Go server. */
export function goServerReport(response: string): GoServerReport {
  return JSON.parse(response.slice(response.indexOf("\r\n\r\n") + 4));
}

/** Builds client and server, or returns those of this process. */
export function buildGoPeers(): Promise<GoPeers> {
  built ??= build();
  return built;
}

async function build(): Promise<GoPeers> {
  const folder = await Deno.makeTempDir({ prefix: "reprise-go-" });
  addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  await using go = new Child("go", {
    args: ["build", "-trimpath", "-o", `${folder}/`, "./..."],
    cwd: fileURLToPath(new URL("./go", import.meta.url)),
    env: { CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOFLAGS: "-buildvcs=false" },
  });
  const { success } = await go.exited(BUILD_TIMEOUT_MS);
  if (!success) throw new Error(`go build failed\n${go.log()}`);
  return {
    connect: (options) => connect(`${folder}/client`, options),
    listen: (options = {}) => listen(`${folder}/server`, options),
  };
}

async function connect(program: string, options: GoClientOptions): Promise<GoClientReport> {
  const { port, version, serverName, session, cert, alpn, send, until } = options;
  const { caFile = caPath("ec_and_rsa"), timeout = DEFAULT_TIMEOUT_MS } = options;
  const args = ["-addr", `127.0.0.1:${port}`, "-ca", caFile, "-timeout", `${timeout}ms`];
  if (version) args.push("-version", VERSION_FLAG[version]);
  if (serverName) args.push("-servername", serverName);
  if (session) args.push("-session", session);
  if (cert) args.push("-cert", cert.cert, "-key", cert.key);
  if (alpn) args.push("-alpn", alpn.join(","));
  if (send) args.push("-send", send);
  if (until) args.push("-until", until);
  await using child = new Child(program, { args });
  // It keeps the limit itself, and reports; this one is for the case that it does not.
  const { code } = await child.exited(timeout + DEFAULT_TIMEOUT_MS);
  if (code !== 0) throw new Error(`the Go client ended with ${code}\n${child.log()}`);
  return JSON.parse(child.stdout.text());
}

async function listen(program: string, options: GoServerOptions): Promise<GoServer> {
  const { cert = serverCertPaths("ec_p256"), version, alpn, clientAuth, ticketKey } = options;
  const args = ["-cert", cert.cert, "-key", cert.key];
  if (version) args.push("-version", VERSION_FLAG[version]);
  if (alpn) args.push("-alpn", alpn.join(","));
  if (clientAuth) args.push("-client-ca", caPath("ec_and_rsa"));
  if (ticketKey) args.push("-ticket-key", ticketKey);
  const child = new Child(program, { args, stdin: "piped" });
  try {
    const [, port] = await child.waitForLog(/^LISTENING (\d+)$/m);
    return {
      port: Number(port),
      pid: child.pid,
      log: () => child.log(),
      [Symbol.asyncDispose]: () => child.stop(),
    };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

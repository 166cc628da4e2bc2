/**
 * OpenSSL as the other side: `s_server` for client tests, `s_client` for server tests.
 *
 * Rules:
 * - `s_server` serves one connection after the other. While one is open, the next one waits: close
 *   what you opened, or start a second server.
 * - The page of `www` is the ground truth of resumption: see `reusedByPage`. After it the server sends
 *   close_notify, and waits for the client to close.
 * - Without `www` and `rev` the server prints what it receives into `log()`, and `write` sends. Its
 *   commands work there: a write that begins with `k` or `K` makes a KeyUpdate, `q` ends the
 *   connection and `Q` the server, both without close_notify. Text that shall arrive must not begin
 *   with one of `bBcfikKPqQrRsS`.
 * - Early data needs that plain mode: OpenSSL refuses it with `www` and `rev`.
 * - Application data is printed at once, and remarks are buffered: their order in a log says nothing.
 *
 * @module
 */

import { caPath, type CertPaths, type ServerCertName, serverCertPaths } from "../testdata/mod.ts";
import { Child, DEFAULT_TIMEOUT_MS, programVersion, settledWithin } from "./child.ts";

export type TlsVersion = "TLSv1.2" | "TLSv1.3";

const VERSION_FLAG = { "TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3" } as const;
const CERT_ALIAS = { ec: "ec_p256", rsa: "rsa_2048" } as const;

let present: boolean | undefined;

/** Whether OpenSSL 3.0 or newer is on the path. LibreSSL is not. */
export function haveOpenssl(): boolean {
  present ??= /^OpenSSL ([3-9]|\d\d)\./.test(programVersion("openssl", ["version"]) ?? "");
  return present;
}

export interface OpensslServerOptions {
  /** Only this version. Else both. */
  version?: TlsVersion;
  /** A certificate of testdata, or paths. `ec` (the default) is `ec_p256`, `rsa` is `rsa_2048`. */
  cert?: ServerCertName | keyof typeof CERT_ALIAS | CertPaths;
  /** `www`: a status page for every GET. `WWW`: files of `cwd`. Neither: plain, see above. */
  www?: "www" | "WWW";
  /** Sends back each line reversed. `CLOSE` on a line of its own ends the connection. */
  rev?: boolean;
  /** `true` demands a client certificate under the EC or RSA root, `optional` asks for one. */
  clientAuth?: boolean | "optional";
  /** TLS 1.3 suites, colon-separated. */
  ciphersuites?: string;
  /** TLS 1.2 suites in OpenSSL's names, colon-separated. */
  ciphers?: string;
  groups?: string;
  alpn?: string[];
  /** Accept early data, of this many bytes (16384 if `true`). Plain mode only. */
  earlyData?: boolean | number;
  /** Tickets sent after a TLS 1.3 handshake. Its default is 2. */
  numTickets?: number;
  /** Its working directory: what `WWW` serves. */
  cwd?: string;
  /** Whatever else `s_server` takes, e.g. `-no_ticket`, `-CRL`, `-naccept`. */
  args?: string[];
}

export interface OpensslServer extends AsyncDisposable {
  port: number;
  pid: number;
  /** stdout with the application data received, then stderr. */
  log(): string;
  waitForLog(pattern: RegExp, timeout?: number): Promise<RegExpMatchArray>;
  /** Types on its terminal; plain mode only. */
  write(text: string): Promise<void>;
}

export async function startOpensslServer(
  options: OpensslServerOptions = {},
): Promise<OpensslServer> {
  const { www, rev, earlyData } = options;
  if (earlyData && (www || rev)) {
    throw new TypeError("earlyData needs the plain mode: leave out www and rev");
  }
  const interactive = !www && !rev;
  const child = new Child("openssl", {
    args: serverArgs(options),
    cwd: options.cwd,
    // At the end of its stdin a plain server ends the connection.
    stdin: interactive ? "piped" : "null",
  });
  try {
    // It prints this once it listens.
    const [, port] = await child.waitForLog(/^ACCEPT 127\.0\.0\.1:(\d+)\s*$/m);
    return {
      port: Number(port),
      pid: child.pid,
      log: () => child.log(),
      waitForLog: (pattern, timeout) => child.waitForLog(pattern, timeout),
      write: (text) => child.write(text),
      [Symbol.asyncDispose]: () => child.stop(),
    };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

function serverArgs(options: OpensslServerOptions): string[] {
  const { version, cert = "ec", www, rev, clientAuth, alpn, earlyData, numTickets } = options;
  const paths = typeof cert === "object"
    ? cert
    : serverCertPaths(cert === "ec" || cert === "rsa" ? CERT_ALIAS[cert] : cert);
  const args = ["s_server", "-accept", "127.0.0.1:0"];
  args.push(...certArgs(paths));
  if (version) args.push(VERSION_FLAG[version]);
  if (www) args.push(`-${www}`);
  if (rev) args.push("-rev");
  if (clientAuth) {
    args.push(clientAuth === "optional" ? "-verify" : "-Verify", "5");
    args.push("-CAfile", caPath("ec_and_rsa"), "-verify_return_error");
  }
  if (options.ciphersuites) args.push("-ciphersuites", options.ciphersuites);
  if (options.ciphers) args.push("-cipher", options.ciphers);
  if (options.groups) args.push("-groups", options.groups);
  if (alpn) args.push("-alpn", alpn.join(","));
  if (earlyData) {
    args.push("-early_data", "-max_early_data", String(earlyData === true ? 16384 : earlyData));
  }
  if (numTickets !== undefined) args.push("-num_tickets", String(numTickets));
  return [...args, ...(options.args ?? [])];
}

/** `-cert` takes the leaf only of a file that holds a chain. */
function certArgs({ cert, key, chain }: CertPaths): string[] {
  return ["-cert", cert, "-key", key, ...(chain ? ["-cert_chain", chain] : [])];
}

/**
 * What the page of `www` says of the connection that fetched it. The page may be part of the output
 * of a client: what comes before it does not count.
 */
export function reusedByPage(page: string): boolean {
  const start = page.indexOf("<HTML>");
  const match = page.slice(start).match(/^(New|Reused), \S+, Cipher is \S+/m);
  if (start < 0 || match === null) throw new Error(`No status page in: ${page.slice(0, 2000)}`);
  return match[1] === "Reused";
}

export interface OpensslClientOptions {
  port: number;
  version?: TlsVersion;
  serverName?: string;
  /** Trusted roots. A chain that does not lead there ends the connection. Default: EC and RSA. */
  caFile?: string;
  /** A client certificate, as paths. */
  cert?: CertPaths;
  alpn?: string[];
  /** What to type, right after the handshake. */
  stdin?: string;
  /**
   * When to close stdin, which ends it: once the output matches, or once a ticket is in `sessOut`.
   * Without: never; it ends when the server closes. Match application data and what is printed of
   * the handshake only: the rest, tickets for one, stays in a buffer of `s_client`.
   */
  until?: RegExp | "ticket";
  /** Lines of one letter in `stdin` are commands (`K` updates keys, `Q` ends). Else plain text. */
  commands?: boolean;
  /** File to save the session to, and file to resume from. */
  sessOut?: string;
  sessIn?: string;
  earlyData?: string;
  timeout?: number;
  /** Whatever else `s_client` takes, e.g. `-reconnect`. */
  args?: string[];
}

export interface OpensslHandshake {
  reused: boolean;
  protocol: string;
  cipher: string;
}

export interface OpensslClientResult {
  code: number;
  stdout: string;
  stderr: string;
  /** One for each that completed: six with `-reconnect`, which resumes under TLS 1.2 only. */
  handshakes: OpensslHandshake[];
  /** Of the last handshake. */
  reused: boolean;
  alpn: string | null;
  earlyData: "none" | "accepted" | "rejected";
}

/** Runs `s_client` to its end. A failed handshake is a result, not an error: see `handshakes`. */
export async function opensslClient(options: OpensslClientOptions): Promise<OpensslClientResult> {
  const { until, timeout = DEFAULT_TIMEOUT_MS, stdin = "", earlyData, sessOut } = options;
  if (until === "ticket") {
    if (!sessOut) throw new TypeError('until: "ticket" needs sessOut');
    await Deno.remove(sessOut).catch(() => {});
  }
  const earlyDataFile = earlyData === undefined ? null : await Deno.makeTempFile();
  try {
    if (earlyDataFile) await Deno.writeTextFile(earlyDataFile, earlyData!);
    await using child = new Child("openssl", {
      args: clientArgs(options, earlyDataFile),
      stdin: "piped",
    });
    if (stdin) await child.write(stdin).catch(() => {});
    const exited = child.exited(timeout);
    if (until) {
      // It may also end by itself, or be late; then the result tells, or the error.
      const ended = exited.catch(() => {});
      if (until === "ticket") await waitForSession(sessOut!, ended);
      else await child.waitForLog(until, timeout).catch(() => {});
      await child.closeStdin();
    }
    const { code } = await exited;
    return parseClientOutput(code, child.stdout.text(), child.stderr.text());
  } finally {
    if (earlyDataFile) await Deno.remove(earlyDataFile);
  }
}

/** Waits until the file holds a whole session, or the client is over. */
async function waitForSession(file: string, over: Promise<unknown>): Promise<void> {
  let isOver = false;
  over.then(() => isOver = true);
  while (!isOver) {
    const text = await Deno.readTextFile(file).catch(() => "");
    if (text.trimEnd().endsWith("-----END SSL SESSION PARAMETERS-----")) return;
    await settledWithin(over, 10);
  }
}

function clientArgs(options: OpensslClientOptions, earlyDataFile: string | null): string[] {
  const { port, version, serverName = "localhost", caFile = caPath("ec_and_rsa"), cert } = options;
  const args = ["s_client", "-connect", `127.0.0.1:${port}`, "-servername", serverName];
  args.push("-CAfile", caFile, "-verify_return_error");
  if (version) args.push(VERSION_FLAG[version]);
  if (cert) args.push(...certArgs(cert));
  if (options.alpn) args.push("-alpn", options.alpn.join(","));
  if (!options.commands) args.push("-nocommands");
  if (options.sessOut) args.push("-sess_out", options.sessOut);
  if (options.sessIn) args.push("-sess_in", options.sessIn);
  if (earlyDataFile) args.push("-early_data", earlyDataFile);
  return [...args, ...(options.args ?? [])];
}

function parseClientOutput(code: number, stdout: string, stderr: string): OpensslClientResult {
  // Without a handshake the cipher is "(NONE)". The page of `www` has such a line, too.
  const line = /^(New|Reused), (\S+), Cipher is ([^(\s]+)$(?!\nSSL-Session:)/gm;
  const handshakes = [...stdout.matchAll(line)]
    .map(([, how, protocol, cipher]) => ({ reused: how === "Reused", protocol, cipher }));
  const early = stdout.match(/^Early data was (accepted|rejected)/m)?.[1];
  return {
    code,
    stdout,
    stderr,
    handshakes,
    reused: handshakes.at(-1)?.reused ?? false,
    alpn: stdout.match(/^ALPN protocol: (.+)$/m)?.[1] ?? null,
    earlyData: early === "accepted" || early === "rejected" ? early : "none",
  };
}

/**
 * GnuTLS as the client, by `gnutls-cli`.
 *
 * Rules:
 * - Its sessions do not leave its process. With `resume` one run makes two connections: a full one,
 *   closed at once, then a second one that offers the session and exchanges `stdin`.
 * - Under TLS 1.3 the first connection waits for a ticket. Against a server that sends none, set
 *   `waitForTicket: false`, or it waits until the timeout.
 *
 * @module
 */

import { caPath, type CertPaths } from "../testdata/mod.ts";
import { Child, DEFAULT_TIMEOUT_MS, programVersion } from "./child.ts";
import type { TlsVersion } from "./openssl.ts";

const PRIORITY = {
  "TLSv1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2",
  "TLSv1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3",
} as const;

let present: boolean | undefined;

/** Whether `gnutls-cli` 3.6.5 (its first with TLS 1.3) or newer is on the path. */
export function haveGnutls(): boolean {
  present ??= /^gnutls-cli (3\.6\.([5-9]|\d\d)|3\.([7-9]|\d\d)|[4-9])/.test(
    programVersion("gnutls-cli", ["--version"]) ?? "",
  );
  return present;
}

export interface GnutlsClientOptions {
  port: number;
  version?: TlsVersion;
  serverName?: string;
  /** File of trusted roots. Default: EC and RSA. */
  caFile?: string;
  /** Connect twice, the second time with the session of the first. */
  resume?: boolean;
  waitForTicket?: boolean;
  /** A client certificate, as paths. */
  cert?: CertPaths;
  alpn?: string[];
  /** Sent after the (last) handshake, followed by close_notify. */
  stdin?: string;
  /** File to send as early data of the second connection. */
  earlyDataFile?: string;
  timeout?: number;
  args?: string[];
}

export interface GnutlsClientResult {
  code: number;
  /** Handshakes that completed. */
  handshakes: number;
  /** Whether the last one was resumed. */
  resumed: boolean;
  /** Of the first connection, e.g. `(TLS1.3-X.509)-(ECDHE-X25519)-(…)-(AES-256-GCM)`. */
  description: string;
  /** All it printed, the server's application data included. */
  output: string;
}

/** Runs `gnutls-cli` to its end. A failed handshake is a result: see `code` and `handshakes`. */
export async function gnutlsClient(options: GnutlsClientOptions): Promise<GnutlsClientResult> {
  const { timeout = DEFAULT_TIMEOUT_MS, stdin = "" } = options;
  await using child = new Child("gnutls-cli", { args: clientArgs(options), stdin: "piped" });
  if (stdin) await child.write(stdin).catch(() => {});
  await child.closeStdin();
  const { code } = await child.exited(timeout);
  const output = child.log();
  return {
    code,
    handshakes: [...output.matchAll(/^- (Resume )?Handshake was completed/gm)].length,
    resumed: output.includes("*** This is a resumed session"),
    description: output.match(/^- Description: (.*)$/m)?.[1] ?? "",
    output,
  };
}

function clientArgs(options: GnutlsClientOptions): string[] {
  const { port, version, serverName = "localhost", resume, waitForTicket = true, cert } = options;
  const { caFile = caPath("ec_and_rsa"), alpn = [], earlyDataFile } = options;
  const args = ["--port", String(port), `--x509cafile=${caFile}`];
  args.push(`--sni-hostname=${serverName}`, `--verify-hostname=${serverName}`);
  if (version) args.push(`--priority=${PRIORITY[version]}`);
  if (resume) args.push("--resume");
  if (resume && waitForTicket && version !== "TLSv1.2") args.push("--waitresumption");
  if (cert) args.push(`--x509certfile=${cert.cert}`, `--x509keyfile=${cert.key}`);
  for (const protocol of alpn) args.push(`--alpn=${protocol}`);
  if (earlyDataFile) args.push(`--earlydata=${earlyDataFile}`);
  return [...args, ...(options.args ?? []), "127.0.0.1"];
}

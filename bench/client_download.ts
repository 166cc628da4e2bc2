/**
 * Megabytes a second out of one connection: a file that OpenSSL serves on loopback.
 *
 * Rules:
 * - The clock runs from the request until the last byte of the file. The handshake before and the
 *   close after are not counted.
 * - Random bytes, as many as were asked for, or it is an error. They go nowhere: each client hands
 *   them over in the memory that it uses anyway.
 * - OpenSSL encrypts on the machine's other core; with one core, or a busy one, it is the brake.
 *
 * @module
 */

import { join } from "node:path";
import { startOpensslServer, type TlsVersion } from "../tests/peers/openssl.ts";
import { caCert } from "../tests/testdata/mod.ts";
import { type Client, denoClient, nodeClient, repriseClient } from "./clients.ts";
import type { Comparison } from "./report.ts";
import { interleave, sample, type Subject } from "./rounds.ts";

export interface DownloadOptions {
  version: TlsVersion;
  rounds: number;
  /** The size of the file. */
  mib: number;
}

const MIB = 1024 * 1024;
const FILE = "file.bin";

/** Measures Reprise beside Deno's own clients. */
export async function clientDownload(options: DownloadOptions): Promise<Comparison> {
  const { version, rounds, mib } = options;
  const folder = await Deno.makeTempDir({ prefix: "bench-" });
  try {
    await writeRandom(join(folder, FILE), mib);
    await using server = await startOpensslServer({ version, www: "WWW", cwd: folder });
    const ca = caCert("ec");
    const clients = [repriseClient(ca), denoClient(ca), nodeClient(ca)];
    const subjects = clients.map((client) => download(client, server.port, mib * MIB));
    return {
      title: `${version} download`,
      unit: "MB",
      digits: 0,
      measured: await interleave(subjects, rounds),
      ratios: [
        { over: "Reprise", under: "Deno.connectTls", prototype: prototype(version) },
        { over: "Reprise", under: "node:tls" },
      ],
      notes: [`${mib} MiB in each of ${rounds} rounds`],
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** It was measured so on TLS 1.3 only. */
function prototype(version: TlsVersion): number | undefined {
  return version === "TLSv1.3" ? 0.32 : undefined;
}

async function writeRandom(path: string, mib: number) {
  using file = await Deno.open(path, { write: true, create: true });
  const writer = file.writable.getWriter();
  for (let i = 0; i < mib * 16; i++) {
    await writer.write(crypto.getRandomValues(new Uint8Array(MIB / 16)));
  }
  await writer.close();
}

const REQUEST = new TextEncoder().encode(`GET /${FILE} HTTP/1.0\r\n\r\n`);

function download(client: Client, port: number, size: number): Subject {
  return {
    name: client.name,
    async measure() {
      const opened = await client.open(port);
      const count = bodyCounter();
      let received = 0;
      const measured = await sample(size / 1e6, async () => {
        await opened.write(REQUEST);
        await opened.receive((bytes) => {
          received += count(bytes);
          return received >= size;
        });
      });
      await opened.close();
      if (received !== size) throw new Error(`Expected ${size} bytes, got ${received}`);
      return measured;
    },
  };
}

/** Counts bytes after the head of a response. */
function bodyCounter(): (bytes: Uint8Array) => number {
  const end = [13, 10, 13, 10];
  let matched = 0;
  return (bytes) => {
    let at = 0;
    for (; at < bytes.length && matched < end.length; at++) {
      matched = bytes[at] === end[matched] ? matched + 1 : bytes[at] === end[0] ? 1 : 0;
    }
    return bytes.length - at;
  };
}

/**
 * `BUILD.json`: what the committed wasm was built from, and with what.
 *
 * Rules:
 * - The source is all that decides the bytes besides the toolchain: the crate, its locks, the scripts.
 * - No time, no name, no path of a machine: the same build makes the same record.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { repo } from "./places.ts";

/** The committed output beside the record itself. */
export const OUTPUTS = ["reprise.wasm", "reprise.js", "reprise.d.ts"];

/** Of the scripts only those that build: `scripts/check` decides nothing. */
const SOURCES = [
  "wasm/Cargo.toml",
  "wasm/Cargo.lock",
  "wasm/upstream/Cargo.lock",
  "wasm/aes_gcm/Cargo.toml",
  "wasm/aes_gcm/src",
  "wasm/getrandom",
  "wasm/src",
  "wasm/chacha/Cargo.toml",
  "wasm/chacha/src",
  "scripts/build_wasm.ts",
  "scripts/wasm",
];

export interface OutputRecord {
  sha256: string;
  bytes: number;
  gzip: number;
}

export interface BuildRecord {
  generated: string;
  source: string;
  toolchain: Record<string, string>;
  outputs: Record<string, OutputRecord>;
}

/** Describes the output in a folder. */
export async function makeRecord(
  folder: string,
  toolchain: Record<string, string>,
): Promise<BuildRecord> {
  const outputs: Record<string, OutputRecord> = {};
  for (const name of OUTPUTS) {
    const bytes = await Deno.readFile(join(folder, name));
    outputs[name] = { sha256: sha256(bytes), bytes: bytes.length, gzip: gzipSize(bytes) };
  }
  return {
    generated: "by `deno task build:wasm`; do not edit",
    source: await sourceHash(),
    toolchain,
    outputs,
  };
}

export async function readRecord(folder: string): Promise<BuildRecord> {
  return JSON.parse(await Deno.readTextFile(join(folder, "BUILD.json")));
}

export async function writeRecord(folder: string, record: BuildRecord) {
  await Deno.writeTextFile(join(folder, "BUILD.json"), JSON.stringify(record, null, 2) + "\n");
}

/** One hash over the names and bytes of all sources. */
export async function sourceHash(): Promise<string> {
  const hash = createHash("sha256");
  for (const name of await sourceFiles()) {
    hash.update(`${name}\0${sha256(await Deno.readFile(join(repo, name)))}\n`);
  }
  return hash.digest("hex");
}

/** The size that users download. */
export function gzipSize(bytes: Uint8Array): number {
  return gzipSync(bytes, { level: 9 }).length;
}

async function sourceFiles(): Promise<string[]> {
  const files: string[] = [];
  const add = async (name: string) => {
    if ((await Deno.stat(join(repo, name))).isFile) files.push(name);
    else {for await (const entry of Deno.readDir(join(repo, name))) {
        await add(`${name}/${entry.name}`);
      }}
  };
  for (const name of SOURCES) await add(name);
  return files.sort();
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

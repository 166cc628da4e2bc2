/**
 * rustls as the registry serves it, but for a few lines.
 *
 * Rules:
 * - The crate's checksum is the one in `wasm/upstream/Cargo.lock`, checked here at each build.
 * - The changes are those of `CHANGES`, each with its reason in docs/adr. No other line may differ.
 * - At each build the whole folder is compared with the whole crate, file by file and byte by
 *   byte. Any other difference ends the build; the folder is never mended in silence.
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { patchedRustls, upstream } from "./places.ts";
import { output, run } from "./run.ts";
import type { Toolchain } from "./toolchain.ts";

/** One line of rustls that is changed. */
interface Change {
  file: string;
  /** Counted from 1, in the crate as it is served. */
  line: number;
  /** The line as it is served. */
  from: string;
  /** The lines that stand there instead. */
  to: readonly string[];
  /** The lines around it, so that the right one is changed. */
  before: string;
  after: string;
}

const CHANGES: readonly Change[] = [
  // ADR 1: a session of TLS 1.3 can be read.
  {
    file: "src/client/mod.rs",
    line: 129,
    from: "    #[cfg(test)]",
    to: [],
    before: "    /// Decode a ticket from the given bytes.",
    after:
      "    pub fn from_slice(bytes: &[u8], provider: &CryptoProvider) -> Result<Self, Error> {",
  },
  // ADR 18: the lifetime that is announced is the one that is kept. The store says it ...
  {
    file: "src/server/config.rs",
    line: 385,
    from: "    fn can_cache(&self) -> bool;",
    to: [
      "    fn can_cache(&self) -> bool;",
      "    /// For how long the value that was put last may be used.",
      "    fn ticket_lifetime(&self) -> core::time::Duration { core::time::Duration::from_secs(24 * 60 * 60) }",
    ],
    before: "    /// a session even if it returns `true` here.",
    after: "}",
  },
  // ... and the ticket has it.
  {
    file: "src/server/tls13.rs",
    line: 1475,
    from:
      "            let stateful_lifetime = Duration::from_secs(24 * 60 * 60); // this is a bit of a punt",
    to: ["            let stateful_lifetime: Duration = config.session_storage.ticket_lifetime();"],
    before: "            }",
    after: "            (id.to_vec(), stateful_lifetime)",
  },
];

type Tree = Map<string, Uint8Array>;

/** Makes the folder if it is not there, and in any case proves what is in it. */
export async function preparePatchedRustls(toolchain: Toolchain) {
  const pristine = await unpacked(await crateFile(toolchain));
  if (!await exists(patchedRustls)) await writeTree(patchedRustls, changed(pristine));
  assertOnlyChangesDiffer(pristine, await readTree(patchedRustls));
}

/** The downloaded crate, once its checksum is the one of the lock. */
async function crateFile({ cargo, env }: Toolchain): Promise<string> {
  const manifest = ["--locked", "--manifest-path", join(upstream, "Cargo.toml")];
  await run(cargo, ["fetch", "--quiet", ...manifest], { env });
  const text = await output(
    cargo,
    ["metadata", "--offline", "--format-version", "1", ...manifest],
    { env },
  );
  const packages: { name: string; version: string; manifest_path: string }[] =
    JSON.parse(text).packages;
  const rustls = packages.find(({ name }) => name === "rustls")!;
  const folder = dirname(rustls.manifest_path);
  const cache = dirname(folder).replace(/([\\/]registry[\\/])src([\\/])/, "$1cache$2");
  const path = join(cache, `rustls-${rustls.version}.crate`);

  const sum = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
  const expected = lockedChecksum(await Deno.readTextFile(join(upstream, "Cargo.lock")));
  if (sum !== expected) {
    throw new Error(`rustls ${rustls.version} has checksum ${sum}, the lock says ${expected}`);
  }
  return path;
}

function lockedChecksum(lock: string): string {
  const found = /name = "rustls"\nversion = .*\nsource = .*\nchecksum = "([0-9a-f]{64})"/.exec(
    lock,
  );
  if (!found) throw new Error("wasm/upstream/Cargo.lock has no checksum for rustls");
  return found[1];
}

async function unpacked(path: string): Promise<Tree> {
  const folder = await Deno.makeTempDir({ prefix: "rustls-" });
  try {
    await run("tar", ["-xzf", path, "-C", folder, "--strip-components=1"]);
    return await readTree(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function changed(pristine: Tree): Tree {
  const patched = new Map(pristine);
  for (const { file, line, from, to, before, after } of CHANGES) {
    const lines = textLines(pristine.get(file));
    const around = [lines[line - 2], lines[line - 1], lines[line]];
    if (around.join("\n") !== [before, from, after].join("\n")) {
      throw new Error(`${file}:${line} of rustls is not the line to change: ${lines[line - 1]}`);
    }
    patched.set(file, new TextEncoder().encode(lines.toSpliced(line - 1, 1, ...to).join("\n")));
  }
  return patched;
}

/**
 * Compares without the code that made the folder: the same names, and the same bytes in all that is
 * before and after a changed line.
 */
export function assertOnlyChangesDiffer(pristine: Tree, patched: Tree) {
  const differences: string[] = [];
  for (const name of new Set([...pristine.keys(), ...patched.keys()])) {
    const a = pristine.get(name), b = patched.get(name);
    const change = CHANGES.find(({ file }) => file === name);
    if (!a || !b) differences.push(`${name}: ${a ? "is missing" : "is not part of rustls"}`);
    else if (change === undefined && !sameBytes(a, b)) differences.push(`${name}: has changed`);
    else if (change !== undefined && !differsBy(change, textLines(a), textLines(b))) {
      differences.push(`${name}: must differ by line ${change.line} alone`);
    }
  }
  if (differences.length > 0) {
    throw new Error(
      "wasm/.patched/rustls is not rustls with the changes that scripts/wasm/patched_rustls.ts lists " +
        `(delete wasm/.patched to make it anew)\n${
          differences.map((line) => `  ${line}`).join("\n")
        }`,
    );
  }
}

function differsBy({ line, from, to }: Change, before: string[], after: string[]): boolean {
  const rest = before.length - line;
  return before[line - 1] === from &&
    after.length === before.length - 1 + to.length &&
    before.slice(0, line - 1).every((each, at) => each === after[at]) &&
    to.every((each, at) => each === after[line - 1 + at]) &&
    before.slice(line).every((each, at) => each === after[after.length - rest + at]);
}

function textLines(bytes: Uint8Array | undefined): string[] {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).split("\n");
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

async function readTree(root: string, below = "", tree: Tree = new Map()): Promise<Tree> {
  for await (const { name, isFile, isDirectory } of Deno.readDir(join(root, below))) {
    const path = below === "" ? name : `${below}/${name}`;
    if (isDirectory) await readTree(root, path, tree);
    else if (isFile) tree.set(path, await Deno.readFile(join(root, path)));
    else throw new Error(`${path} is neither a file nor a folder`);
  }
  return tree;
}

/** Writes beside the place first, so that a build that was stopped leaves no half of a folder. */
async function writeTree(root: string, tree: Tree) {
  const unfinished = `${root}.unfinished`;
  if (await exists(unfinished)) await Deno.remove(unfinished, { recursive: true });
  for (const [name, bytes] of tree) {
    const path = join(unfinished, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeFile(path, bytes);
  }
  await Deno.rename(unfinished, root);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * rustls as the registry serves it, less one line.
 *
 * Rules:
 * - The crate's checksum is the one in `wasm/upstream/Cargo.lock`, checked here at each build.
 * - One line goes: the `#[cfg(test)]` that hides `Tls13Session::from_slice` (docs/adr).
 * - At each build the whole folder is compared with the whole crate, file by file and byte by
 *   byte. Any difference but that line ends the build; the folder is never mended in silence.
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { patchedRustls, upstream } from "./places.ts";
import { output, run } from "./run.ts";
import type { Toolchain } from "./toolchain.ts";

const FILE = "src/client/mod.rs";
const LINE = 129;
const REMOVED = "    #[cfg(test)]";
/** What stands around the line, so that the right one goes. */
const BEFORE = "    /// Decode a ticket from the given bytes.";
const AFTER =
  "    pub fn from_slice(bytes: &[u8], provider: &CryptoProvider) -> Result<Self, Error> {";

type Tree = Map<string, Uint8Array>;

/** Makes the folder if it is not there, and in any case proves what is in it. */
export async function preparePatchedRustls(toolchain: Toolchain) {
  const pristine = await unpacked(await crateFile(toolchain));
  if (!await exists(patchedRustls)) await writeTree(patchedRustls, withoutTheLine(pristine));
  assertOnlyTheLineDiffers(pristine, await readTree(patchedRustls));
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

function withoutTheLine(pristine: Tree): Tree {
  const lines = textLines(pristine.get(FILE));
  const around = [lines[LINE - 2], lines[LINE - 1], lines[LINE]];
  if (around.join("\n") !== [BEFORE, REMOVED, AFTER].join("\n")) {
    throw new Error(`${FILE}:${LINE} of rustls is not the line to remove: ${lines[LINE - 1]}`);
  }
  const patched = new Map(pristine);
  patched.set(FILE, new TextEncoder().encode(lines.toSpliced(LINE - 1, 1).join("\n")));
  return patched;
}

/** Compares without the code that made the folder: the same names, the same bytes, one line less. */
export function assertOnlyTheLineDiffers(pristine: Tree, patched: Tree) {
  const differences: string[] = [];
  for (const name of new Set([...pristine.keys(), ...patched.keys()])) {
    const a = pristine.get(name), b = patched.get(name);
    if (!a || !b) differences.push(`${name}: ${a ? "is missing" : "is not part of rustls"}`);
    else if (name !== FILE && !sameBytes(a, b)) differences.push(`${name}: has changed`);
  }
  const before = textLines(pristine.get(FILE)), after = textLines(patched.get(FILE));
  const first = before.findIndex((line, at) => line !== after[at]);
  const onlyOneGone = after.length === before.length - 1 && first === LINE - 1 &&
    before[first] === REMOVED && after[first] === AFTER &&
    before.slice(first + 1).every((line, at) => line === after[first + at]);
  if (!onlyOneGone) differences.push(`${FILE}: must differ by line ${LINE}, removed, alone`);
  if (differences.length > 0) {
    throw new Error(
      `wasm/.patched/rustls is not rustls less one line (delete wasm/.patched to make it anew)\n` +
        differences.map((line) => `  ${line}`).join("\n"),
    );
  }
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

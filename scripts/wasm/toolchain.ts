/**
 * Which compilers build the engine, and the environment they run in.
 *
 * Rules:
 * - Debian's packages, where they are: no rustup, std built from source, always the same bytes.
 *   They are the canonical toolchain: what is committed was built with them.
 * - Elsewhere whatever rustup has, with the std it ships: other bytes, the same tests.
 * - No path of this machine reaches the output: each is remapped.
 * - Nothing is installed here: `scripts/install.sh` does that.
 */
import { join, relative } from "node:path";
import { crate, patchedRustls } from "./places.ts";
import { output, plainEnv, succeeds } from "./run.ts";
import { BINARYEN, LLVM, WASM_BINDGEN, WASM_PACK } from "./versions.ts";

export interface Toolchain {
  kind: "debian" | "rustup";
  cargo: string;
  env: Record<string, string>;
  /** What `cargo build` is told besides. */
  cargoArgs: string[];
  /** What it consists of, for the record of the build. Equal versions make equal bytes. */
  versions: Record<string, string>;
}

/**
 * What only a std built from source and a compiler that takes unstable flags allow: a panic traps
 * at once (nobody would see its message in wasm anyway), Debug output names variants without their
 * fields, and `error.rs` must name every variant of rustls's errors. It saves 30 KB gzipped.
 */
const CANONICAL_FLAGS = [
  "-Zunstable-options",
  "-Cpanic=immediate-abort",
  "-Zfmt-debug=shallow",
  "-Zlocation-detail=none",
  "--cfg=reprise_exhaustive",
];

/** Finds the toolchain of this machine, or says what is missing. */
export async function findToolchain(): Promise<Toolchain> {
  const debian = await isDebian();
  const rustc = debian ? "/usr/bin/rustc" : "rustc";
  const cargo = debian ? "/usr/bin/cargo" : "cargo";
  // Apple's clang knows no wasm: elsewhere than on Debian another one can be named.
  const clang = debian ? `clang-${LLVM}` : Deno.env.get("CC_wasm32_unknown_unknown") ?? "clang";
  const tools = join(toolsRoot(), "bin");

  const env = plainEnv();
  const separator = Deno.build.os === "windows" ? ";" : ":";
  env.PATH = [tools, ...(debian ? ["/usr/bin"] : []), env.PATH].join(separator);
  env.CC_wasm32_unknown_unknown = clang;
  if (debian) {
    env.RUSTC = rustc;
    env.CARGO = cargo;
    env.RUSTC_BOOTSTRAP = "1";
    env.CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER = `wasm-ld-${LLVM}`;
    env.AR_wasm32_unknown_unknown = `llvm-ar-${LLVM}`;
  } else {
    const ar = Deno.env.get("AR_wasm32_unknown_unknown");
    if (ar !== undefined) env.AR_wasm32_unknown_unknown = ar;
  }
  // Run in the crate's folder, where rust-toolchain.toml is heeded.
  const options = { env, cwd: crate };
  const need = async (version: Promise<string>) => {
    try {
      return (await version).split("\n")[0];
    } catch (error) {
      throw new Error("The toolchain is not complete; run scripts/install.sh", { cause: error });
    }
  };
  const versions: Record<string, string> = {
    rustc: await need(output(rustc, ["--version"], options)),
    clang: await need(output(clang, ["--version"], options)),
    "wasm-bindgen": await need(output("wasm-bindgen", ["--version"], options)),
    "wasm-pack": await need(output("wasm-pack", ["--version"], options)),
    binaryen: BINARYEN,
  };
  // wasm-pack would install what is not there.
  const std = ["--print", "target-libdir", "--target", "wasm32-unknown-unknown"];
  await need(Deno.realPath(await output(rustc, std, options)));
  if (debian) {
    const packages = ["rustc-web", "rust-web-src", `clang-${LLVM}`, `lld-${LLVM}`];
    for (const name of packages) {
      versions[name] = await output("dpkg-query", ["-W", "-f=${Version}", name], options);
    }
  }
  if (versions["wasm-bindgen"] !== `wasm-bindgen ${WASM_BINDGEN}`) {
    throw new Error(`${versions["wasm-bindgen"]} is not ${WASM_BINDGEN}; run scripts/install.sh`);
  }
  return {
    kind: debian ? "debian" : "rustup",
    cargo,
    env,
    // Of std: small, and no backtraces, which wasm without names could not show.
    cargoArgs: debian
      ? ["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"]
      : [],
    versions,
  };
}

/** The flags of rustc, in the form of CARGO_ENCODED_RUSTFLAGS. Wants the sources to be there. */
export async function encodedRustflags({ kind, env }: Toolchain): Promise<string> {
  const rustc = kind === "debian" ? "/usr/bin/rustc" : "rustc";
  const sysroot = await output(rustc, ["--print", "sysroot"], { env, cwd: crate });
  // rustc applies the last pair that fits.
  const remaps: [string, string][] = [
    [sysroot, "sysroot"],
    [join(sysroot, "lib", "rustlib", "src", "rust"), "rust"],
    [cargoHome(env), "cargo"],
    ...(await registrySources(env)).map((path): [string, string] => [path, "crates"]),
    [crate, "reprise"],
    // Cargo names what is in the crate's folder from there.
    [relative(crate, patchedRustls), "crates/rustls"],
  ];
  return [
    "-Ctarget-feature=+simd128",
    ...(kind === "debian" ? CANONICAL_FLAGS : []),
    ...remaps.map(([from, to]) => `--remap-path-prefix=${from}=${to}`),
  ].join("\x1f");
}

/** Where `scripts/install.sh` puts wasm-pack and wasm-bindgen: one folder for each pair of versions. */
function toolsRoot(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") || join(home(), ".cache");
  return join(cache, "reprise", `wasm-pack-${WASM_PACK}-wasm-bindgen-${WASM_BINDGEN}`);
}

function cargoHome(env: Record<string, string>): string {
  return env.CARGO_HOME ?? join(home(), ".cargo");
}

function home(): string {
  const found = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE");
  if (!found) throw new Error("HOME is not set");
  return found;
}

/** The folder of each registry's sources: its name holds the host's, so each is remapped whole. */
async function registrySources(env: Record<string, string>): Promise<string[]> {
  const root = join(cargoHome(env), "registry", "src");
  const names = await Array.fromAsync(Deno.readDir(root), ({ name }) => name);
  return names.sort().map((name) => join(root, name));
}

async function isDebian(): Promise<boolean> {
  return await succeeds("dpkg-query", ["-S", "/usr/bin/rustc"]) &&
    (await output("dpkg-query", ["-S", "/usr/bin/rustc"])).startsWith("rustc-web:");
}

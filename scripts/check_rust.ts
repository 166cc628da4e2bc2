/**
 * Checks the Rust side: `deno task check:rust`. Format, clippy, the tests that need no wasm, and
 * those of ChaCha20-Poly1305 and of AES-GCM once more in wasm, where other instructions compute them.
 *
 * Needs what `scripts/install.sh` installs, and rustfmt and clippy; on Debian these are the packages
 * rustfmt-web and rust-web-clippy.
 */
import { checkAesGcm } from "./check/aes_gcm.ts";
import { checkChacha } from "./check/chacha.ts";
import { chacha, crate, target } from "./wasm/places.ts";
import { preparePatchedRustls } from "./wasm/patched_rustls.ts";
import { run } from "./wasm/run.ts";
import { findToolchain } from "./wasm/toolchain.ts";

const toolchain = await findToolchain();
await preparePatchedRustls(toolchain);
const env: Record<string, string> = { ...toolchain.env, CARGO_TARGET_DIR: target };
// As in the canonical build: a match on rustls's errors that hides a variant is an error.
if (toolchain.kind === "debian") env.RUSTFLAGS = "--cfg=reprise_exhaustive";

/** The crates by their folders; of each what belongs to it. */
const members = ["reprise", "reprise_aes_gcm", "reprise_aes_gcm_checks"];
const CRATES = [
  // Not `--all`, which goes on to rustls.
  { cwd: crate, format: members.flatMap((name) => ["--package", name]), all: ["--workspace"] },
  { cwd: chacha, format: [], all: [] },
];

for (const { cwd, format, all } of CRATES) {
  const cargo = (...args: string[]) => run(toolchain.cargo, args, { cwd, env });
  await cargo("fmt", "--check", ...format);
  await cargo("clippy", ...all, "--locked", "--all-targets", "--", "--deny", "warnings");
  await cargo("test", ...all, "--locked");
}
await checkChacha(toolchain);
await checkAesGcm(toolchain);

/**
 * Checks the Rust side: `deno task check:rust`. Format, clippy, and the tests that need no wasm.
 *
 * Needs what `scripts/install.sh` installs, and rustfmt and clippy; on Debian these are the packages
 * rustfmt-web and rust-web-clippy.
 */
import { crate } from "./wasm/places.ts";
import { preparePatchedRustls } from "./wasm/patched_rustls.ts";
import { run } from "./wasm/run.ts";
import { findToolchain } from "./wasm/toolchain.ts";

const toolchain = await findToolchain();
await preparePatchedRustls(toolchain);
const options = { cwd: crate, env: { ...toolchain.env } };
// As in the canonical build: a match on rustls's errors that hides a variant is an error.
if (toolchain.kind === "debian") options.env.RUSTFLAGS = "--cfg=reprise_exhaustive";

const cargo = (...args: string[]) => run(toolchain.cargo, args, options);
await cargo("fmt", "--check");
await cargo("clippy", "--locked", "--all-targets", "--", "--deny", "warnings");
await cargo("test", "--locked");

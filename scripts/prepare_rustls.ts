/**
 * Makes and proves `wasm/.patched/rustls`, without which cargo cannot read the crate: `deno task
 * prepare:rustls`. For work on the Rust side alone (cargo test, clippy); a build does it by itself.
 */
import { preparePatchedRustls } from "./wasm/patched_rustls.ts";
import { findToolchain } from "./wasm/toolchain.ts";

await preparePatchedRustls(await findToolchain());

/** Where things are in the repository, as absolute paths without a slash at the end. */
import { fileURLToPath } from "node:url";
import { join } from "node:path";

export const repo: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");
export const crate: string = join(repo, "wasm");
/** ChaCha20-Poly1305, a crate of its own. */
export const chacha: string = join(crate, "chacha");
/** The committed output. */
export const pkg: string = join(crate, "pkg");
/** Cargo's own output, kept between builds. */
export const target: string = join(crate, "target");
/** The manifest and lock that say which rustls is taken from the registry. */
export const upstream: string = join(crate, "upstream");
/** rustls less one line: made by `patched_rustls.ts`, ignored by git. */
export const patchedRustls: string = join(crate, ".patched", "rustls");

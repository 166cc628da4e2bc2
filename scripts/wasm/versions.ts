/**
 * The versions of the programs that a build needs, one a line: `scripts/install.sh` reads them too.
 *
 * Rule: a new version here is a new build of what is committed, in the same commit.
 */

/** From the registry of crates. wasm-bindgen's is also in wasm/Cargo.toml. */
export const WASM_PACK = "0.13.1";
export const WASM_BINDGEN = "0.2.130";
/** From npm. */
export const BINARYEN = "132.0.0";
/** Of the LLVM tools, as Debian names them. */
export const LLVM = "19";

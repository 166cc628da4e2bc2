/**
 * What Binaryen does to the linked wasm.
 *
 * Rules:
 * - Features are named, one by one, and each runs in every runtime that Reprise names. `-all`
 *   makes files that none of them loads.
 * - What is for people only goes: names, producers, target features.
 */
import { run } from "./run.ts";
import { BINARYEN } from "./versions.ts";

const FEATURES = [
  "simd",
  "bulk-memory",
  "bulk-memory-opt",
  "nontrapping-float-to-int",
  "sign-ext",
  "mutable-globals",
  "reference-types",
  "multivalue",
  "call-indirect-overlong",
];

/** Optimises one file into another. Binaryen is taken from npm, at one version. */
export async function optimize(from: string, to: string, env: Record<string, string>) {
  await run("npx", [
    "--yes",
    "--loglevel=error",
    `--package=binaryen@${BINARYEN}`,
    "wasm-opt",
    "--mvp-features",
    ...FEATURES.map((name) => `--enable-${name}`),
    "-O3",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
    from,
    "-o",
    to,
  ], { env });
}

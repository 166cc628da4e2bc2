/**
 * Finds what a build says of the machine it ran on.
 *
 * Rule: no folder of a user, a system or a registry is in what is committed. Sources are named by
 * crate (`crates/ring-0.17.14/src/…`) or by their place in Rust's library (`rust/library/…`).
 */
import { repo } from "../wasm/places.ts";

const ROOTS = [
  "home",
  "root",
  "Users",
  "usr",
  "work",
  "workspace",
  "tmp",
  "var",
  "opt",
  "mnt",
  "builds?",
];
const SIGNS = [
  new RegExp(`/(?:${ROOTS.join("|")})/[\\w.+-]+/[\\w./+-]*`, "g"),
  /[A-Z]:\\[\w.-]+\\[\w.\\-]*/g,
  /[\w./\\-]*(?:\.cargo\b|\.rustup\b|registry[/\\]src|crates\.io)[\w./\\-]*/g,
];

/** Every path of a machine in the bytes, each once. */
export function machinePaths(bytes: Uint8Array): string[] {
  const text = new TextDecoder("latin1").decode(bytes);
  const own = [repo, Deno.env.get("HOME"), Deno.env.get("CARGO_HOME")]
    .filter((path) => path !== undefined && path.length > 2 && text.includes(path)) as string[];
  const found = SIGNS.flatMap((sign) => [...text.matchAll(sign)].map(([path]) => path));
  return [...new Set([...own, ...found])];
}

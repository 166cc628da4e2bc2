/**
 * What every server of the benchmark has in common, in whatever runtime: it says where it listens,
 * answers each line on stdin with the CPU that it used so far, and ends with stdin.
 *
 * @module
 */
// deno-lint-ignore-file no-console

import process from "node:process";
import readline from "node:readline";

/**
 * Speaks with who started it.
 *
 * @param {number} port
 */
export function live(port) {
  console.log(JSON.stringify({ port }));
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", () => {
    const { user, system } = process.cpuUsage();
    console.log(JSON.stringify({ cpu: (user + system) / 1000 }));
  });
  lines.on("close", () => process.exit(0));
}

/**
 * A script for the test of `runScript`: answers with what it was given, and who it is. With the
 * argument `fail` it fails, with `hang` it never ends.
 *
 * @module
 */

import { readInput, writeOutput } from "./process.ts";

const input = await readInput<unknown>();
// deno-lint-ignore no-console -- stdout and stderr are how it is spoken with
console.log("some noise");
if (Deno.args.includes("fail")) throw new Error("as it was told");
if (Deno.args.includes("hang")) await new Promise(() => setInterval(() => {}, 1_000));
writeOutput({ input, args: Deno.args, pid: Deno.pid });

/**
 * The cases of `web_socket_stream_cases.ts` in a Deno that has the interface: `--unstable-net`.
 *
 * @module
 */

import { startTls } from "../../mod.ts";
import { readInput, writeOutput } from "../peers/process.ts";
import { type Context, runCases } from "./web_socket_stream_cases.ts";

const places = await readInput<Omit<Context, "startTls">>();
writeOutput(await runCases({ ...places, startTls }));
// A write to a peer that reads nothing keeps Deno alive: nothing of the interface ends it.
Deno.exit(0);

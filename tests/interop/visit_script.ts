/**
 * The script of `visitInNewProcess`: one connection in a process of its own.
 *
 * @module
 */

import { readInput, writeOutput } from "../peers/process.ts";
import { visit, type VisitOptions } from "./visit.ts";

writeOutput({ ...await visit(await readInput<VisitOptions>()), pid: Deno.pid });

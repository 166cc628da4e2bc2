/** The victim in Node and Bun: the npm package. The argument: pages of wasm memory, at most. */

import process from "node:process";
import { Readable } from "node:stream";
import { limitWasmMemory } from "../wasm_memory.ts";
import { serveLines } from "./lines.ts";
import { endWithParent } from "./orphan.ts";
import { makeVictim } from "./victim.ts";

endWithParent();
const [pages] = process.argv.slice(2);
if (pages !== undefined) limitWasmMemory(Number(pages));
// Bundled beside a folder that has it; after the memory is seen to.
const library = await import("@reprise/tls");
const { fetchOver } = await import("@reprise/tls/http");

const { bun } = process.versions;
const version = bun ? `Bun ${bun}` : `Node ${process.versions.node}`;
await serveLines(
  makeVictim({ library, fetchOver, version }),
  Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>,
  (line) => process.stdout.write(`${line}\n`),
);
process.exit();

/** The victim in Deno: the sources as they are. The argument: pages of wasm memory, at most. */

// deno-lint-ignore-file no-console -- how it answers
import { limitWasmMemory } from "../wasm_memory.ts";
import { provideEngine } from "../../../src/engine_pool.ts";
import { serveLines } from "./lines.ts";
import { endWithParent } from "./orphan.ts";
import { makeVictim } from "./victim.ts";

endWithParent();
const [pages] = Deno.args;
if (pages !== undefined) {
  limitWasmMemory(Number(pages));
  const wasm = new URL("../../../wasm/pkg/reprise.wasm", import.meta.url);
  provideEngine(new WebAssembly.Module(Deno.readFileSync(wasm)));
}
const library = await import("../../../mod.ts");
const { fetchOver } = await import("../../../src/http/mod.ts");

const victim = makeVictim({ library, fetchOver, version: `Deno ${Deno.version.deno}` });
await serveLines(victim, Deno.stdin.readable, (line) => console.log(line));
Deno.exit();

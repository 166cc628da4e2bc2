// deno-lint-ignore-file no-console
/** The probe in Deno, Node and Bun. */
import { readFileSync } from "node:fs";
import { probe } from "./probe.js";
import { instantiate } from "./reprise.js";

const bytes = readFileSync(new URL("./reprise.wasm", import.meta.url));
console.log(probe(instantiate, new WebAssembly.Module(bytes)));

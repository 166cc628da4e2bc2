// deno-lint-ignore-file no-console -- how it answers
/**
 * Runs a page's script in a realm that has what browsers have, and neither Node's own names nor
 * `Symbol.dispose`: `SCRIPT WASM|"" JSON`. Nothing is fetched.
 */
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";
import { Duplex } from "node:stream";
import { createContext, runInContext } from "node:vm";

const [script, wasm, json] = process.argv.slice(-3);
const input = JSON.parse(json);
const asked = [];
const page = {
  fetch: (url) => asked.push(String(url)),
  console,
  setTimeout,
  clearTimeout,
  queueMicrotask,
  crypto,
  performance,
  AbortController,
  AbortSignal,
  DOMException,
  ReadableStream,
  TextDecoder,
  TextEncoder,
  Uint8Array,
  URL,
  WebAssembly,
  WritableStream,
  atob,
  btoa,
};
page.globalThis = page.self = page;
createContext(page);
if (runInContext("Symbol.dispose", page)) throw new Error("This realm has Symbol.dispose");
runInContext(readFileSync(script, "utf8"), page);
const open = () => Duplex.toWeb(connect(input.port, "127.0.0.1"));
const engine = wasm && new WebAssembly.Module(readFileSync(wasm));
try {
  const visits = await page.visit(open, input, engine || undefined);
  console.log(JSON.stringify({ visits, asked }));
} catch (error) {
  console.log(JSON.stringify({ error: String(error), asked }));
  process.exitCode = 1;
}

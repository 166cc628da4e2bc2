/**
 * The cases of `web_socket_stream_cases.ts` in a page, which posts what became of them.
 *
 * @module
 */

import { provideEngine, startTls } from "../../src/entrypoints/browser.ts";
import { type Context, runCases } from "./web_socket_stream_cases.ts";

const places: Omit<Context, "startTls"> = await (await fetch("/places.json")).json();
provideEngine(await WebAssembly.compileStreaming(fetch("/reprise.wasm")));
const outcomes = await runCases({ ...places, startTls });
await fetch("/outcomes", { method: "POST", body: JSON.stringify(outcomes) });

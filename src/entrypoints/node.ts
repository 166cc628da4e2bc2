/**
 * The entry for Node and Bun: `node:net`, and the wasm file beside this one.
 *
 * @module
 */

import { readFileSync } from "node:fs";

import { provideConnector } from "../connector.ts";
import { provideEngine } from "../engine_pool.ts";
import { provideListener } from "../listener.ts";
import { nodeConnect, nodeListen } from "../transport/node.ts";

provideEngine(() => new WebAssembly.Module(readFileSync(new URL("reprise.wasm", import.meta.url))));
provideConnector(nodeConnect);
provideListener(nodeListen);

export * from "../api.ts";

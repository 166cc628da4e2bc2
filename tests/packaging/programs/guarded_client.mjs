// deno-lint-ignore-file no-console -- how it answers
/** What the client asks of the network, and what it reads and compiles before it connects. */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { Socket } from "node:net";
import process from "node:process";

const input = JSON.parse(process.argv.at(-1));
const asked = new Set();
globalThis.fetch = (url) => {
  asked.add(`fetch ${url}`);
  throw new Error("fetch is not for this");
};
const { connect } = Socket.prototype;
Socket.prototype.connect = function (...args) {
  const [options] = args.flat();
  asked.add(`TCP ${options.host}:${options.port}`);
  return connect.apply(this, args);
};

let read = 0;
const { readFileSync } = fs;
fs.readFileSync = (path, ...rest) => {
  if (String(path).endsWith(".wasm")) read++;
  return readFileSync(path, ...rest);
};
syncBuiltinESMExports();

let compiled = 0;
const count = (name) => {
  WebAssembly[name] = new Proxy(WebAssembly[name], {
    construct: (target, args) => (compiled++, new target(...args)),
    apply: (target, self, args) => (compiled++, target.apply(self, args)),
  });
};
["Module", "Instance", "compile", "instantiate", "compileStreaming", "instantiateStreaming"]
  .filter((name) => name in WebAssembly).forEach(count);

const { connectTls } = await import("@reprise/tls");
await import("@reprise/tls/engine");
await import("@reprise/tls/inline");
const byImport = { compiled, read };
const { resume } = await import("./resume.mjs");
const visits = await resume(connectTls, input);
const expected = `TCP localhost:${input.port}`;
console.log(JSON.stringify({
  visits,
  byImport,
  byConnecting: { compiled, read },
  elsewhere: [...asked].filter((each) => each !== expected),
  asked: asked.size,
}));

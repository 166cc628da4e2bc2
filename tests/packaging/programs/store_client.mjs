// deno-lint-ignore-file no-console -- how it answers
/** A client in Deno whose sessions go through a store: `kv PATH JSON` or `file PATH JSON`. */
import process from "node:process";
import { ClientContext, connectTls, SealingKeys } from "@reprise/tls";
import { denoKvStore } from "@reprise/tls/stores/deno_kv";
import { fileStore } from "@reprise/tls/stores/file";
import { resume } from "./resume.mjs";

const [kind, path, json] = process.argv.slice(-3);
const kv = kind === "kv" ? await Deno.openKv(path) : undefined;
const store = kv ? denoKvStore(kv) : fileStore(path);
const keys = await SealingKeys.generate();
let context;
const visits = await resume(async ({ caCerts, hostname, port }) => {
  await context?.settled();
  context ??= new ClientContext({ caCerts, resumption: { store, keys } });
  return await connectTls({ hostname, port, context });
}, JSON.parse(json));
await context.settled();
const { putsFailed } = context.stats();
kv?.close();
console.log(JSON.stringify({ visits, putsFailed }));

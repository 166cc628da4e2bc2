// deno-lint-ignore-file no-console -- how it answers
/** Serves two connections, then ends. */
import process from "node:process";
import { listenTls, memoryStore, SealingKeys, ServerContext } from "@reprise/tls";

const { cert, key } = JSON.parse(process.argv.at(-1));
const keys = await SealingKeys.generate();
const context = new ServerContext({
  cert,
  key,
  resumption: { mode: "stateful", store: memoryStore(), keys },
});
const listener = listenTls({ hostname: "127.0.0.1", port: 0, context });
console.log(`listening on ${(await listener.listening).port}`);
let served = 0;
for await (const conn of listener) {
  console.log(`resumed: ${(await conn.handshake()).resumed}`);
  await conn.write(new TextEncoder().encode("hello\n"));
  while (await conn.read(new Uint8Array(1024)).catch(() => null) !== null);
  await conn.close();
  if (++served === 2) break;
}
await listener.close();

/**
 * The process behind `startDenoServer`.
 *
 * Rules: one line of JSON on stdin sets it up, one line on stdout tells the port, and the end of
 * stdin ends it. A connection that fails is a line on stderr and ends nothing else.
 *
 * @module
 */

import type { DenoServerInput } from "./deno_server.ts";

const HELLO = new TextEncoder().encode(
  "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n",
);

async function serve(conn: Deno.TlsConn, answer: DenoServerInput["answer"]): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  try {
    if (answer === "hello") {
      await readRequest(conn, buffer);
      await writeAll(conn, HELLO);
      await conn.closeWrite();
      return;
    }
    for (let length; (length = await conn.read(buffer)) !== null;) {
      await writeAll(conn, buffer.subarray(0, length));
    }
    await conn.closeWrite();
  } catch (error) {
    // deno-lint-ignore no-console -- stdout and stderr are how it is spoken with
    console.error(`connection failed: ${error}`);
  } finally {
    conn.close();
  }
}

async function readRequest(conn: Deno.TlsConn, buffer: Uint8Array): Promise<void> {
  const decoder = new TextDecoder();
  let request = "";
  while (!request.includes("\r\n\r\n") && request.length < buffer.length) {
    const length = await conn.read(buffer);
    if (length === null) return;
    request += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
}

async function writeAll(conn: Deno.TlsConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

async function accept(
  listener: Deno.TlsListener,
  answer: DenoServerInput["answer"],
): Promise<void> {
  for await (const conn of listener) serve(conn, answer);
}

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).getReader();
let input = "";
while (!input.includes("\n")) {
  const { done, value } = await lines.read();
  if (done) Deno.exit(1);
  input += value;
}
const { cert, key, answer, alpn } = JSON.parse(input) as DenoServerInput;
const listener = Deno.listenTls({
  hostname: "127.0.0.1",
  port: 0,
  cert,
  key,
  ...(alpn ? { alpnProtocols: alpn } : {}),
});
accept(listener, answer);
// deno-lint-ignore no-console -- stdout and stderr are how it is spoken with
console.log(`LISTENING ${listener.addr.port}`);
while (!(await lines.read()).done);
Deno.exit(0);

/**
 * The demo's server: TLS as Deno has it natively (`Deno.listenTls`), in a process of its own.
 *
 * Rules: nothing of Reprise is in it. One line of JSON on stdin is its certificate and key, one
 * line on stdout its port, and the end of stdin its end, so that it never outlives the demo.
 *
 * @module
 */

/** What the server is told. Both in PEM. */
export interface ServerInput {
  cert: string;
  key: string;
}

/** Reads until the client closes; the first read does the handshake. */
async function serve(conn: Deno.TlsConn): Promise<void> {
  try {
    const buffer = new Uint8Array(16 * 1024);
    while (await conn.read(buffer) !== null);
  } catch {
    // A client that goes away, or does not like the certificate, ends its own connection only.
  } finally {
    conn.close();
  }
}

async function accept(listener: Deno.TlsListener): Promise<void> {
  for await (const conn of listener) serve(conn);
}

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).getReader();
let input = "";
for (let part = await lines.read(); !part.done; part = await lines.read()) {
  input += part.value;
  if (input.endsWith("\n")) break;
}
const { cert, key } = JSON.parse(input) as ServerInput;
const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
accept(listener);
// deno-lint-ignore no-console -- stdout is how it is spoken with
console.log(listener.addr.port);
while (!(await lines.read()).done);
Deno.exit(0);

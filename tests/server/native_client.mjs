/**
 * A client of `node:tls`, as Node and Bun have it, in a process of its own: it sends bytes, reads as
 * many back, and prints what it saw as a line of JSON.
 *
 * The input is JSON on stdin: `port`, `ca`, `length`, and whatever else `tls.connect` takes;
 * `session` is base64.
 */

import { connect } from "node:tls";

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { length, session, ...options } = JSON.parse(text);

const sent = Buffer.alloc(length);
for (let i = 0; i < length; i++) sent[i] = i * 7 + (i >> 8);

const seen = await new Promise((resolve, reject) => {
  const received = [];
  let count = 0;
  let newest = null;
  const socket = connect({
    host: "127.0.0.1",
    servername: "localhost",
    ...options,
    ...(session && { session: Buffer.from(session, "base64") }),
  }, () => socket.write(sent));
  socket.on("session", (bytes) => newest = bytes.toString("base64"));
  socket.on("error", reject);
  socket.on("data", (bytes) => {
    received.push(bytes);
    count += bytes.length;
    if (count < length) return;
    resolve({
      same: Buffer.concat(received).equals(sent),
      authorized: socket.authorized,
      protocol: socket.getProtocol(),
      alpn: socket.alpnProtocol || null,
      reused: socket.isSessionReused(),
      session: newest,
    });
    socket.end();
  });
});
// deno-lint-ignore no-console -- stdout is how it is spoken with
console.log(JSON.stringify(seen));

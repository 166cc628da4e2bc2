/**
 * The responses given as base64 in a JSON array on stdin, as Node's own HTTP client takes them: each
 * by a connection of its own to a TCP server that sends the bytes and ends. Prints a JSON array of
 * `{ status, body, reuse }` or `{ error }`.
 */

import { request } from "node:http";
import { createServer } from "node:net";

let text = "";
for await (const chunk of process.stdin) text += chunk;
const cases = JSON.parse(text);
const outcomes = [];
for (const { bytes, method } of cases) {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(Buffer.from(bytes, "base64")));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  outcomes.push(
    await new Promise((resolve) => {
      const client = request({ port, method, host: "127.0.0.1" }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", (error) => resolve({ error: error.code ?? error.message }));
        response.on("end", () => {
          resolve({
            status: response.statusCode,
            body: Buffer.concat(chunks).toString("latin1"),
            fields: response.rawHeaders,
          });
        });
      });
      client.on("error", (error) => resolve({ error: error.code ?? error.message }));
      client.on("upgrade", (_response, socket) => {
        socket.destroy();
        resolve({ error: "upgrade" });
      });
      client.end();
    }),
  );
  server.close();
}
process.stdout.write(JSON.stringify(outcomes));

/**
 * An HTTPS server of `node:https` in a process of its own: it answers each request with what it was
 * sent. The input is JSON on stdin: `cert`, `key`; the first line of its output is its port.
 */

import { createServer } from "node:https";

let text = "";
process.stdin.on("data", (chunk) => {
  text += chunk;
  if (!text.includes("\n")) return;
  const { cert, key } = JSON.parse(text);
  const server = createServer({ cert, key, keepAliveTimeout: 60_000 }, (request, response) => {
    response.setHeader("x-method", request.method);
    response.setHeader("x-url", request.url);
    response.setHeader("x-fields", JSON.stringify(request.rawHeaders));
    if (request.url === "/until-close") {
      response.useChunkedEncodingByDefault = false;
      response.shouldKeepAlive = false;
      response.removeHeader("transfer-encoding");
    }
    request.pipe(response);
  });
  server.listen(0, "127.0.0.1", () => {
    process.stdout.write(`LISTENING ${server.address().port}\n`);
  });
  text = "";
});
process.stdin.on("end", () => process.exit());

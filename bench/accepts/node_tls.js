/**
 * The server of `node:tls`, for Deno and for Node: an echo.
 *
 * @module
 */

import fs from "node:fs";
import process from "node:process";
import tls from "node:tls";
import { live } from "./life.js";

const [cert, key] = process.argv.slice(2).map((path) => fs.readFileSync(path, "utf8"));
const server = tls.createServer({ cert, key }, (socket) => {
  socket.on("error", () => {});
  socket.setNoDelay(true);
  socket.on("data", (bytes) => socket.write(bytes));
});
server.listen(0, "127.0.0.1", () => live(server.address().port));

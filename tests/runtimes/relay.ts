/**
 * TCP behind WebSockets: for runtimes that can listen on no port, and for pages that have no TCP.
 *
 * Rule: an end of either side ends the other one, at once for errors.
 *
 * @module
 */

/** Moves bytes both ways until the WebSocket is closed; the TCP connection is left to its owner. */
export async function relay(
  connecting: Deno.TcpConn | Promise<Deno.TcpConn>,
  socket: WebSocket,
): Promise<void> {
  socket.binaryType = "arraybuffer";
  const closed = new Promise<void>((resolve) => {
    socket.addEventListener("close", () => resolve());
    socket.addEventListener("error", () => resolve());
  });
  // Messages may come before there is a connection: none is missed.
  let writing = Promise.resolve();
  socket.addEventListener("message", ({ data }) => {
    const bytes = new Uint8Array(data);
    writing = writing.then(async () => {
      const tcp = await connecting;
      for (let sent = 0; sent < bytes.length;) sent += await tcp.write(bytes.subarray(sent));
    });
    writing.catch(() => socket.close());
  });
  await opened(socket);
  const tcp = await connecting;
  tcp.setNoDelay(true);
  const reading = (async () => {
    const buffer = new Uint8Array(64 * 1024);
    for (let n; (n = await tcp.read(buffer)) !== null;) {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(buffer.slice(0, n));
    }
  })();
  reading.catch(() => {}).finally(() => socket.close());
  await closed;
  await writing.catch(() => {});
}

/** Waits until a WebSocket is open. */
async function opened(socket: WebSocket): Promise<void> {
  if (socket.readyState === WebSocket.OPEN) return;
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error("The WebSocket cannot be opened")));
    socket.addEventListener("close", () => reject(new Error("The WebSocket was closed")));
  });
}

/**
 * A loopback listener that owns its connections.
 *
 * Rules:
 * - The port is the system's choice, on 127.0.0.1.
 * - When a handler returns or throws, its connections are closed. A throw is an end, not an error:
 *   on these peers clients go away at any time.
 * - Disposing closes everything, aborts the handlers' signal, and waits for the handlers. Doing it
 *   twice is fine.
 *
 * @module
 */

/** `own` hands over a further connection, to be closed with the first one. */
export type Handler = (
  conn: Deno.TcpConn,
  own: (conn: Deno.TcpConn) => Deno.TcpConn,
  signal: AbortSignal,
) => Promise<void>;

export class TcpListener implements AsyncDisposable {
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #handlers = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  readonly #accepting: Promise<void>;
  #accepted = 0;

  constructor(handle: Handler) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#accepting = this.#accept(handle);
  }

  accepted(): number {
    return this.#accepted;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#abort.signal.aborted) this.#listener.close();
    this.#abort.abort();
    for (const conn of this.#open) this.#close(conn);
    await this.#accepting;
    await Promise.all(this.#handlers);
  }

  async #accept(handle: Handler): Promise<void> {
    for await (const conn of this.#listener) {
      this.#accepted++;
      conn.setNoDelay(true);
      const handler = this.#run(conn, handle).finally(() => this.#handlers.delete(handler));
      this.#handlers.add(handler);
    }
  }

  async #run(conn: Deno.TcpConn, handle: Handler): Promise<void> {
    const owned: Deno.TcpConn[] = [];
    const own = (more: Deno.TcpConn) => {
      owned.push(more);
      this.#open.add(more);
      // Disposed while it was connecting.
      if (this.#abort.signal.aborted) this.#close(more);
      return more;
    };
    try {
      await handle(own(conn), own, this.#abort.signal);
    } catch {
      // See the rules.
    } finally {
      for (const each of owned) this.#close(each);
    }
  }

  #close(conn: Deno.TcpConn): void {
    if (this.#open.delete(conn)) conn.close();
  }
}

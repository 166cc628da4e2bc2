/**
 * What is remembered of a connection between requests, and whether it takes another one.
 *
 * Rules: one exchange at a time. While none is under way one read is, so that an end or bytes that
 * nobody asked for are seen before the next request is sent. A connection that was refused once
 * stays refused.
 *
 * @module
 */

import { deadline } from "../deadline.ts";
import { HttpError, late } from "./errors.ts";
import type { HttpConn } from "./http_conn.ts";
import { Input } from "./input.ts";

const links = new WeakMap<HttpConn, Link>();

/** What is known of this connection; made with its first request. */
export function linkOf(conn: HttpConn): Link {
  let link = links.get(conn);
  if (link === undefined) links.set(conn, link = new Link(conn));
  return link;
}

/**
 * Whether `fetchOver()` would take the connection now: no response is being read, the server keeps
 * it open, and nothing went wrong. A server may close it in the next moment, so a `true` is no promise.
 * In Workers a connection is of use in the request that opened it only, whatever this says.
 *
 * @example
 * ```ts ignore
 * if (!canReuse(conn)) conn = await connectTls({ hostname, port });
 * const response = await fetchOver(conn, url);
 * ```
 */
export function canReuse(conn: HttpConn): boolean {
  return links.get(conn)?.free ?? true;
}

/** One connection. */
export class Link {
  readonly conn: HttpConn;
  readonly input: Input;
  #state: "idle" | "busy" | "over" = "idle";
  #why = "";
  #cause: unknown;
  #opened = false;
  #closed = false;

  /** Nothing is read before `open()`. */
  constructor(conn: HttpConn) {
    this.conn = conn;
    this.input = new Input(conn);
  }

  /** Whether an exchange can begin. */
  get free(): boolean {
    return this.#state === "idle" && this.input.quiet;
  }

  /** An exchange begins, or an error says why it cannot. */
  begin(): void {
    if (this.#state === "busy") {
      throw new HttpError(
        "ERR_HTTP_BUSY",
        "The connection is in use: read the response before to its end, or cancel it",
      );
    }
    if (this.#state === "over") throw this.#refusal();
    this.checkQuiet();
    this.#state = "busy";
  }

  /**
   * Before the first request: is it HTTP/1.1 that was agreed on? Then begins to listen. The
   * handshake has `headTimeout` to end.
   */
  async open(headTimeout: number, stop: AbortSignal): Promise<void> {
    if (this.#opened) return;
    const protocol = (await this.#handshake(headTimeout, stop))?.alpnProtocol;
    if (protocol && protocol !== "http/1.1") {
      this.retire(`its protocol is "${protocol}"`);
      throw new HttpError(
        "ERR_HTTP_ALPN",
        `The handshake agreed on "${protocol}", not on "http/1.1"`,
      );
    }
    this.#opened = true;
    this.input.fill();
  }

  async #handshake(
    headTimeout: number,
    stop: AbortSignal,
  ): Promise<{ alpnProtocol?: string | null } | undefined> {
    const over = late("headTimeout", "The handshake did not end", headTimeout);
    using limit = deadline(headTimeout, stop, () => over);
    try {
      return await limit.race((async () => await this.conn.handshake?.())());
    } catch (error) {
      // Who waits for it still, waits with a connection that is closed.
      if (error === over) this.end("its handshake did not end", error);
      else this.retire("its handshake failed", error);
      throw error;
    }
  }

  /** Throws where something came that no request of ours asked for. */
  checkQuiet(): void {
    const { input } = this;
    if (input.quiet) return;
    if (input.failure !== undefined) this.end("it failed", input.failure.error);
    else if (input.bytes.length > 0) this.end("the server sent bytes that no request asked for");
    else this.retire("the server ended it");
    throw this.#refusal();
  }

  /** The exchange is over, and another one may follow. */
  release(): void {
    if (this.#state !== "busy") return;
    this.#state = "idle";
    if (this.#opened) this.input.fill();
  }

  /** No request may follow; closing is left to the owner. */
  retire(why: string, cause?: unknown): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#why = why;
    this.#cause = cause;
  }

  /** No request may follow, and what is under way must end: closes. */
  end(why: string, cause?: unknown): void {
    this.retire(why, cause);
    if (this.#closed) return;
    this.#closed = true;
    // It is over either way.
    (async () => await this.conn.close())().catch(() => {});
  }

  #refusal(): HttpError {
    return new HttpError(
      "ERR_HTTP_NOT_REUSABLE",
      `The connection takes no further request: ${this.#why}`,
      { cause: this.#cause },
    );
  }
}

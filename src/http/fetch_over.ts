/**
 * `fetch` over a connection of the caller's.
 *
 * @module
 */

import { Exchange } from "./exchange.ts";
import type { HttpConn } from "./http_conn.ts";
import { linkOf } from "./link.ts";
import { reading } from "../option_errors.ts";
import { checkOptions, type FetchOverOptions } from "./options.ts";
import { prepare } from "./request.ts";

/**
 * Sends a request over an established connection as HTTP/1.1 (RFC 9112), and resolves with the
 * response when its head is there. The body streams: it is read from the connection only as fast as
 * it is read from the response.
 *
 * - One request at a time: read a response's body to its end, or cancel it, which closes the
 *   connection; before that the next call rejects with `ERR_HTTP_BUSY`. Afterwards the next request
 *   can follow, if {@linkcode canReuse} says so.
 * - What the server says is what you get: no redirect is followed, nothing is decompressed (nor
 *   asked for: no Accept-Encoding is sent), there are no cookies and no cache.
 * - The URL gives the request's target and Host, and nothing else: whether the connection leads
 *   there is yours to know. Fields of a connection (Connection, Transfer-Encoding, Upgrade, Expect
 *   and their like) are left out; `connection: close` and a true `content-length` count. Nothing is
 *   added but the framing, and the Content-Type of a body that has one.
 * - A body whose length is known, or that ends within `maxBufferedBody` bytes and 50 ms, is sent with
 *   Content-Length, another one in chunks: those of the stream, of which the small ones that are
 *   there already go out in one write. An answer of 300 or above that comes before all is sent stops
 *   the body.
 * - A body without a length is complete only when the connection ends in order. A body that is cut
 *   off fails with `ERR_TLS_TRUNCATED`, or, where the connection ends in order before the body does,
 *   with `ERR_HTTP_TRUNCATED`.
 * - The response's `url` is empty, as nobody but `fetch` can set it; browsers hide Set-Cookie in it.
 *
 * @param conn A `TlsConn`, or anything of the shape. The call leaves it open, but closes it when the
 * exchange fails, is aborted, or leaves the connection in doubt.
 * @param input The request, or its URL with `method`, `headers` and `body` among the options.
 * @throws {HttpError} What went wrong with HTTP; see its table.
 * @throws {TypeError} An option or the request cannot be sent like this; nothing was.
 *
 * @example
 * ```ts ignore
 * import { connectTls } from "@reprise/tls";
 * import { canReuse, fetchOver } from "@reprise/tls/http";
 *
 * await using conn = await connectTls({ hostname: "example.com", port: 443 });
 * const page = await fetchOver(conn, "https://example.com/");
 * console.log(page.status, await page.text());
 * if (canReuse(conn)) {
 *   const answer = await fetchOver(conn, "https://example.com/items", {
 *     method: "POST",
 *     headers: { "content-type": "application/json" },
 *     body: JSON.stringify({ name: "one more" }),
 *     signal: AbortSignal.timeout(5_000),
 *   });
 *   console.log(answer.ok);
 * }
 * ```
 */
export async function fetchOver(
  conn: HttpConn,
  input: Request | string | URL,
  options: FetchOverOptions = {},
): Promise<Response> {
  checkConn(conn);
  const { limits, request: asked } = checkOptions(options);
  const request = prepare(input, asked);
  for (const signal of request.signals) if (signal.aborted) throw signal.reason;
  const link = linkOf(conn);
  link.begin();
  return await new Exchange(link, request, limits).run();
}

function checkConn(conn: unknown): void {
  for (const method of ["read", "write", "close"]) {
    const given = conn as Record<string, unknown> | null | undefined;
    if (typeof reading('Argument "conn"', () => given?.[method]) !== "function") {
      throw new TypeError(`Argument "conn" must be a connection, and has no ${method}()`);
    }
  }
}

/**
 * What goes wrong with HTTP: one class, stable codes.
 *
 * Rules: a `code` never changes its meaning; messages may. A bad argument is a `TypeError`, an abort
 * rejects with the signal's reason, and what the connection itself throws comes through as it is.
 *
 * @module
 */

/** Every value of {@linkcode HttpError.code}. */
export type HttpErrorCode =
  | "ERR_HTTP_ALPN"
  | "ERR_HTTP_BODY_LENGTH"
  | "ERR_HTTP_BUSY"
  | "ERR_HTTP_CLOSED"
  | "ERR_HTTP_FRAMING"
  | "ERR_HTTP_LIMIT"
  | "ERR_HTTP_MALFORMED"
  | "ERR_HTTP_NOT_REUSABLE"
  | "ERR_HTTP_TIMEOUT"
  | "ERR_HTTP_TRUNCATED"
  | "ERR_HTTP_UPGRADE";

/** What an {@linkcode HttpError} is made from, next to its code and message. */
export interface HttpErrorInit {
  /** The option whose limit was reached. */
  limit?: string;
  /** The error behind it. */
  cause?: unknown;
}

/**
 * What `fetchOver()` and the bodies of its responses reject with, but for bad arguments
 * (`TypeError`), aborts (the signal's own reason) and errors of the connection (`TlsError`).
 *
 * | code | meaning |
 * | --- | --- |
 * | `ERR_HTTP_NOT_REUSABLE` | the connection takes no further request; nothing of this one was sent |
 * | `ERR_HTTP_BUSY` | the response before is not read to its end; nothing of this request was sent |
 * | `ERR_HTTP_ALPN` | the handshake agreed on another protocol than HTTP/1.1; nothing was sent |
 * | `ERR_HTTP_CLOSED` | the connection ended before the first byte of an answer; see `cause` |
 * | `ERR_HTTP_TRUNCATED` | the connection ended within a response: what was read is cut short |
 * | `ERR_HTTP_MALFORMED` | the server's bytes are no HTTP/1 response |
 * | `ERR_HTTP_FRAMING` | the response does not say without doubt where its body ends |
 * | `ERR_HTTP_LIMIT` | the response goes beyond the option named in `limit` |
 * | `ERR_HTTP_TIMEOUT` | the time of the option named in `limit` is over |
 * | `ERR_HTTP_UPGRADE` | the server switched protocols, which no request asks for |
 * | `ERR_HTTP_BODY_LENGTH` | the request's body is longer or shorter than its Content-Length |
 *
 * After the first two a request can be sent again elsewhere: the server has seen nothing of it. Its
 * body, if it is a stream, may have been read meanwhile, where the connection ended in that moment:
 * `clone()` a `Request` that is to be sent again. After `ERR_HTTP_CLOSED` send it again if doing it
 * twice does no harm (RFC 9110 §9.2.2), as the server may have seen it.
 *
 * @example
 * ```ts
 * import { HttpError } from "@reprise/tls/http";
 *
 * const error = new HttpError("ERR_HTTP_LIMIT", "Too many fields", { limit: "maxHeaderCount" });
 * console.assert(error.code === "ERR_HTTP_LIMIT" && error.limit === "maxHeaderCount");
 * ```
 */
export class HttpError extends Error {
  /** The kind of error; stable across releases. */
  readonly code: HttpErrorCode;
  /** The option whose limit was reached, with `ERR_HTTP_LIMIT` and `ERR_HTTP_TIMEOUT`. */
  readonly limit?: string;

  /** Makes an error with a stable code. */
  constructor(code: HttpErrorCode, message: string, init: HttpErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = "HttpError";
    this.code = code;
    if (init.limit !== undefined) this.limit = init.limit;
  }
}

/** The server broke the grammar of RFC 9112. */
export function malformed(message: string): HttpError {
  return new HttpError("ERR_HTTP_MALFORMED", message);
}

/** The server went beyond an option's limit. */
export function beyond(limit: string, what: string, value: number): HttpError {
  return new HttpError("ERR_HTTP_LIMIT", `${what}, and "${limit}" is ${value}`, { limit });
}

/** A time limit is over. */
export function late(limit: string, what: string, milliseconds: number): HttpError {
  return new HttpError("ERR_HTTP_TIMEOUT", `${what} within ${milliseconds} ms`, { limit });
}

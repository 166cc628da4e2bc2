/**
 * HTTP/1.1 over a connection: `fetch` where neither `fetch` nor a library can be given a stream of
 * one's own.
 *
 * Rule: it knows the shape of a connection, and nothing of engine, sessions or stores.
 *
 * @module
 */

export { HttpError, type HttpErrorCode, type HttpErrorInit } from "./errors.ts";
export { fetchOver } from "./fetch_over.ts";
export type { HttpConn } from "./http_conn.ts";
export { canReuse } from "./link.ts";
export type { FetchOverOptions } from "./options.ts";

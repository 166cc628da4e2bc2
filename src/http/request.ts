/**
 * What `fetchOver()` is asked for, checked, and the head it is sent with (RFC 9112 §3).
 *
 * Rules: Host and the framing are this library's own. Fields that are of a connection and not of a
 * request are left out, as `fetch` leaves them out. Nothing else is added, no User-Agent, no Accept,
 * no Accept-Encoding.
 *
 * @module
 */

import { badOption } from "../option_errors.ts";
import { type Field, isFieldValue, isToken, listOf, trimSpace } from "./fields.ts";
import type { RequestOptions } from "./options.ts";
import { RequestBody } from "./request_body.ts";

/** A request, ready to be sent. */
export interface PreparedRequest {
  method: string;
  /** In origin-form. */
  target: string;
  host: string;
  /** Without Host, the framing, and what is of a connection. */
  fields: Field[];
  /** No other request shall follow. */
  close: boolean;
  body: RequestBody;
  /** Those of the request and of the options. */
  signals: AbortSignal[];
}

/** Of a connection, or set by this library; see also what Connection names. */
const LEFT_OUT = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** `fetch` writes these in capitals, and others as they are. */
const NORMALIZED = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);
const REFUSED = new Set(["CONNECT", "TRACE", "TRACK"]);
/** Their servers wait for a length where there is no body, too (RFC 9110 §8.6). */
const WITH_LENGTH = new Set(["PATCH", "POST", "PUT"]);

/** Checks what the caller asks for; reads nothing of a body yet. */
export function prepare(
  input: Request | string | URL,
  options: RequestOptions,
): PreparedRequest {
  const request = isRequest(input) ? input : undefined;
  const url = new URL(request?.url ?? input as string | URL);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new TypeError(`The URL must be of https: or http:, got ${url.protocol}`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new TypeError("The URL must have no user name or password");
  }
  const method = checkMethod(
    options.method === undefined ? request?.method ?? "GET" : options.method,
  );
  const headers = new Headers(options.headers ?? request?.headers);
  const body = options.body === undefined && request !== undefined
    ? RequestBody.ofRequest(request)
    : RequestBody.of(options.body === undefined ? null : options.body);
  if (body !== null && (method === "GET" || method === "HEAD")) {
    throw new TypeError(`A ${method} request must have no body`);
  }
  if (body?.type && !headers.has("content-type")) headers.set("content-type", body.type);
  const all = checkFields(headers);
  const own = body ?? RequestBody.none(WITH_LENGTH.has(method));
  declareLength(own, headers);
  const connection = listOf(all, "connection");
  return {
    method,
    target: url.pathname + url.search,
    host: url.host,
    fields: all.filter(([name]) => !LEFT_OUT.has(name) && !connection.includes(name)),
    close: connection.includes("close"),
    body: own,
    signals: [request?.signal, options.signal].filter(isSignal),
  };
}

/** The head in bytes, once the framing of the body is decided. */
export function headOf({ method, target, host, fields, close, body }: PreparedRequest): Uint8Array {
  const lines = [`${method} ${target} HTTP/1.1`, `host: ${host}`];
  for (const [name, value] of fields) lines.push(`${name}: ${value}`);
  if (close) lines.push("connection: close");
  if (body.framing !== "none") lines.push(body.framing);
  const text = `${lines.join("\r\n")}\r\n\r\n`;
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** As with {@linkcode isRequest}: it may be of another realm. */
function isSignal(signal: AbortSignal | null | undefined): signal is AbortSignal {
  return typeof signal?.aborted === "boolean" && typeof signal.addEventListener === "function";
}

/** A `Request` of this realm, of a library, or of another realm. */
function isRequest(input: unknown): input is Request {
  return typeof input === "object" && input !== null && "url" in input && "method" in input;
}

function checkMethod(method: unknown): string {
  if (typeof method !== "string") badOption("method", "a string", method);
  const upper = method.toUpperCase();
  if (!isToken(method) || REFUSED.has(upper)) {
    throw new TypeError(
      `Option "method" must be a token other than CONNECT, TRACE and TRACK, got ${
        JSON.stringify(method)
      }`,
    );
  }
  return NORMALIZED.has(upper) ? upper : method;
}

function checkFields(headers: Headers): Field[] {
  const fields: Field[] = [];
  headers.forEach((value, name) => {
    // `Headers` has its own checks; a line break in a request is too bad to rely on them.
    if (!isToken(name) || !isFieldValue(value)) {
      throw new TypeError(`Header ${JSON.stringify(name)} has a value that cannot be sent`);
    }
    fields.push([name, value]);
  });
  return fields;
}

/** A Content-Length of the caller's counts where a body's length is not known. */
function declareLength(body: RequestBody, headers: Headers): void {
  const value = headers.get("content-length");
  if (value === null) return;
  const length = Number(trimSpace(value));
  if (!/^\d+$/.test(trimSpace(value)) || !Number.isSafeInteger(length)) {
    throw new TypeError(`Header "content-length" must be a number of bytes, got "${value}"`);
  }
  body.declare(length);
}

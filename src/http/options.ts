/**
 * The options of `fetchOver()`: their defaults and checks.
 *
 * Rule: each one has an effect. What `fetch` knows and this does not (`redirect`, `credentials`,
 * `cache`, …) is a `TypeError`, not silence.
 *
 * @module
 */

import { badOption, reading, typeOf } from "../option_errors.ts";
import { checkInteger, checkSignal, checkTimeout } from "../options.ts";
import { type KnownOptions, readOptions } from "../read_options.ts";

/** Options of `fetchOver()`. */
export interface FetchOverOptions {
  /** As in `RequestInit`. CONNECT, TRACE and TRACK are refused. */
  method?: string;
  /** As in `RequestInit`; in place of those of the `Request`. */
  headers?: ConstructorParameters<typeof Headers>[0];
  /** As in `RequestInit`; a stream needs no `duplex`. */
  body?: NonNullable<RequestInit["body"]> | null;
  /** Aborts and closes the connection. The signal of the `Request` counts as well. */
  signal?: AbortSignal | null;
  /** Of a response's status line and fields, in bytes. Default: 65,536. */
  maxHeadBytes?: number;
  /** How many fields a response, and its trailers, may have. Default: 256. */
  maxHeaderCount?: number;
  /** Of a response's body, in bytes; `Infinity`, the default, for none. */
  maxBodyBytes?: number;
  /** How many 1xx responses may come before the final one. Default: 16. */
  maxInterimResponses?: number;
  /** Of all chunk extensions of a response, in bytes. They are skipped. Default: 16,384. */
  maxChunkExtensionBytes?: number;
  /** Of a response's trailers, in bytes. They are checked and dropped. Default: 16,384. */
  maxTrailerBytes?: number;
  /**
   * How much of a request's body, in bytes, waits at most 50 ms for its end, so that
   * Content-Length can be sent. A longer or slower one is sent in chunks. Default: 65,536.
   */
  maxBufferedBody?: number;
  /**
   * From the end of the request to the end of the response's head, and before the first request for
   * the connection's handshake, in ms. Default: 60,000.
   */
  headTimeout?: number;
  /**
   * For the next bytes of a response's body, while somebody reads it; for the connection to take
   * bytes of the request; and, until the response is there, for a stream to give the next bytes of
   * the request's body; in ms. Chunks without bytes do not count. Default: 60,000.
   */
  idleTimeout?: number;
}

/** The limits among the options, checked. */
export type Limits = Required<
  Omit<FetchOverOptions, "method" | "headers" | "body" | "signal">
>;

const COUNTS = {
  maxHeadBytes: { fallback: 64 * 1024, min: 64 },
  maxHeaderCount: { fallback: 256, min: 0 },
  maxInterimResponses: { fallback: 16, min: 0 },
  maxChunkExtensionBytes: { fallback: 16 * 1024, min: 0 },
  maxTrailerBytes: { fallback: 16 * 1024, min: 0 },
  maxBufferedBody: { fallback: 64 * 1024, min: 0 },
};
const LARGEST_COUNT = 16 * 1024 * 1024;
const TIMEOUT_MS = 60_000;

const OPTIONS = {
  method: "anywhere",
  headers: "anywhere",
  body: "anywhere",
  signal: "anywhere",
  maxHeadBytes: "anywhere",
  maxHeaderCount: "anywhere",
  maxBodyBytes: "anywhere",
  maxInterimResponses: "anywhere",
  maxChunkExtensionBytes: "anywhere",
  maxTrailerBytes: "anywhere",
  maxBufferedBody: "anywhere",
  headTimeout: "anywhere",
  idleTimeout: "anywhere",
} as const satisfies KnownOptions<FetchOverOptions>;

/** What is to be sent, of the options; the limits are apart. */
export interface RequestOptions {
  method: unknown;
  headers: Headers | undefined;
  body: unknown;
  signal: AbortSignal | undefined;
}

/** Reads all options and checks them; the limits come with their defaults. */
export function checkOptions(options: unknown): { limits: Limits; request: RequestOptions } {
  const read = readOptions(options, OPTIONS, "fetchOver() options");
  const count = (name: keyof typeof COUNTS): number => {
    const { fallback, min } = COUNTS[name];
    const value = read[name];
    return value === undefined ? fallback : checkInteger(name, value, min, LARGEST_COUNT);
  };
  const { method, headers, body, signal } = read;
  const limits = {
    maxHeadBytes: count("maxHeadBytes"),
    maxHeaderCount: count("maxHeaderCount"),
    maxInterimResponses: count("maxInterimResponses"),
    maxChunkExtensionBytes: count("maxChunkExtensionBytes"),
    maxTrailerBytes: count("maxTrailerBytes"),
    maxBufferedBody: count("maxBufferedBody"),
    maxBodyBytes: checkBodyBytes(read.maxBodyBytes),
    headTimeout: checkTimeout("headTimeout", read.headTimeout, TIMEOUT_MS),
    idleTimeout: checkTimeout("idleTimeout", read.idleTimeout, TIMEOUT_MS),
  };
  const request = {
    method,
    headers: checkHeaders(headers),
    body,
    signal: checkSignal("signal", signal === null ? undefined : signal),
  };
  return { limits, request };
}

/** `Object.prototype` or none: of an instance of a class `Headers` takes what it has itself. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** `undefined`, or what `Headers` can be made of: it takes any object, most of them for no fields. */
function checkHeaders(value: unknown): Headers | undefined {
  if (value === undefined) return undefined;
  const expected = "Headers, pairs of strings, or an object of strings";
  const isOne = reading(
    'Option "headers"',
    () =>
      typeof value === "object" && value !== null && !ArrayBuffer.isView(value) &&
      (Symbol.iterator in value || Object.keys(value).length > 0 || isPlain(value)),
  );
  if (!isOne) badOption("headers", expected, value);
  try {
    return new Headers(value as Headers);
  } catch (cause) {
    throw new TypeError(`Option "headers" must be ${expected}, got ${typeOf(value)}`, { cause });
  }
}

function checkBodyBytes(value: unknown): number {
  if (value === undefined || value === Infinity) return Infinity;
  if (typeof value !== "number") badOption("maxBodyBytes", "a number of bytes", value);
  return checkInteger("maxBodyBytes", value, 0, Number.MAX_SAFE_INTEGER);
}

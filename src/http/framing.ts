/**
 * Where a response's body ends, and whether the connection goes on after it (RFC 9112 §6.3, §9.3).
 *
 * Rules: where the RFC leaves a choice between guessing and an error, it is an error. A response
 * that has no body for its status, and speaks of one all the same, ends the connection.
 *
 * @module
 */

import { HttpError } from "./errors.ts";
import { clip, listOf, trimSpace, valuesOf } from "./fields.ts";
import type { ResponseHead } from "./response_head.ts";

/** How a body is delimited. */
export type Framing =
  /** There is no body. */
  | { kind: "none" }
  | { kind: "length"; length: number }
  | { kind: "chunked" }
  | { kind: "until_close" };

/** What becomes of the connection. */
export interface ResponseFraming {
  framing: Framing;
  /** Whether the server lets another request follow. */
  persistent: boolean;
}

/** The framing of a final response to a request with this method. */
export function framingOf(head: ResponseHead, method: string): ResponseFraming {
  const { status } = head;
  const declared = declaredFraming(head);
  const persistent = isPersistent(head);
  if (method === "HEAD" || status === 304) return { framing: { kind: "none" }, persistent };
  if (status === 204 || status === 205) {
    // What is declared besides an empty body may follow, and nobody knows.
    const length = declared.kind === "length" ? declared.length : NaN;
    const quiet = length === 0 || (status === 204 && declared.kind === "until_close");
    return { framing: { kind: "none" }, persistent: persistent && quiet };
  }
  return { framing: declared, persistent: persistent && declared.kind !== "until_close" };
}

/** Checks an interim response, which has no body and must not speak of one (RFC 9112 §6.1). */
export function checkInterim({ minor, status, fields }: ResponseHead): void {
  if (minor === 0) throw unclear("HTTP/1.0 has no interim responses");
  if (status === 101) {
    throw new HttpError("ERR_HTTP_UPGRADE", "The server switched to another protocol, unasked");
  }
  for (const name of ["transfer-encoding", "content-length"]) {
    if (valuesOf(fields, name).length > 0) throw unclear(`A ${status} response has a ${name}`);
  }
}

function declaredFraming({ minor, fields }: ResponseHead): Framing {
  const codings = valuesOf(fields, "transfer-encoding");
  const lengths = valuesOf(fields, "content-length");
  if (codings.length > 0) {
    if (lengths.length > 0) {
      throw unclear("The response has both a transfer-encoding and a content-length");
    }
    if (minor === 0) throw unclear("An HTTP/1.0 response has a transfer-encoding");
    if (codings.length > 1 || codings[0] !== "chunked") {
      throw unclear(`The transfer-encoding is not "chunked": "${clip(codings.join(", "))}"`);
    }
    return { kind: "chunked" };
  }
  if (lengths.length === 0) return { kind: "until_close" };
  const all = lengths.flatMap((value) => value.split(",")).map(trimSpace);
  const [first] = all;
  // Once and again the same is one (RFC 9110 §8.6).
  if (!/^\d{1,16}$/.test(first) || all.some((text) => text !== first)) {
    throw unclear(`The content-length is invalid: "${clip(lengths.join(", "))}"`);
  }
  const length = Number(first);
  if (!Number.isSafeInteger(length)) throw unclear(`The content-length is too large: ${first}`);
  return { kind: "length", length };
}

function isPersistent({ minor, fields }: ResponseHead): boolean {
  const options = listOf(fields, "connection");
  if (options.includes("close")) return false;
  return minor === 1 || options.includes("keep-alive");
}

function unclear(message: string): HttpError {
  return new HttpError("ERR_HTTP_FRAMING", message);
}

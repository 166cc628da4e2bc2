/**
 * What the fault tests have in common: options of a client, ways to read, and errors told apart.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  ClientContext,
  type ConnectTlsOptions,
  type TlsConn,
  TlsError,
  type TlsErrorCode,
  type TlsErrorOrigin,
} from "../../mod.ts";
import { within } from "../engine/bounded.ts";
import { caCert } from "../testdata/mod.ts";

export const hostname = "127.0.0.1";

/** Trusts both roots of the test data. */
export const context = new ClientContext({ caCerts: [caCert("ec"), caCert("rsa")] });

/** Options that lead to a server of the tests. */
export function to(
  server: { port: number },
  more: Partial<ConnectTlsOptions> = {},
): ConnectTlsOptions {
  return { hostname, port: server.port, context, ...more };
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Bytes in which each place is told from its neighbours. */
export function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8) * 7) & 0xff);
}

/** The error of a promise that is to reject with a `TlsError` of this code. */
export async function tlsError(
  promise: Promise<unknown>,
  code: TlsErrorCode,
  expected: { origin?: TlsErrorOrigin; alert?: string } = {},
): Promise<TlsError> {
  const error = await rejection(promise);
  assert(error instanceof TlsError, `${error} is a TlsError`);
  assertEquals(error.code, code, error.message);
  if (expected.origin !== undefined) assertEquals(error.origin, expected.origin);
  if ("alert" in expected) assertEquals(error.alert, expected.alert);
  return error;
}

/** What a promise rejects with, within bounds. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let rejected: { error: unknown } | undefined;
  await within(promise.catch((error) => rejected = { error }), "the promise settles");
  assert(rejected !== undefined, "The promise is to reject");
  return rejected.error;
}

/** One read, as text; `null` at the end. */
export async function readText(conn: TlsConn): Promise<string | null> {
  const buffer = new Uint8Array(64 * 1024);
  const n = await within(conn.read(buffer), "a read");
  return n === null ? null : textOf(buffer.subarray(0, n));
}

/** Reads until there are so many bytes. */
export async function readExactly(conn: TlsConn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const n = await within(conn.read(bytes.subarray(at)), `${length - at} more bytes`);
    assert(n !== null, `The end came ${length - at} bytes too early`);
    at += n;
  }
  return bytes;
}

/** Reads to the end or the error. */
export async function readAll(conn: TlsConn): Promise<{ bytes: Uint8Array; error: unknown }> {
  const chunks: BlobPart[] = [];
  let error: unknown;
  try {
    const buffer = new Uint8Array(64 * 1024);
    for (let n = await within(conn.read(buffer), "a read"); n !== null;) {
      chunks.push(buffer.slice(0, n));
      n = await within(conn.read(buffer), "a read");
    }
  } catch (thrown) {
    error = thrown;
  }
  return { bytes: new Uint8Array(await new Blob(chunks).arrayBuffer()), error };
}

/** A port on which nobody listens. */
export function unusedPort(): number {
  const listener = Deno.listen({ hostname, port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/**
 * The ways of a request's bytes: out of the source of its body, and into the connection.
 *
 * Rule: a time limit counts from the last byte that went its way. A connection that takes nothing,
 * or says so, makes no progress by that; nor does a source by chunks without bytes.
 *
 * @module
 */

import { deadline } from "../deadline.ts";
import { late } from "./errors.ts";
import type { HttpConn } from "./http_conn.ts";
import { turn } from "./turn.ts";

/** Hands all of `bytes` to the connection, which has `idleTimeout` for each part that it takes. */
export async function writeAll(
  conn: HttpConn,
  bytes: Uint8Array,
  idleTimeout: number,
  stop: AbortSignal,
): Promise<void> {
  while (bytes.length > 0) {
    using limit = deadline(
      idleTimeout,
      stop,
      () => late("idleTimeout", "The connection took no bytes", idleTimeout),
    );
    const taken = await limit.race(writeSome(conn, bytes, limit.signal));
    bytes = bytes.subarray(taken);
  }
}

/** How many the connection took; what takes none is asked again, while the time lasts. */
async function writeSome(conn: HttpConn, bytes: Uint8Array, over: AbortSignal): Promise<number> {
  for (;;) {
    const taken = await conn.write(bytes);
    if (typeof taken !== "number") return bytes.length;
    if (!Number.isInteger(taken) || taken < 0 || taken > bytes.length) {
      throw new TypeError(
        `The connection's write() must say how many of ${bytes.length} bytes it took, got ${taken}`,
      );
    }
    if (taken > 0) return taken;
    await turn(over);
    over.throwIfAborted();
  }
}

/**
 * The next piece of a body. Its source has `idleTimeout`, but not once the response is there: then
 * that decides how long the request goes on.
 */
export async function nextPiece(
  pieces: AsyncIterator<Uint8Array, void>,
  idleTimeout: number,
  stop: AbortSignal,
  answered: () => boolean,
): Promise<Uint8Array | null> {
  const next = pieces.next();
  const over = Symbol();
  for (;;) {
    using limit = deadline(answered() ? Infinity : idleTimeout, stop, () => over);
    try {
      const { done, value } = await limit.race(next);
      return done ? null : value;
    } catch (error) {
      if (error !== over) throw error;
      if (!answered()) {
        throw late("idleTimeout", "The request's body had no more bytes", idleTimeout);
      }
    }
  }
}

/**
 * The connection that HTTP goes over, by its shape alone.
 *
 * @module
 */

/**
 * What `fetchOver()` speaks over: a `TlsConn`, or anything else of this shape, such as `Deno.Conn`.
 * From the first request on it belongs to `fetchOver()`, which keeps a read under way between
 * requests as well, to see an end; it stays yours to close.
 */
export interface HttpConn {
  /**
   * Reads bytes; how many, or `null` at the end. The end completes a body that has no length, so it
   * must be one that nobody on the way can make: for a `TlsConn`, close_notify. 0 is no progress, and
   * an error where it comes again and again.
   */
  read(into: Uint8Array): Promise<number | null>;
  /** Sends bytes; how many, if not all of them. Waits until they are taken. 0 is no progress. */
  write(bytes: Uint8Array): Promise<number | void>;
  /** Ends the connection, and with it reads and writes under way. */
  close(): unknown;
  /** What was negotiated; without it, HTTP/1.1 is taken for granted. */
  handshake?(): Promise<{ alpnProtocol?: string | null }>;
}

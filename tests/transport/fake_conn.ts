/**
 * A `Deno.Conn` that is no socket: the test says what it gives and takes.
 *
 * @module
 */

/** What a test decides. */
export interface FakeConn {
  conn: Deno.Conn;
  closed: () => number;
}

/** Makes one of the functions that a transport may call. */
export function fakeConn(
  parts: { read?: Deno.Conn["read"]; write?: Deno.Conn["write"] },
): FakeConn {
  let closed = 0;
  const unexpected = () => Promise.reject(new Error("This call was not expected"));
  const conn = {
    read: parts.read ?? unexpected,
    write: parts.write ?? unexpected,
    close: () => {
      closed++;
    },
  };
  return { conn: conn as unknown as Deno.Conn, closed: () => closed };
}

/**
 * What victims do with their connections: see `Behaviour`.
 *
 * @module
 */

import type { TlsConn } from "../../../mod.ts";
import type { fetchOver as FetchOver } from "../../../src/http/mod.ts";
import type { Behaviour } from "./protocol.ts";

/** What came of it; it is filled in as it comes, so that an error takes nothing away. */
export interface Yield {
  received: number;
  body?: string;
}

/** What the behaviours need beside a connection. */
export interface Means {
  fetchOver: typeof FetchOver;
  headTimeout?: number;
  /** Resolves when the victim is told to stop. */
  stopped: Promise<void>;
}

const ENOUGH = new Uint8Array(20_000).fill(97);

async function readAll(
  conn: TlsConn,
  into: Yield,
  each?: (bytes: Uint8Array) => Promise<unknown>,
): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let n; (n = await conn.read(buffer)) !== null;) {
    into.received += n;
    await each?.(buffer.slice(0, n));
  }
}

/** Does it, to the connection's end. */
export async function behave(
  how: Behaviour,
  conn: TlsConn,
  into: Yield,
  { fetchOver, headTimeout, stopped }: Means,
): Promise<void> {
  switch (how) {
    case "echo":
      return await readAll(conn, into, (bytes) => conn.write(bytes));
    case "answer at the end": {
      const chunks: Uint8Array[] = [];
      await readAll(conn, into, (bytes) => Promise.resolve(chunks.push(bytes)));
      // No event tells that the FIN behind close_notify has come, too.
      await new Promise((resolve) => setTimeout(resolve, 200));
      for (const bytes of chunks) await conn.write(bytes);
      return;
    }
    case "sink":
      return await readAll(conn, into);
    case "idle":
      return await stopped;
    case "sip": {
      const buffer = new Uint8Array(4096);
      while (into.received < 100_000) into.received += await conn.read(buffer) ?? Infinity;
      return await stopped;
    }
    case "session":
      await conn.getSession();
      return await readAll(conn, into);
    case "abort writable": {
      const writer = conn.writable.getWriter();
      await writer.write(ENOUGH);
      return await writer.abort(new Error("The source failed"));
    }
    case "pipe that fails":
      return await failingSource().pipeTo(conn.writable).catch(() => {});
    case "pipe that is aborted": {
      const abort = new AbortController();
      const piping = endlessSource(() => abort.abort()).pipeTo(conn.writable, {
        signal: abort.signal,
      });
      return await piping.catch(() => {});
    }
    case "detach":
      return await detach(conn, into);
    case "fetch": {
      const response = await fetchOver(conn, "https://localhost/", { headTimeout });
      into.body = await response.text();
    }
  }
}

/** Some data, then an error. */
function failingSource(): ReadableStream<Uint8Array> {
  let left = 3;
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(ENOUGH.slice());
      else controller.error(new Error("The source failed"));
    },
  });
}

/** Data without an end; after some of it `full` is called. */
function endlessSource(full: () => void): ReadableStream<Uint8Array> {
  let chunks = 0;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(ENOUGH.slice());
      if (++chunks === 3) full();
    },
  });
}

/** A caller's mistake: the buffer of a waiting `read()` goes elsewhere. Then it reads on. */
async function detach(conn: TlsConn, into: Yield): Promise<void> {
  const buffer = new Uint8Array(1000);
  const reading = conn.read(buffer);
  structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
  await reading.then(
    () => {
      throw new Error("A read into a buffer that is gone has succeeded");
    },
    (error) => {
      if (!(error instanceof TypeError)) throw error;
    },
  );
  await readAll(conn, into, (bytes) => conn.write(bytes));
}

/**
 * Connections that options are tried on: both ends in this process, over a pipe.
 *
 * @module
 */

import { assert } from "@std/assert";
import {
  acceptTls,
  type AcceptTlsOptions,
  type ByteStreams,
  ServerContext,
  startTls,
  type StartTlsOptions,
  type TlsConn,
} from "../../mod.ts";
import { caCert, serverCert } from "../testdata/mod.ts";

export const serverContext = new ServerContext(serverCert("ec_p256"));

/** What a client needs to get through, whatever it calls the server. */
export const CLIENT = {
  caCerts: [caCert("ec")],
  dangerDisableHostnameVerification: true,
} as const;

/** Both ends of a connection. */
export interface Both extends AsyncDisposable {
  client: TlsConn;
  server: TlsConn;
}

/** The ends of a pipe, which takes some chunks though nobody reads them. */
export function pipe(): { client: ByteStreams; server: ByteStreams } {
  const way = () =>
    new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, { highWaterMark: 16 });
  const [there, back] = [way(), way()];
  return {
    client: { readable: back.readable, writable: there.writable },
    server: { readable: there.readable, writable: back.writable },
  };
}

/**
 * Opens a connection. If one end is refused its options, it rejects with that, and the streams are
 * as they were: nobody has locked them.
 */
export async function open(
  client: StartTlsOptions,
  server: AcceptTlsOptions = { context: serverContext },
): Promise<Both> {
  const streams = pipe();
  const both = [startTls(streams.client, client), acceptTls(streams.server, server)];
  const ends = await Promise.all(both.map((end, at) =>
    end.catch(async (error) => {
      const own = at === 0 ? streams.client : streams.server;
      const other = at === 0 ? streams.server : streams.client;
      if (error instanceof TypeError) {
        assert(!own.readable.locked && !own.writable.locked, "a refused option locked a stream");
        await own.readable.cancel().catch(() => {});
        await own.writable.abort().catch(() => {});
      } else await other.readable.cancel().catch(() => {});
      return error as Error;
    })
  ));
  const errors = ends.filter((end) => end instanceof Error);
  const conns = ends.filter((end): end is TlsConn => !(end instanceof Error));
  if (errors.length > 0) {
    await Promise.all(conns.map((conn) => conn.close()));
    throw errors.find((error) => error instanceof TypeError) ?? errors[0];
  }
  const [one, two] = conns;
  return {
    client: one,
    server: two,
    async [Symbol.asyncDispose]() {
      await Promise.all([one.close(), two.close()]);
    },
  };
}

/** Reads so many bytes as text. */
export async function textFrom(conn: TlsConn, length: number): Promise<string> {
  const buffer = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const n = await conn.read(buffer.subarray(at));
    if (n === null) break;
    at += n;
  }
  return new TextDecoder().decode(buffer.subarray(0, at));
}

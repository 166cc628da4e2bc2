/**
 * A server of this library in the test's own process, where two processes would show nothing more.
 *
 * Rules: `await using` ends the listener and the connections that were handed out. Sessions are in
 * the store before a client is answered.
 *
 * @module
 */

import {
  listenTls,
  type ListenTlsOptions,
  ServerContext,
  type ServerContextOptions,
  type TlsConn,
} from "../../mod.ts";
import { bounded } from "../interop/visit.ts";
import { answer, type Report, reportOn } from "./answer.ts";

/** A running server. */
export interface TestServer extends AsyncDisposable {
  port: number;
  context: ServerContext;
  /** Of the connections so far, in the order of their handshakes. */
  reports: Report[];
  /** What `onError` was given. */
  errors: (Error & { code?: string; alert?: string })[];
  /** Waits until so many handshakes have failed. */
  failed(count: number): Promise<void>;
}

/** What a test does with a connection; by default it is answered with its report. */
export type Handler = (conn: TlsConn, report: Report) => Promise<void>;

/** Options of {@linkcode serve}. */
export interface ServeOptions extends Partial<Omit<ListenTlsOptions, "context">> {
  handler?: Handler;
}

/** Starts a server under these options, or under a context that is there. */
export async function serve(
  options: ServerContextOptions | ServerContext,
  { handler = answer, ...listen }: ServeOptions = {},
): Promise<TestServer> {
  const context = options instanceof ServerContext ? options : new ServerContext(options);
  const reports: Report[] = [];
  const errors: Error[] = [];
  let changed = Promise.withResolvers<void>();
  const listener = listenTls({
    hostname: "127.0.0.1",
    port: 0,
    ...listen,
    context,
    onError(error) {
      errors.push(error);
      listen.onError?.(error);
      changed.resolve();
      changed = Promise.withResolvers<void>();
    },
  });
  const { port } = await listener.listening;
  const open = new Set<Promise<void>>();
  const conns = new Set<TlsConn>();
  const serving = (async () => {
    for await (const conn of listener) {
      const report = await reportOn(conn);
      await context.settled();
      reports.push(report);
      conns.add(conn);
      const handling = handler(conn, report).finally(() => {
        open.delete(handling);
        conns.delete(conn);
      });
      open.add(handling);
    }
  })();
  return {
    port,
    context,
    reports,
    errors,
    async failed(count) {
      while (errors.length < count) await bounded(changed.promise, "a failed handshake");
    },
    async [Symbol.asyncDispose]() {
      await bounded(listener.close(), "the listener's end");
      await Promise.all(Array.from(conns, (conn) => conn.close()));
      await Promise.allSettled(open);
      await serving;
    },
  };
}

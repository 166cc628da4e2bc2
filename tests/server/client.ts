/**
 * Our client as tests of the server use it: it takes every server for the same one, so that what it
 * offers is decided by the test, and it can be made to offer what it would not.
 *
 * @module
 */

import { Session, startTls, type StartTlsOptions } from "../../mod.ts";
import { type SessionBinding, sessionInternals } from "../../src/session.ts";
import { type Visit, visitOn } from "../interop/visit.ts";
import type { TlsVersion } from "../peers/openssl.ts";
import { caCert } from "../testdata/mod.ts";
import { answered, type Report } from "./answer.ts";

export const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];

/** The name of every server, unless a test says otherwise. */
const HOSTNAME = "localhost";
/** Sessions are bound to it; where the connection goes is another matter. */
const PORT = 443;

/** A connection as both ends saw it. */
export interface Seen {
  client: Visit;
  server: Report;
}

/** Options of {@linkcode visitAt}; `session` is hexadecimal. */
export type VisitAtOptions = Omit<StartTlsOptions, "hostname" | "session" | "port"> & {
  hostname?: string;
  version?: TlsVersion;
  session?: string | null;
};

/** Opens a connection to a server of this process. */
export async function connectTo(
  server: { port: number },
  { version, session, ...options }: VisitAtOptions = {},
): ReturnType<typeof startTls> {
  const tcp = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  tcp.setNoDelay(true);
  const context = options.context ? {} : {
    caCerts: [caCert("ec"), caCert("rsa")],
    ...(version && { minVersion: version, maxVersion: version }),
  };
  return await startTls(tcp, {
    hostname: HOSTNAME,
    port: PORT,
    handshakeTimeout: 15_000,
    ...context,
    ...options,
    ...(session && { session: Uint8Array.fromHex(session) }),
  });
}

/** Connects, asks, and takes the session. */
export async function visitAt(
  server: { port: number },
  options: VisitAtOptions = {},
): Promise<Seen> {
  const client = await visitOn(await connectTo(server, options));
  return { client, server: answered(client.page) };
}

/** Whether it was resumed, as the client and as the server say. */
export function resumed({ client, server }: Seen): [boolean, boolean] {
  return [client.reused, server.resumed];
}

/** A session that says of itself something else than it should. */
export function rebound(session: string, binding: Partial<SessionBinding>): string {
  const given = Session.fromBytes(Uint8Array.fromHex(session));
  const own = sessionInternals.binding(given);
  return sessionInternals.make({ ...own, ...binding }, sessionInternals.state(given))
    .toBytes().toHex();
}

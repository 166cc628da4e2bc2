/**
 * A client's pool over a store that a test scripts, and what a connection under it came to.
 *
 * Rules: sessions are bound to `localhost:443` wherever the connection goes, so that one server
 * stands in for another. A visit waits for what the pool puts into its store.
 *
 * @module
 */

import {
  ClientContext,
  type ClientContextOptions,
  SealingKeys,
  type SessionStore,
  TicketKeys,
} from "../../mod.ts";
import type { DiagnosticEvent } from "../../src/diagnostics.ts";
import type { PoolResumption } from "../../src/context_options.ts";
import { clientHellos } from "../interop/hello.ts";
import type { TcpProxy } from "../peers/raw.ts";
import { visitAt, type VisitAtOptions } from "../server/client.ts";
import { serve, type TestServer } from "../server/in_process.ts";
import { ScriptedStore } from "../server_faults/scripted_store.ts";
import { caCert, serverCert, type ServerCertName } from "../testdata/mod.ts";

/** A secret of one byte each, but for the last. */
export function secret(byte: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(32).fill(byte).with(31, byte ^ 0xff);
}

/** Keys from {@linkcode secret}; those of the same name byte find each other's partitions. */
export function keysOf(byte: number, nameByte: number = byte): Promise<SealingKeys> {
  return SealingKeys.fromSecret(secret(byte), { nameSecret: secret(nameByte) });
}

/** A context with a pool, and what it told. */
export interface TestPool {
  context: ClientContext;
  store: ScriptedStore;
  events: DiagnosticEvent[];
}

/** Makes a pool over a scripted store; the options of the context are inline. */
export async function makePool(
  resumption: Partial<PoolResumption> & { store?: ScriptedStore } = {},
  options: Omit<ClientContextOptions, "resumption"> = {},
): Promise<TestPool> {
  const { store = new ScriptedStore(), keys = await keysOf(1) } = resumption;
  const events: DiagnosticEvent[] = [];
  const context = new ClientContext({
    caCerts: [caCert("ec")],
    onDiagnostic: (event) => events.push(event),
    ...options,
    resumption: { timeout: 10_000, ...resumption, store, keys },
  });
  return { context, store, events };
}

/** What became of a connection: `reused`, and why not. */
export type Outcome = [reused: boolean, miss: string | null];

export const RESUMED: Outcome = [true, null];
export const full = (miss: string | null): Outcome => [false, miss];

/** Connects under the pool, and waits for its puts. Both ends have to agree. */
export async function outcome(
  server: { port: number },
  context: ClientContext,
  options: VisitAtOptions & { port?: number } = {},
): Promise<Outcome> {
  const { client, server: report } = await visitAt(server, { ...options, context });
  await context.settled();
  if (client.reused !== report.resumed) throw new Error("The ends do not agree");
  return [client.reused, client.miss];
}

/** A server with ticket keys of its own; `localhost`, EC. */
export async function startServer(
  options: {
    cert?: ServerCertName;
    maxVersion?: "TLSv1.2" | "TLSv1.3";
    tickets?: number;
    secretByte?: number;
  } = {},
): Promise<TestServer> {
  const { cert = "ec_p256", secretByte, tickets, ...same } = options;
  const ticketKeys = secretByte === undefined
    ? await TicketKeys.generate()
    : await TicketKeys.fromSecret(secret(secretByte));
  return await serve({
    ...serverCert(cert),
    ...same,
    resumption: { mode: "tickets", ticketKeys, ...(tickets !== undefined && { tickets }) },
  });
}

/** How many values each partition of a store has, the store being emptied by that. */
export async function drain(store: SessionStore, partitions: Iterable<string>): Promise<number[]> {
  const counts: number[] = [];
  for (const partition of partitions) {
    let count = 0;
    while (await store.take(partition) !== null) count++;
    counts.push(count);
  }
  return counts;
}

/** The identities of `pre_shared_key` (RFC 8446 §4.2.11) in the first ClientHello of each. */
export function offeredTickets(proxy: TcpProxy): string[] {
  return proxy.connections.flatMap((connection) => {
    const [hello] = clientHellos(connection.fromClient());
    const extension = hello?.extensions.get(41);
    if (extension === undefined) return [];
    const length = extension[2] << 8 | extension[3];
    return [extension.subarray(4, 4 + length).toHex()];
  });
}

/**
 * A server's options as JSON, so that they cross to another process: certificates by their names
 * in testdata, keys in hexadecimal, stores as the path of a Deno KV file.
 *
 * @module
 */

import { SealingKeys, type ServerContextOptions, TicketKeys } from "../../mod.ts";
import { denoKvStore } from "../../src/stores/deno_kv.ts";
import {
  caCert,
  type CaName,
  crl,
  type CrlName,
  serverCert,
  type ServerCertName,
} from "../testdata/mod.ts";
import { kvRingStore } from "./kv_ring_store.ts";

/** Where ticket keys come from. */
export type TicketKeySpec =
  | { from: "secret"; secret: string }
  /** A file of `TicketKeys.toBytes()`. */
  | { from: "bytes"; path: string }
  /** A ring in a Deno KV file, sealed under keys from a secret. */
  | { from: "ring"; kv: string; secret: string };

/** How sessions are resumed. */
export type ResumptionSpec =
  | { mode: "stateful"; kv: string; secret: string; tickets?: number }
  | { mode: "tickets"; keys: TicketKeySpec; tickets?: number };

/** Options that cross to a server process. */
export interface ServerSpec extends
  Pick<
    ServerContextOptions,
    | "alpnProtocols"
    | "clientAuth"
    | "minVersion"
    | "maxVersion"
    | "maxEarlyDataSize"
    | "revocationEpoch"
  > {
  /** `ec_p256` if not given. */
  cert?: ServerCertName;
  sni?: Record<string, ServerCertName>;
  caCerts?: CaName[];
  crls?: CrlName[];
  resumption?: ResumptionSpec;
}

async function ticketKeys(spec: TicketKeySpec): Promise<TicketKeys> {
  switch (spec.from) {
    case "secret":
      return await TicketKeys.fromSecret(Uint8Array.fromHex(spec.secret));
    case "bytes":
      return await TicketKeys.fromBytes(await Deno.readFile(spec.path));
    case "ring": {
      const keys = await SealingKeys.fromSecret(Uint8Array.fromHex(spec.secret));
      return await TicketKeys.shared(kvRingStore(await Deno.openKv(spec.kv)), { keys });
    }
  }
}

async function resumption(spec: ResumptionSpec): Promise<ServerContextOptions["resumption"]> {
  const tickets = spec.tickets === undefined ? {} : { tickets: spec.tickets };
  if (spec.mode === "tickets") {
    return { mode: "tickets", ticketKeys: await ticketKeys(spec.keys), ...tickets };
  }
  const store = denoKvStore(await Deno.openKv(spec.kv));
  const keys = await SealingKeys.fromSecret(Uint8Array.fromHex(spec.secret));
  return { mode: "stateful", store, keys, ...tickets };
}

/** Makes the options of a context. Databases are opened for the life of the process. */
export async function contextOptions(spec: ServerSpec): Promise<ServerContextOptions> {
  const { cert = "ec_p256", sni, caCerts, crls, resumption: how, ...same } = spec;
  return {
    ...same,
    ...serverCert(cert),
    ...(sni && {
      sni: Object.fromEntries(Object.entries(sni).map(([name, each]) => [name, serverCert(each)])),
    }),
    ...(caCerts && { caCerts: caCerts.map(caCert) }),
    ...(crls && { crls: crls.map(crl) }),
    ...(how && { resumption: await resumption(how) }),
  };
}

/** Guards: every option of a client's context, and of its pool, times every kind of value. */

import {
  ClientContext,
  type ClientContextOptions,
  memoryStore,
  type PoolResumption,
  SealingKeys,
} from "../../mod.ts";
import { ROOT_A } from "../context/pem.ts";
import { CLIENT_ROWS } from "./client_rows.ts";
import { type Kind, STRINGS, TIMES } from "./kinds.ts";
import { type Row, type Rows, testTable, testWhole } from "./table.ts";

const keys = await SealingKeys.generate();
testTable<ClientContextOptions>(
  "ClientContext",
  CLIENT_ROWS,
  (options) => new ClientContext(options),
);

testTable<ClientContextOptions>(
  "ClientContext, beside roots of its own",
  {
    defaultRoots: { accepts: ["true", "false"], beside: { caCerts: [ROOT_A] } },
    caCerts: {
      accepts: ["an empty array"],
      beside: { dangerDisableVerification: true },
    },
  },
  (options) => new ClientContext(options),
);

/** What lists take as an item. */
const item = (name: string, accepts: Kind[] = []): Row<ClientContextOptions> => ({
  accepts,
  needed: true,
  put: (value) => ({ [name]: [value] }),
  called: name,
});

testTable<ClientContextOptions>(
  "ClientContext, items of lists",
  {
    "caCerts[0]": item("caCerts"),
    "alpnProtocols[0]": item("alpnProtocols", STRINGS),
    "cipherSuites[0]": item("cipherSuites"),
    "crls[0]": item("crls"),
    "pinnedKeys[0]": item("pinnedKeys"),
  },
  (options) => new ClientContext(options),
);

const pool = (name: string, row: Omit<Row<object>, "put" | "called">): Row<object> => ({
  ...row,
  put: (value) => ({ resumption: { store: memoryStore(), keys, [name]: value } }),
  called: `resumption.${name}`,
});

testTable<ClientContextOptions>(
  "ClientContext, resumption",
  {
    store: pool("store", { accepts: [], needed: true }),
    keys: pool("keys", { accepts: [], needed: true }),
    ticketsPerServer: pool("ticketsPerServer", { accepts: ["1"] }),
    maxAge: pool("maxAge", { accepts: ["1", "a fraction"] }),
    timeout: pool("timeout", { accepts: TIMES }),
    unlinkable: pool("unlinkable", { accepts: ["true", "false"] }),
  } satisfies Rows<PoolResumption>,
  (options) => new ClientContext(options),
);

const server = (name: string, row: Omit<Row<object>, "put">): Row<object> => ({
  ...row,
  put: (value) => ({ hostname: "localhost", [name]: value }),
});
const context = new ClientContext({ resumption: { store: memoryStore(), keys } });

testTable<Parameters<ClientContext["forget"]>[0]>(
  "ClientContext.forget()",
  {
    hostname: server("hostname", { accepts: ["a string"], needed: true }),
    port: server("port", { accepts: ["0", "-0", "1"] }),
    networkPartition: server("networkPartition", {
      accepts: ["an empty string", ...STRINGS],
    }),
  } satisfies Rows<Parameters<ClientContext["forget"]>[0]>,
  (options) => context.forget(options),
);

const NOTHING: Kind[] = ["an object", "an object without a prototype"];
testWhole(
  "ClientContext",
  ["undefined", ...NOTHING],
  (options) => new ClientContext(options as ClientContextOptions),
  /ClientContext options/,
);
testWhole(
  "ClientContext.forget()",
  [],
  (options) => context.forget(options as { hostname: string }),
  /forget\(\) options|"hostname"/,
);

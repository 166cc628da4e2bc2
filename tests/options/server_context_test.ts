/**
 * Guards: every option of a server's context, of its resumption and of its certificates, times every
 * kind of value; and that no context is without a certificate.
 */

import { assertEquals, assertThrows } from "@std/assert";
import {
  memoryStore,
  SealingKeys,
  type ServerCertificate,
  ServerContext,
  type ServerContextOptions,
  type StatefulResumption,
  TicketKeys,
  type TicketResumption,
} from "../../mod.ts";
import { KEY_PKCS8, LEAF, ROOT_A } from "../context/pem.ts";
import { FUNCTIONS, type Kind, STRINGS, TIMES } from "./kinds.ts";
import { type Row, type Rows, testTable, testWhole } from "./table.ts";

const keys = await SealingKeys.generate();
const ticketKeys = await TicketKeys.generate();
const own = { cert: LEAF, key: KEY_PKCS8 };
const PLAIN = new ServerContext(own).fingerprint;

const changes = (...kinds: Kind[]) => (context: ServerContext, kind: Kind) =>
  assertEquals(context.fingerprint !== PLAIN, kinds.includes(kind), kind);

/** Bytes that are some. */
const SOME_BYTES: Kind[] = ["a Uint8Array", "a Buffer", "a Uint8Array on shared memory"];

testTable<ServerContextOptions>(
  "ServerContext",
  {
    cert: { accepts: [], beside: { key: KEY_PKCS8 }, needed: true },
    key: { accepts: [], beside: { cert: LEAF }, needed: true },
    ocspResponse: { accepts: SOME_BYTES, beside: own, effect: changes() },
    certificates: { accepts: ["an empty array"], beside: own, effect: changes() },
    sni: {
      accepts: [...FUNCTIONS, "an object", "an object without a prototype"],
      beside: own,
      effect: changes(...FUNCTIONS),
    },
    alpnProtocols: {
      accepts: ["an empty array", "an array of a string"],
      beside: own,
      effect: changes("an array of a string"),
    },
    clientAuth: { accepts: [], beside: own },
    caCerts: { accepts: ["an empty array"], beside: own, effect: changes() },
    crls: { accepts: ["an empty array"], beside: own, effect: changes() },
    verify: { accepts: FUNCTIONS, beside: own },
    minVersion: { accepts: [], beside: own },
    maxVersion: { accepts: [], beside: own },
    cipherSuites: { accepts: [], beside: own },
    resumption: { accepts: [], beside: own },
    sessionContext: { accepts: STRINGS, beside: own, effect: changes(...STRINGS) },
    maxPending: { accepts: ["1"], beside: own, effect: changes() },
    maxEarlyDataSize: {
      accepts: ["0", "-0", "1"],
      beside: { ...own, resumption: { mode: "stateful", store: memoryStore(), keys } },
    },
    sessionData: { accepts: FUNCTIONS, beside: own },
    revocationEpoch: {
      accepts: ["0", "-0", "1", "2^31"],
      beside: own,
      effect: changes("1", "2^31"),
    },
    onDiagnostic: { accepts: FUNCTIONS, beside: own },
    keyLog: { accepts: FUNCTIONS, beside: own },
  } satisfies Rows<ServerContextOptions>,
  (options) => new ServerContext(options),
);

testTable<ServerContextOptions>(
  "ServerContext, alone",
  {
    certificates: { accepts: [], needed: true },
    sni: { accepts: FUNCTIONS, needed: true },
    caCerts: { accepts: [], needed: true, beside: { ...own, clientAuth: "required" } },
    clientAuth: { accepts: [], needed: true, beside: { ...own, caCerts: [ROOT_A] } },
    ocspResponse: { accepts: [], beside: { certificates: [own] } },
  },
  (options) => new ServerContext(options),
);

const item = (name: string, accepts: Kind[] = []): Row<ServerContextOptions> => ({
  accepts,
  needed: true,
  put: (value) => ({ ...own, [name]: [value] }),
  called: name,
});

testTable<ServerContextOptions>(
  "ServerContext, items of lists",
  {
    "certificates[0]": item("certificates"),
    "alpnProtocols[0]": item("alpnProtocols", STRINGS),
    "caCerts[0]": item("caCerts"),
    "crls[0]": item("crls"),
    "cipherSuites[0]": item("cipherSuites"),
    "sni, an entry": {
      accepts: [],
      needed: true,
      put: (value) => ({ sni: { "a.example": value } }),
      called: "sni",
    },
    "sni, an item": {
      accepts: [],
      needed: true,
      put: (value) => ({ sni: { "a.example": [value] } }),
      called: "sni",
    },
  },
  (options) => new ServerContext(options),
);

/** The options of one certificate, wherever it stands. */
for (
  const [where, called, put] of [
    ["an item of certificates", "certificates", (entry) => ({ certificates: [entry] })],
    ["an entry of sni", "sni", (entry) => ({ sni: { "a.example": entry } })],
    ["an item of sni", "sni", (entry) => ({ sni: { "*.example": [entry] } })],
  ] satisfies [string, string, (entry: unknown) => Record<string, unknown>][]
) {
  const row = (name: string, accepts: Kind[], needed: boolean): Row<object> => ({
    accepts,
    needed,
    put: (value) => put({ ...own, [name]: value }),
    called: `${called}.${name}`,
  });
  testTable<ServerContextOptions>(
    `ServerContext, ${where}`,
    {
      cert: row("cert", [], true),
      key: row("key", [], true),
      ocspResponse: row("ocspResponse", SOME_BYTES, false),
    } satisfies Rows<ServerCertificate>,
    (options) => new ServerContext(options),
  );
}

const resumption = (
  good: object,
) =>
(name: string, row: Omit<Row<object>, "put" | "called">): Row<object> => ({
  ...row,
  put: (value) => ({ ...own, resumption: { ...good, [name]: value } }),
  called: `resumption.${name}`,
});

const stateful = resumption({ mode: "stateful", store: memoryStore(), keys });
testTable<ServerContextOptions>(
  "ServerContext, stateful resumption",
  {
    mode: stateful("mode", { accepts: [], needed: true }),
    store: stateful("store", { accepts: [], needed: true }),
    keys: stateful("keys", { accepts: [], needed: true }),
    timeout: stateful("timeout", { accepts: TIMES }),
    maxAge: stateful("maxAge", { accepts: ["1", "a fraction"] }),
    tickets: stateful("tickets", { accepts: ["0", "-0", "1"] }),
    memory: stateful("memory", { accepts: ["0", "-0", "1"] }),
  } satisfies Rows<StatefulResumption>,
  (options) => new ServerContext(options),
);

const tickets = resumption({ mode: "tickets", ticketKeys });
testTable<ServerContextOptions>(
  "ServerContext, resumption by tickets",
  {
    mode: tickets("mode", { accepts: [], needed: true }),
    ticketKeys: tickets("ticketKeys", { accepts: [], needed: true }),
    maxAge: tickets("maxAge", { accepts: ["1", "a fraction"] }),
    tickets: tickets("tickets", { accepts: ["0", "-0", "1"] }),
  } satisfies Rows<TicketResumption>,
  (options) => new ServerContext(options),
);

testWhole(
  "ServerContext",
  [],
  (options) => new ServerContext(options as ServerContextOptions),
  /ServerContext options|"cert"/,
);

Deno.test("an option of the other mode of resumption is a TypeError that names it", () => {
  const stateful = { mode: "stateful", store: memoryStore(), keys };
  const cases: [object, string][] = [
    [{ ...stateful, ticketKeys }, "ticketKeys"],
    [{ mode: "tickets", ticketKeys, store: memoryStore() }, "store"],
    [{ mode: "tickets", ticketKeys, keys }, "keys"],
    [{ mode: "tickets", ticketKeys, timeout: 100 }, "timeout"],
    [{ mode: "tickets", ticketKeys, memory: 0 }, "memory"],
    [{ mode: "tickets", ticketKeys, memory: null }, "memory"],
  ];
  for (const [resumption, name] of cases) {
    const options = { ...own, resumption } as ServerContextOptions;
    assertThrows(() => new ServerContext(options), TypeError, `"${name}" is unknown`);
  }
  // Left out by `undefined`, as everywhere.
  const options = { ...own, resumption: { mode: "tickets", ticketKeys, store: undefined } };
  new ServerContext(options as ServerContextOptions);
});

/**
 * Bad options: a `TypeError` at once that names the option and the value's type. A misspelt option
 * is a bad one, as an option without effect is a hole.
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { inspect } from "node:util";
import {
  ClientContext,
  type ClientContextOptions,
  connectTls,
  type ConnectTlsOptions,
  startTls,
} from "../../mod.ts";
import { startSilentServer } from "../peers/raw.ts";
import { caCert, clientCert, crl } from "../testdata/mod.ts";
import { CRL_A, KEY_ENCRYPTED, KEY_PKCS8, LEAF, PIN_A, ROOT_A } from "./pem.ts";

/** Each with what the message says of the value. */
type Bad = [value: unknown, says: string];

const NO_STRINGS: Bad[] = [
  ["text", "got string"],
  [7, "got number"],
  [null, "got null"],
  [{}, "got Object"],
  [new Set(["x"]), "got Set"],
  [["x", 7], "got number"],
  [[null], "got null"],
  [[""], "got string"],
  [[["x"]], "got an array"],
];

const NO_STRING: Bad[] = [
  [7, "got number"],
  [null, "got null"],
  ["", "got string"],
  [["x"], "got an array"],
  [new Uint8Array(1), "got Uint8Array"],
];

const NO_BOOLEAN: Bad[] = [["true", "got string"], [1, "got number"], [null, "got null"]];
const NO_FUNCTION: Bad[] = [[true, "got boolean"], [{}, "got Object"], ["f", "got string"]];

const NO_VERSION: Bad[] = [
  ["TLSv1.1", '"TLSv1.1"'],
  ["tlsv1.3", '"tlsv1.3"'],
  [1.3, "got number"],
  [null, "got null"],
];

const BAD: Record<keyof ClientContextOptions, Bad[]> = {
  caCerts: [
    ...NO_STRINGS,
    [["no PEM"], "CERTIFICATE"],
    [[ROOT_A, CRL_A], "CERTIFICATE"],
    [["-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----"], "base64"],
  ],
  defaultRoots: NO_BOOLEAN,
  cert: [...NO_STRING, ["no PEM", "CERTIFICATE"], [KEY_PKCS8, "CERTIFICATE"]],
  key: [
    ...NO_STRING,
    ["no PEM", "no private key"],
    [LEAF, "no private key"],
    [KEY_ENCRYPTED, "encrypted"],
    ["-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n", "encrypted"],
  ],
  alpnProtocols: [...NO_STRINGS, [["a".repeat(256)], "256 bytes"], [
    ["é".repeat(128)],
    "256 bytes",
  ]],
  minVersion: NO_VERSION,
  maxVersion: NO_VERSION,
  cipherSuites: [
    ...NO_STRINGS.filter(([value]) => value !== "text"),
    ["TLS_AES_128_GCM_SHA256", "got string"],
    [["TLS_RSA_WITH_AES_128_CBC_SHA"], '"TLS_RSA_WITH_AES_128_CBC_SHA"'],
    [["ECDHE-RSA-AES128-GCM-SHA256"], '"ECDHE-RSA-AES128-GCM-SHA256"'],
    [["toString"], '"toString"'],
    [[], "no suite"],
  ],
  verify: NO_FUNCTION,
  crls: [...NO_STRINGS, [["no PEM"], "X509 CRL"], [[ROOT_A], "X509 CRL"]],
  pinnedKeys: [
    ...NO_STRINGS,
    [["sha256/AAAA"], "32 bytes"],
    [[PIN_A.slice("sha256/".length)], "sha256/"],
    [[PIN_A.replace("256", "1")], "sha256/"],
    [[`${PIN_A}*`], "base64"],
  ],
  resumption: [
    ["Memory", "got string"],
    [7, "got number"],
    [true, "got boolean"],
    [null, "got null"],
    [[], "got an array"],
    [{ stores: new Map() }, '"stores"'],
  ],
  onDiagnostic: NO_FUNCTION,
  revocationEpoch: [
    ["1", "got string"],
    [null, "got null"],
    [1n, "got bigint"],
    [-1, "got -1"],
    [0.5, "got 0.5"],
    [NaN, "got NaN"],
    [Infinity, "got Infinity"],
    [2 ** 53, "got 9007199254740992"],
  ],
  keyLog: NO_FUNCTION,
  dangerDisableVerification: NO_BOOLEAN,
  dangerDisableHostnameVerification: NO_BOOLEAN,
};

/** `cert` and `key` go together: each has a good partner here. */
const PARTNER: Partial<Record<string, ClientContextOptions>> = {
  cert: { key: KEY_PKCS8 },
  key: { cert: LEAF },
};

for (const [name, cases] of Object.entries(BAD)) {
  Deno.test(`a bad ${name} is a TypeError that names it and the value's type`, async () => {
    for (const [value, says] of cases) {
      const options = { ...PARTNER[name], [name]: value } as ClientContextOptions;
      const error = assertThrows(() => new ClientContext(options), TypeError, `"${name}"`);
      assertStringIncludes(error.message, says, inspect(value));
      const inline = { hostname: "localhost", port: 1, ...options };
      if (value === null || value === undefined) continue;
      const rejected = await assertRejects(() => connectTls(inline), TypeError);
      assertEquals(rejected.message, error.message, "inline");
    }
  });
}

Deno.test("null is no way to leave an option out, inline either", async () => {
  for (const name of Object.keys(BAD)) {
    const options = { hostname: "localhost", port: 1, ...PARTNER[name], [name]: null };
    const connecting = () => connectTls(options as unknown as ConnectTlsOptions);
    await assertRejects(connecting, TypeError, `"${name}"`);
  }
});

Deno.test("options that contradict each other are a TypeError that names them", () => {
  const cases: [ClientContextOptions, string[]][] = [
    [{ minVersion: "TLSv1.3", maxVersion: "TLSv1.2" }, ['"minVersion"', '"maxVersion"']],
    [{ cert: LEAF }, ['"cert"', '"key"']],
    [{ key: KEY_PKCS8 }, ['"cert"', '"key"']],
    [{ caCerts: [] }, ['"caCerts"', "nobody is trusted"]],
    [{ defaultRoots: false }, ['"defaultRoots"', "nobody is trusted"]],
    [{ cipherSuites: ["TLS_AES_128_GCM_SHA256"], maxVersion: "TLSv1.2" }, [
      '"cipherSuites"',
      "1.2",
    ]],
    [
      { cipherSuites: ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"], minVersion: "TLSv1.3" },
      ['"cipherSuites"', "1.3"],
    ],
  ];
  for (const [options, says] of cases) {
    const error = assertThrows(() => new ClientContext(options), TypeError);
    for (const text of says) assertStringIncludes(error.message, text);
  }
});

Deno.test("an unknown option is a TypeError that names it", async () => {
  const misspelt = ["cacerts", "caCert", "ca", "rejectUnauthorized", "constructor", "resumed"];
  for (const name of misspelt) {
    const options = { [name]: true } as ClientContextOptions;
    assertThrows(() => new ClientContext(options), TypeError, `"${name}" is unknown`);
    const connecting = () => connectTls({ hostname: "localhost", port: 1, ...options });
    await assertRejects(connecting, TypeError, `"${name}" is unknown`);
  }
  const contexts = { session: new Uint8Array(1) } as ClientContextOptions;
  assertThrows(() => new ClientContext(contexts), TypeError, '"session" is unknown');
});

Deno.test("options that are no object are a TypeError with their type", async () => {
  for (const [value, type] of [[null, "null"], ["x", "string"], [[], "an array"]] as const) {
    const make = () => new ClientContext(value as unknown as ClientContextOptions);
    assertThrows(make, TypeError, `got ${type}`);
    const connecting = () => connectTls(value as unknown as ConnectTlsOptions);
    await assertRejects(connecting, TypeError, `got ${type}`);
  }
});

const CONNECTION_BAD: Record<string, Bad[]> = {
  hostname: [
    ...NO_STRING.filter(([value]) => !Array.isArray(value)),
    [undefined, "got undefined"],
    ["a b", '"a b"'],
    ["host/path", '"host/path"'],
    ["user@host", '"user@host"'],
    ["x".repeat(254), "DNS name"],
  ],
  port: [
    [undefined, "got undefined"],
    ["443", "got string"],
    [0, "got 0"],
    [65_536, "got 65536"],
    [1.5, "got 1.5"],
    [NaN, "got NaN"],
  ],
  serverName: [...NO_STRING, ["a b", '"a b"'], ["*", '"*"']],
  context: [[{}, "got Object"], ["x", "got string"], [null, "got null"]],
  session: [["text", "got string"], [null, "got null"], [[1, 2], "got an array"], [
    7,
    "got number",
  ]],
  handshakeTimeout: [
    ["1000", "got string"],
    [null, "got null"],
    [0, "got 0"],
    [-1, "got -1"],
    [NaN, "got NaN"],
  ],
  signal: [[{}, "got Object"], [new AbortController(), "got AbortController"], [null, "got null"]],
};

for (const [name, cases] of Object.entries(CONNECTION_BAD)) {
  Deno.test(`a bad ${name} is a TypeError before anything is connected`, async () => {
    await using server = startSilentServer();
    const good = { hostname: "127.0.0.1", port: server.port, caCerts: [caCert("ec")] };
    for (const [value, says] of cases) {
      const options = { ...good, [name]: value } as unknown as ConnectTlsOptions;
      const error = await assertRejects(() => connectTls(options), TypeError, `"${name}"`);
      assertStringIncludes(error.message, says, inspect(value));
    }
    assertEquals(server.accepted(), 0);
  });
}

Deno.test("an option of the context does not go beside a context", async () => {
  const context = new ClientContext({ caCerts: [caCert("ec")] });
  const options = { hostname: "localhost", port: 1, context, alpnProtocols: ["h2"] };
  await assertRejects(
    () => connectTls(options),
    TypeError,
    '"alpnProtocols" belongs to the context',
  );
});

Deno.test("startTls() wants two streams", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const options = { hostname: "localhost", caCerts: [caCert("ec")] };
  const cases: [unknown, string, string][] = [
    [{ writable }, '"readable"', "got undefined"],
    [{ readable: writable, writable }, '"readable"', "got WritableStream"],
    [{ readable }, '"writable"', "got undefined"],
    [{ readable, writable: readable }, '"writable"', "got ReadableStream"],
    [null, '"readable"', "got undefined"],
  ];
  for (const [streams, name, says] of cases) {
    const starting = () =>
      startTls(streams as { readable: typeof readable; writable: typeof writable }, options);
    const error = await assertRejects(starting, TypeError, name);
    assertStringIncludes(error.message, says);
  }
  assert(!readable.locked && !writable.locked);
});

/** What only the engine can parse is checked at the first connection. */
const UNPARSABLE: Record<string, ClientContextOptions> = {
  "a root that is no certificate": { caCerts: [ROOT_A] },
  "a list that is none": { caCerts: [caCert("ec")], crls: [CRL_A] },
  "a half of a list": { caCerts: [caCert("ec")], crls: [CRL_A, crl("ec_empty")] },
  "a client certificate that is none": { caCerts: [caCert("ec")], ...clientCert("ec"), cert: LEAF },
  "a key that is none": { caCerts: [caCert("ec")], ...clientCert("ec"), key: KEY_PKCS8 },
  "a key of another certificate": {
    caCerts: [caCert("ec")],
    cert: clientCert("ec").cert,
    key: clientCert("rsa").key,
  },
};

for (const [what, options] of Object.entries(UNPARSABLE)) {
  Deno.test(`${what} is a TypeError at the first connection, and at the second`, async () => {
    await using server = startSilentServer();
    const context = new ClientContext(options);
    const connecting = () => connectTls({ hostname: "127.0.0.1", port: server.port, context });
    await assertRejects(connecting, TypeError);
    await assertRejects(connecting, TypeError);
  });
}

Deno.test("a context shows no private key", () => {
  const { cert, key } = clientCert("ec");
  const context = new ClientContext({ caCerts: [caCert("ec")], cert, key });
  const body = key.split("\n")[1].slice(0, 40);
  const bytes = [...Uint8Array.fromBase64(body)].slice(0, 4).join(", ");
  for (const shown of [Deno.inspect(context, { depth: 100, showHidden: true }), inspect(context)]) {
    assert(!shown.includes(body) && !shown.includes(bytes), shown);
  }
});

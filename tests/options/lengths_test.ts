/**
 * Guards: what a name or a list may be long is said when it is given, so that nothing that does not
 * fit reaches the wire, a store, or a connection that is good.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ClientContext,
  memoryStore,
  SealingKeys,
  ServerContext,
  type SessionStore,
  startTls,
} from "../../mod.ts";
import { ClientEngine } from "../../src/entrypoints/engine.ts";
import { MAX_NETWORK_PARTITION } from "../../src/network_partition.ts";
import { MAX_ITEMS } from "../../src/options.ts";
import { MAX_ALPN_LIST } from "../../src/suite_options.ts";
import { opensslClient, startOpensslServer } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { serve } from "../server/in_process.ts";
import { caCert, clientCert, clientCertPaths, serverCert } from "../testdata/mod.ts";
import { CLIENT, open, pipe } from "./connections.ts";
import { KINDS } from "./kinds.ts";

const hostname = "localhost";
const EC = serverCert("ec_p256");
const keys = await SealingKeys.generate();

/** A store that tells which partitions it was asked for. */
function recording(): { store: SessionStore; partitions: Set<string> } {
  const partitions = new Set<string>();
  const store = memoryStore();
  const { put } = store;
  store.put = (partition, value, options) => {
    partitions.add(partition);
    return put(partition, value, options);
  };
  return { store, partitions };
}

/** Connects under each name, and returns how many partitions the sessions went to. */
async function partitionsOf(names: string[]): Promise<number> {
  const { store, partitions } = recording();
  const context = new ClientContext({ ...CLIENT, resumption: { store, keys } });
  const server = new ServerContext({
    ...EC,
    resumption: { mode: "stateful", store: memoryStore(), keys },
  });
  for (const networkPartition of names) {
    await using both = await open({ hostname, port: 443, context, networkPartition }, {
      context: server,
    });
    assert(await both.client.getSession() !== null);
    await context.settled();
    assertEquals(context.stats().putsFailed, 0);
  }
  return partitions.size;
}

Deno.test("a network partition of the largest size is one, and every other name is another", async () => {
  const largest = "x".repeat(MAX_NETWORK_PARTITION);
  const names = [
    "",
    "a",
    "A",
    "a\0",
    "\ufffd", // what a lone surrogate would have become
    "é",
    "e\u0301",
    largest,
    largest.slice(1),
    "é".repeat(MAX_NETWORK_PARTITION / 2),
    "\u{10ffff}".repeat(MAX_NETWORK_PARTITION / 4),
  ];
  assertEquals(await partitionsOf(names), names.length);
  assertEquals(await partitionsOf(["a", "a"]), 1);
});

/** Names that are none, and what is said of them. */
const NO_PARTITIONS: [name: unknown, says: string][] = [
  ["\ud800", "lone surrogate"],
  ["\ud801", "lone surrogate"],
  ["a\udfffb", "lone surrogate"],
  ["\udc00\ud800", "lone surrogate"],
  ["x".repeat(MAX_NETWORK_PARTITION + 1), "4096 bytes of UTF-8 at most"],
  [`${"é".repeat(MAX_NETWORK_PARTITION / 2)}x`, "4096 bytes of UTF-8 at most"],
  ["x".repeat(70_000), "4096 bytes of UTF-8 at most"],
  [null, "must be a string, got null"],
  [1, "must be a string, got number"],
];

Deno.test("a network partition that cannot be told from others, or is too long, is a TypeError", async () => {
  const context = new ClientContext({ ...CLIENT, resumption: "memory" });
  for (const [networkPartition, says] of NO_PARTITIONS) {
    const options = { hostname, context, networkPartition } as never;
    const starting = () => startTls(pipe().client, options);
    const error = await assertRejects(starting, TypeError, '"networkPartition"');
    assert(error.message.includes(says), error.message);
    const forgetting = () => context.forget({ hostname, networkPartition } as never);
    assertEquals((await assertRejects(forgetting, TypeError)).message, error.message);
    const target = { context, serverName: hostname, port: 443, networkPartition } as never;
    assertEquals(
      (await assertRejects(() => ClientEngine.begin(target), TypeError)).message,
      error.message,
      "the layer without I/O",
    );
  }
});

/** Names of 255 bytes that fill the list, with the length before each. */
const FULL = Array.from(
  { length: MAX_ALPN_LIST / 256 },
  (_, i) => String(i).padStart(255, "x"),
);

Deno.test("the longest list of application protocols makes a handshake, and the last one is chosen", async () => {
  const last = FULL.at(-1)!;
  const context = new ServerContext({ ...EC, alpnProtocols: [last] });
  await using both = await open({ hostname, ...CLIENT, alpnProtocols: FULL }, { context });
  assertEquals((await both.client.handshake()).alpnProtocol, last);
  // The server may have as many.
  const many = new ServerContext({ ...EC, alpnProtocols: FULL });
  await using other = await open({ hostname, ...CLIENT, alpnProtocols: FULL }, { context: many });
  assertEquals((await other.server.handshake()).alpnProtocol, FULL[0]);
});

Deno.test("OpenSSL reads a ClientHello with the longest list", needs("openssl"), async () => {
  await using server = await startOpensslServer({ alpn: [FULL.at(-1)!] });
  await using tcp = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await using conn = await startTls(tcp, { hostname, ...CLIENT, alpnProtocols: FULL });
  assertEquals((await conn.handshake()).alpnProtocol, FULL.at(-1));
});

/** Lists that are none, and what is said of them. */
const NO_ALPN: [list: unknown, says: string][] = [
  [[...FULL, "a"], `more than ${MAX_ALPN_LIST} bytes together`],
  [new Array(MAX_ALPN_LIST / 2).fill("a").concat(["a"]), "bytes together"],
  [new Array(400).fill("x".repeat(250)), "bytes together"], // 100 KB
  [new Array(MAX_ITEMS + 1).fill("a"), `${MAX_ITEMS} items at most`],
  [["x".repeat(256)], "255 bytes of UTF-8 at most, got a text of 256 bytes"],
  [["é".repeat(128)], "255 bytes of UTF-8 at most, got a text of 256 bytes"],
  [["x".repeat(1_000_000)], "got a text of 1000000 bytes"],
  [[""], "an array of strings"],
  [["h2", ""], "an array of strings"],
  [["\ud800"], "lone surrogate"],
];

Deno.test("application protocols that do not fit their list are a TypeError, on either end", () => {
  for (const [alpnProtocols, says] of NO_ALPN) {
    const options = { alpnProtocols } as { alpnProtocols: string[] };
    for (
      const make of [
        () => new ClientContext(options),
        () => new ServerContext({ ...EC, ...options }),
      ]
    ) {
      const error = assertThrows(make, TypeError, '"alpnProtocols"');
      assert(error.message.includes(says), error.message);
    }
  }
});

Deno.test("a session context is told from others, or is a TypeError", () => {
  const make = (sessionContext: unknown) =>
    new ServerContext({ ...EC, sessionContext } as { sessionContext: string });
  const names = ["a", "A", "a\0", "\ufffd", "é", "e\u0301", "x".repeat(255), "é".repeat(127)];
  const fingerprints = new Set(names.map((name) => make(name).fingerprint));
  assertEquals(fingerprints.size, names.length);
  for (const name of ["\ud800", "\ud801", "", "x".repeat(256), "é".repeat(128), null, 1]) {
    assertThrows(() => make(name), TypeError, '"sessionContext"');
  }
});

Deno.test("a list has so many items at most, and no list without end is walked", () => {
  const pem = caCert("ec");
  new ClientContext({ caCerts: new Array(MAX_ITEMS).fill(pem) });
  for (const name of ["caCerts", "crls", "pinnedKeys", "cipherSuites", "alpnProtocols"]) {
    for (const value of [new Array(MAX_ITEMS + 1).fill(pem), KINDS["an array without end"]()]) {
      assertThrows(
        () => new ClientContext({ [name]: value }),
        TypeError,
        `"${name}" must have ${MAX_ITEMS} items at most`,
      );
    }
  }
  const certificates = new Array(MAX_ITEMS + 1).fill(EC);
  assertThrows(() => new ServerContext({ certificates }), TypeError, `${MAX_ITEMS} items at most`);
  assertThrows(
    () => new ServerContext({ sni: { "a.example": certificates } }),
    TypeError,
    `${MAX_ITEMS} items at most`,
  );
});

Deno.test("a suite that is named twice is offered once", async () => {
  const cipherSuites = new Array(5_000).fill("TLS_AES_128_GCM_SHA256");
  await using both = await open({ hostname, ...CLIENT, cipherSuites });
  assertEquals((await both.client.handshake()).cipherSuite, "TLS_AES_128_GCM_SHA256");
  const once = new ClientContext({ cipherSuites: ["TLS_AES_128_GCM_SHA256"] });
  assertEquals(new ClientContext({ cipherSuites }).fingerprint, once.fingerprint);
});

Deno.test("a message quotes no more of a value than is of use, and in one line", () => {
  const long = "x\n\u0007".repeat(100_000);
  const options: Record<string, unknown>[] = [
    { minVersion: long },
    { cipherSuites: [long] },
    { [long]: 1 },
  ];
  for (const bad of options) {
    const { message } = assertThrows(() => new ClientContext(bad), TypeError);
    assert(message.length < 1_000, `${message.length}`);
    // deno-lint-ignore no-control-regex
    assert(!/[\x00-\x1f]/.test(message), message.slice(0, 100));
  }
});

/** A list of a certificate that lost its end, among others that are whole. */
Deno.test("a PEM block that was cut off is refused, not left out", () => {
  const whole = caCert("ec");
  const other = caCert("rsa");
  const cut = [
    other.slice(0, -30),
    other.replace("-----END CERTIFICATE-----", ""),
    other.replace("-----END CERTIFICATE-----", "-----END CERTIFICATE----"),
    other.replace("-----END CERTIFICATE-----", "-----END X509 CRL-----"),
    "-----BEGIN CERTIFICATE-----",
  ];
  for (const broken of cut) {
    for (const pem of [`${whole}\n${broken}`, `${broken}\n${whole}`]) {
      assertThrows(() => new ClientContext({ caCerts: [pem] }), TypeError, '"caCerts"', broken);
      assertThrows(() => new ServerContext({ ...EC, cert: pem }), TypeError, '"cert"', broken);
    }
  }
  // Other text, and blocks of other labels, may stand around.
  new ClientContext({ caCerts: [`a comment\n${whole}\n${EC.key}\n-----BEGIN`] });
});

Deno.test(
  "a server of many client authorities names none, and clients choose without",
  needs("openssl"),
  async () => {
    // A CertificateRequest with all of their names would be longer than any client reads.
    const caCerts = Array.from({ length: 2_000 }, () => caCert("ec"));
    const context = new ServerContext({ ...EC, clientAuth: "required", caCerts });
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const own = { ...CLIENT, ...clientCert("ec"), minVersion: version, maxVersion: version };
      await using both = await open({ hostname, ...own }, { context });
      assertEquals((await both.server.handshake()).peerCertificates.length, 1);
      await using server = await serve({ ...EC, clientAuth: "required", caCerts });
      const seen = await opensslClient({
        port: server.port,
        version,
        stdin: "hello\n",
        cert: clientCertPaths("ec"),
      });
      assertEquals(seen.stdout.includes("No client certificate CA names sent"), true);
      assertEquals(server.reports.length, 1);
    }
  },
);

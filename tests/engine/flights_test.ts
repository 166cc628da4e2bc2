/**
 * Guards: a handshake comes to the same end however its bytes are cut: whole flights, one byte at
 * a time, and random pieces; full, resumed, and after a HelloRetryRequest, against OpenSSL.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ClientContext, type ClientContextOptions } from "../../mod.ts";
import { reusedByPage, startOpensslServer } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { caCert, clientCert } from "../testdata/mod.ts";
import { Driver, type DriverOptions, FEEDS } from "./driver.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const GET = "GET / HTTP/1.0\r\n\r\n";
const TICKETS = { "TLSv1.2": 1, "TLSv1.3": 2 } as const;
const CLIENT_HELLO = 1;

/** Types of key log lines in their order, for a resumed handshake and a full one alike. */
const KEY_LOG = {
  "TLSv1.2": ["CLIENT_RANDOM"],
  "TLSv1.3": [
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
    "EXPORTER_SECRET",
  ],
} as const;

function newContext(options: ClientContextOptions = {}): ClientContext {
  return new ClientContext({ caCerts: [caCert("ec"), caCert("rsa")], ...options });
}

/** Fetches the status page, up to close_notify; returns everything that was seen. */
async function visit(options: DriverOptions) {
  const driver = await Driver.connect(options);
  try {
    await driver.handshake();
    const info = driver.client.handshakeInfo();
    await driver.write(GET);
    await driver.until(() => driver.connection.peerClosed);
    assertEquals(driver.connection.error, undefined);
    const names = driver.events.map((event) => typeof event === "object" ? "text" : event);
    return {
      info,
      names,
      reused: reusedByPage(driver.text),
      sessions: driver.sessions,
      hellos: driver.handshakeTypesSent.filter((type) => type === CLIENT_HELLO).length,
      sessionMiss: driver.client.sessionMiss,
    };
  } finally {
    await driver.close();
  }
}

/** Events of a connection whose tickets come before its data. */
function expectedNames(tickets: number): string[] {
  return ["complete", ...Array<string>(tickets).fill("session"), "text", "close_notify"];
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  for (const feed of FEEDS) {
    const name = `${version}, ${feed.name}`;

    Deno.test(`a full and a resumed handshake complete: ${name}`, needs("openssl"), async () => {
      await using server = await startOpensslServer({ version, www: "www" });
      const labels: string[] = [];
      const context = newContext({ keyLog: (line) => labels.push(line.split(" ")[0]) });
      const { port } = server;

      const full = await visit({ port, context, feed });
      assertEquals(full.info.protocol, version);
      assertEquals([full.info.resumed, full.reused, full.sessionMiss], [false, false, null]);
      assertEquals(full.names, expectedNames(TICKETS[version]));
      assertEquals(full.info.keyExchangeGroup, "x25519");
      assertEquals(full.info.peerCertificates.length, 1);
      assertEquals(labels.splice(0), [...KEY_LOG[version]]);

      const session = full.sessions.at(-1)!.toBytes();
      const resumed = await visit({ port, context, feed, session });
      assertEquals([resumed.info.resumed, resumed.reused, resumed.sessionMiss], [true, true, null]);
      // On 1.3 that is a new ticket, on 1.2 the old one again.
      assertEquals(resumed.names, expectedNames(1));
      assertEquals(resumed.info.peerCertificates, full.info.peerCertificates);
      assertEquals(resumed.info.cipherSuite, full.info.cipherSuite);
      assertEquals(labels, [...KEY_LOG[version]]);
    });
  }
}

for (const feed of FEEDS) {
  Deno.test(
    `a HelloRetryRequest is answered, full and resumed: ${feed.name}`,
    needs("openssl"),
    async () => {
      await using server = await startOpensslServer({
        version: "TLSv1.3",
        groups: "P-384",
        www: "www",
      });
      const { port } = server;
      const full = await visit({ port, context: newContext(), feed });
      assertEquals([full.hellos, full.info.keyExchangeGroup], [2, "secp384r1"]);
      assertEquals(full.names, expectedNames(2));

      // A context that never met the server guesses the group wrong again.
      const session = full.sessions[0].toBytes();
      const resumed = await visit({ port, context: newContext(), feed, session });
      assertEquals([resumed.hellos, resumed.info.resumed, resumed.reused], [2, true, true]);
      assertEquals(resumed.names, expectedNames(1));
    },
  );

  Deno.test(
    `a client certificate is sent when asked for: ${feed.name}`,
    needs("openssl"),
    async () => {
      for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
        await using server = await startOpensslServer({
          version,
          clientAuth: true,
          cert: "rsa",
          www: "www",
        });
        const context = newContext(clientCert("rsa"));
        const { info, reused } = await visit({ port: server.port, context, feed });
        assertEquals([info.protocol, reused], [version, false]);
      }
    },
  );
}

Deno.test("a context that met a server guesses its group right", needs("openssl"), async () => {
  await using server = await startOpensslServer({
    version: "TLSv1.3",
    groups: "P-384",
    www: "www",
  });
  const context = newContext();
  const first = await visit({ port: server.port, context });
  const second = await visit({ port: server.port, context });
  assertEquals([first.hellos, second.hellos], [2, 1]);
  assert(!second.info.resumed);
});

/**
 * Guards: what happens after and around a handshake comes out the same however its bytes are cut:
 * data in both directions, key updates, close_notify, alerts of both sides, the host's `verify`.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ClientContext, type ClientContextOptions, TlsError } from "../../mod.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { readRecords } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";
import { Driver, FEEDS } from "./driver.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
const ALERT = 21;
const APPLICATION_DATA = 23;

function newContext(options: ClientContextOptions = {}): ClientContext {
  return new ClientContext({ caCerts: [caCert("ec")], ...options });
}

function reversed(text: string): string {
  return [...text].reverse().join("");
}

for (const feed of FEEDS) {
  for (const version of VERSIONS) {
    const name = `${version}, ${feed.name}`;

    Deno.test(`data goes both ways, then close_notify: ${name}`, needs("openssl"), async () => {
      await using server = await startOpensslServer({ version, rev: true });
      using driver = await Driver.connect({ port: server.port, context: newContext(), feed });
      await driver.handshake();
      // The longest line that s_server reverses at once is one of its buffers.
      const lines = ["one", "two, which is longer", "x".repeat(9_000)];
      let expected = "";
      for (const line of lines) {
        await driver.write(`${line}\n`);
        expected += `${reversed(line)}\n`;
        await driver.until(() => driver.text.length >= expected.length);
      }
      assertEquals(driver.text, expected);
      assertEquals(driver.connection.closed, false);
      driver.connection.close();
      assertEquals(driver.connection.closed, true);
      await driver.flush();
      await driver.until(() => driver.connection.peerClosed);
      assertEquals(driver.connection.error, undefined);
    });

    Deno.test(`an alert of the server is named: ${name}`, needs("openssl"), async () => {
      await using server = await startOpensslServer({ version, clientAuth: true, rev: true });
      using driver = await Driver.connect({ port: server.port, context: newContext(), feed });
      await driver.until(() => driver.connection.error !== undefined);
      const { error, handshaking } = driver.connection;
      assertInstanceOf(error, TlsError);
      assertEquals([error.code, error.origin], ["ERR_TLS_ALERT_RECEIVED", "peer"]);
      // On 1.2 the server looks before it finishes, on 1.3 after the client has.
      const named = { "TLSv1.2": "handshake_failure", "TLSv1.3": "certificate_required" };
      assertEquals(error.alert, named[version]);
      assertEquals(handshaking, false);
      assertEquals(driver.events.includes("complete"), version === "TLSv1.3");
    });

    Deno.test(
      `a chain of strangers is refused with an alert: ${name}`,
      needs("openssl"),
      async () => {
        await using server = await startOpensslServer({ version, cert: "other_ca", rev: true });
        using driver = await Driver.connect({ port: server.port, context: newContext(), feed });
        const error = await assertRejects(() => driver.handshake(), TlsError);
        assertEquals([error.code, error.alert], ["ERR_TLS_CERT_UNKNOWN_ISSUER", "unknown_ca"]);
        await server.waitForLog(/alert unknown ca/);
        assertEquals(driver.events, ["error"]);
      },
    );

    for (const accepted of [true, false]) {
      const outcome = accepted ? "goes on" : "fails";
      const title = `a handshake ${outcome} when verify says ${accepted}: ${name}`;
      Deno.test(title, needs("openssl"), async () => {
        await using server = await startOpensslServer({ version, rev: true });
        let asked = 0;
        const verify = async () => {
          asked++;
          await Promise.resolve();
          return accepted;
        };
        const context = newContext({ verify });
        using driver = await Driver.connect({ port: server.port, context, feed });
        if (accepted) {
          await driver.handshake();
          await driver.write("abc\n");
          await driver.until(() => driver.text.length === 4);
          assertEquals(driver.text, "cba\n");
        } else {
          const error = await assertRejects(() => driver.handshake(), TlsError);
          assertEquals(error.code, "ERR_TLS_CERT_INVALID");
          await server.waitForLog(/alert (access denied|bad certificate|certificate unknown)/);
          assert(!driver.events.includes("complete"));
        }
        assertEquals(asked, 1);
      });
    }
  }

  Deno.test(`key updates of both sides are followed: ${feed.name}`, needs("openssl"), async () => {
    await using server = await startOpensslServer({ version: "TLSv1.3" });
    using driver = await Driver.connect({ port: server.port, context: newContext(), feed });
    await driver.handshake();
    // Both tickets are there: what comes from now on was asked for.
    await driver.until(() => driver.sessions.length === 2);

    const exchange = async (word: string) => {
      const before = driver.text.length;
      await driver.write(`${word} from the client\n`);
      await server.waitForLog(new RegExp(`${word} from the client`));
      await server.write(`${word} from the server\n`);
      await driver.until(() => driver.text.endsWith("server\n") && driver.text.length > before);
      assertEquals(driver.text.slice(before), `${word} from the server\n`);
    };
    const recordsSent = () =>
      readRecords(driver.sent).filter(({ type }) => type === APPLICATION_DATA).length;

    await exchange("zero");
    await server.write("k\n"); // the server's keys alone
    assert(await driver.step());
    await exchange("one");

    let sent = recordsSent();
    await server.write("K\n"); // and asks for ours: the answer goes out at once
    await driver.until(() => recordsSent() > sent);
    await exchange("two");

    sent = recordsSent();
    driver.connection.updateKeys();
    await driver.flush();
    assertEquals(recordsSent(), sent + 1);
    await exchange("three");
    assertEquals(driver.connection.error, undefined);
    await driver.close();
  });
}

Deno.test("a key update on TLS 1.2 is a misuse and harms nothing", needs("openssl"), async () => {
  await using server = await startOpensslServer({ version: "TLSv1.2", rev: true });
  using driver = await Driver.connect({ port: server.port, context: newContext() });
  await driver.handshake();
  let thrown: unknown;
  try {
    driver.connection.updateKeys();
  } catch (error) {
    thrown = error;
  }
  assertInstanceOf(thrown, TlsError);
  assertEquals(thrown.code, "ERR_TLS_ENGINE_MISUSE");
  await driver.write("abc\n");
  await driver.until(() => driver.text === "cba\n");
  assertEquals(driver.connection.error, undefined);
});

Deno.test("close_notify goes out as one alert record", needs("openssl"), async () => {
  await using server = await startOpensslServer({ version: "TLSv1.2", rev: true });
  using driver = await Driver.connect({ port: server.port, context: newContext() });
  await driver.handshake();
  driver.connection.close();
  driver.connection.close();
  await driver.flush();
  assertEquals(readRecords(driver.sent).filter(({ type }) => type === ALERT).length, 1);
});

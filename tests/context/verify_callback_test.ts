/**
 * The `verify` callback: what it is asked, when, and that nothing but `true` accepts.
 */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ClientContext, connectTls, TlsError, type VerifyInput } from "../../mod.ts";
import { bounded, full, RESUMED, resumption, visit } from "../interop/visit.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { startOpensslServer, type TlsVersion } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { caCert, serverCert } from "../testdata/mod.ts";

const openssl = needs("openssl");
const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const EC = { caCerts: [caCert("ec")] };

function derOf(pem: string): string[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)/g);
  return Array.from(blocks, ([, body]) => Uint8Array.fromBase64(body.replace(/\s/g, "")).toHex());
}

/** With what a `verify` may answer but `true`: as a value, a promise, or an error. */
const REFUSALS: Record<string, () => unknown> = {
  "false": () => false,
  "nothing": () => undefined,
  "null": () => null,
  "1": () => 1,
  "a text": () => "yes",
  "an object": () => ({}),
  "a promise of false": () => Promise.resolve(false),
  "a promise of nothing": () => Promise.resolve(),
  "a promise of a text": () => Promise.resolve("yes"),
  "a promise in a list": () => [Promise.resolve(true)],
};

for (const version of VERSIONS) {
  Deno.test(`verify is asked once about a chain that verified, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({
      version,
      www: "www",
      cert: "via_intermediate",
    });
    const asked: VerifyInput[] = [];
    const verify = (input: VerifyInput) => asked.push(input) > 0;
    assertEquals(resumption(await visit({ port: server.port, ...EC, verify })), full());
    assertEquals(asked.length, 1);
    const [{ peerCertificates, serverName, resumed }] = asked;
    assertEquals([serverName, resumed], ["localhost", false]);
    const chain = peerCertificates.map((der) => der.toHex());
    assertEquals(chain, derOf(serverCert("via_intermediate").cert));
  });

  Deno.test(
    `verify is not asked about a chain that did not verify, ${version}`,
    openssl,
    async () => {
      await using server = await startOpensslServer({ version, www: "www", cert: "other_ca" });
      const verify = () => {
        throw new Error("it was asked");
      };
      const connecting = () =>
        connectTls({ hostname: "localhost", port: server.port, ...EC, verify });
      const error = await assertRejects(connecting, TlsError);
      assertEquals([error.code, error.cause], ["ERR_TLS_CERT_UNKNOWN_ISSUER", undefined]);
    },
  );

  Deno.test(`verify refuses by anything but true, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    for (const [what, answer] of Object.entries(REFUSALS)) {
      const verify = answer as () => boolean;
      const connecting = () =>
        connectTls({ hostname: "localhost", port: server.port, ...EC, verify });
      const error = await assertRejects(connecting, TlsError, undefined, what);
      assertEquals([error.code, error.cause], ["ERR_TLS_CERT_INVALID", undefined], what);
    }
  });

  Deno.test(`what verify throws or rejects with is the cause, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    const reason = new RangeError("I do not like it");
    const throwing = () => {
      throw reason;
    };
    for (const verify of [throwing, () => Promise.reject(reason)]) {
      const connecting = () =>
        connectTls({ hostname: "localhost", port: server.port, ...EC, verify });
      const error = await assertRejects(connecting, TlsError);
      assertEquals(error.code, "ERR_TLS_CERT_INVALID");
      assertStrictEquals(error.cause, reason);
    }
  });

  Deno.test(`a verify that takes its time is waited for, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    const order: string[] = [];
    const verify = async () => {
      order.push("asked");
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push("answered");
      return true;
    };
    const context = new ClientContext({ ...EC, verify });
    const first = await visit({ port: server.port, context });
    order.push("connected");
    const second = await visit({ port: server.port, context, session: first.session });
    assertEquals([first, second].map(resumption), [full(), RESUMED]);
    assertEquals(order, ["asked", "answered", "connected", "asked", "answered"]);
  });

  Deno.test(`there is no connection before verify has answered, ${version}`, async () => {
    await using server = await startDenoServer({ answer: "hello" });
    const answer = Promise.withResolvers<boolean>();
    const asked = Promise.withResolvers<void>();
    const verify = () => {
      asked.resolve();
      return answer.promise;
    };
    let connected = false;
    const connecting = connectTls({
      hostname: "localhost",
      port: server.port,
      ...EC,
      verify,
      maxVersion: version,
    });
    connecting.then(() => connected = true, () => {});
    await bounded(asked.promise, "verify");
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert(!connected);
    answer.resolve(true);
    await using _conn = await bounded(connecting, "the connection");
  });

  Deno.test(
    `changes that verify makes of its input change nothing, ${version}`,
    openssl,
    async () => {
      await using server = await startOpensslServer({ version, www: "www" });
      const verify = (input: VerifyInput) => {
        for (const der of input.peerCertificates) der.fill(0);
        input.peerCertificates.length = 0;
        input.serverName = "other.example";
        return true;
      };
      const context = new ClientContext({ ...EC, verify });
      const first = await visit({ port: server.port, context });
      const second = await visit({ port: server.port, context, session: first.session });
      const third = await visit({ port: server.port, context, session: second.session });
      assertEquals([first, second, third].map(resumption), [full(), RESUMED, RESUMED]);
      for (const { info, chainLength } of [first, second, third]) {
        assertEquals([info.serverName, chainLength], ["localhost", 1]);
      }
    },
  );
}

Deno.test(
  "a verify that never answers is ended by the deadline and by the signal",
  openssl,
  async () => {
    await using server = await startOpensslServer({ www: "www" });
    const asked = Promise.withResolvers<void>();
    const verify = () => {
      asked.resolve();
      return new Promise<boolean>(() => {});
    };
    const options = { hostname: "localhost", port: server.port, ...EC, verify };
    const late = () => connectTls({ ...options, handshakeTimeout: 50 });
    assertEquals((await assertRejects(late, TlsError)).code, "ERR_TLS_HANDSHAKE_TIMEOUT");
    const controller = new AbortController();
    const reason = new Error("enough");
    const aborted = assertRejects(
      () => connectTls({ ...options, signal: controller.signal }),
      Error,
    );
    await bounded(asked.promise, "verify");
    controller.abort(reason);
    assertStrictEquals(await aborted, reason);
  },
);

/**
 * A client does not come back by resumption once its certificate is revoked, has expired, or is
 * refused by the `verify` callback: its stored chain is looked at anew each time, and what does not
 * pass costs a full handshake, where it must show a certificate that does.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { VerifyClientInput } from "../../mod.ts";
import { movedClock } from "../interop/clock.ts";
import { Child } from "../peers/child.ts";
import { opensslClient, type OpensslClientOptions } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import {
  caCert,
  type CertPaths,
  clientCert,
  clientCertPaths,
  crl,
  serverCert,
} from "../testdata/mod.ts";
import { answered } from "./answer.ts";
import { clientDer } from "./certificates.ts";
import { resumed, VERSIONS, visitAt } from "./client.ts";
import { serve } from "./in_process.ts";
import { MODES, sharedResumption } from "./shared.ts";

const openssl = needs("openssl");
const DAY_MS = 24 * 60 * 60 * 1000;
const REQUIRED = {
  ...serverCert("ec_p256"),
  clientAuth: "required",
  caCerts: [caCert("ec")],
} as const;

/** OpenSSL offers a session whatever certificate it is run with. */
async function visitByOpenssl(
  options: Pick<OpensslClientOptions, "port" | "version" | "cert" | "sessIn" | "sessOut">,
) {
  const result = await opensslClient({ ...options, stdin: "hello\n" });
  const refused = !result.stdout.includes('{"resumed":');
  const server = refused ? null : answered(result.stdout);
  // OpenSSL sends the root along that it verifies with.
  return { reused: result.reused, server, client: server?.peer[0], result };
}

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "reprise-server-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** An authority, and a client certificate under it that is good for a day. */
async function certificateOfADay(folder: string): Promise<CertPaths & { ca: string }> {
  const run = async (...args: string[]) => {
    await using child = new Child("openssl", { args, cwd: folder });
    const { code } = await child.exited();
    if (code !== 0) throw new Error(child.log());
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const ca = ["-subj", "/CN=CA", "-days", "3650", "-keyout", "ca.key", "-out", "ca.pem"];
  await run("req", "-x509", ...key, ...ca);
  await run("req", ...key, "-subj", "/CN=client", "-keyout", "key.pem", "-out", "request.pem");
  await Deno.writeTextFile(
    `${folder}/extensions`,
    "basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n",
  );
  const by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions"];
  await run("x509", "-req", "-in", "request.pem", ...by, "-days", "1", "-out", "cert.pem");
  return {
    cert: `${folder}/cert.pem`,
    key: `${folder}/key.pem`,
    ca: await Deno.readTextFile(`${folder}/ca.pem`),
  };
}

for (const mode of MODES) {
  for (const version of VERSIONS) {
    Deno.test(`a resumed connection has the client's chain, ${mode}, ${version}`, async () => {
      const asked: VerifyClientInput[] = [];
      await using server = await serve({
        ...REQUIRED,
        resumption: await sharedResumption(mode),
        verify(input) {
          asked.push(input);
          return Promise.resolve(true);
        },
      });
      const options = { version, ...clientCert("ec") };
      const first = await visitAt(server, options);
      const second = await visitAt(server, { ...options, session: first.client.session });
      const third = await visitAt(server, { ...options, session: second.client.session });
      assertEquals([second, third].map(resumed), [[true, true], [true, true]]);
      const chain = [clientDer("ec")];
      for (const each of [first, second, third]) assertEquals(each.server.peer, chain);
      assertEquals(
        asked.map((input) => [
          input.resumed,
          input.serverName,
          input.peerCertificates.map((each) => each.toHex()),
        ]),
        [false, true, true].map((resumed) => [resumed, "localhost", chain]),
      );
    });

    Deno.test(
      `a client certificate revoked since does not come back, ${mode}, ${version}`,
      openssl,
      () =>
        inFolder(async (folder) => {
          const resumption = await sharedResumption(mode);
          const file = `${folder}/session`;
          const cert = clientCertPaths("revoked");
          {
            await using server = await serve({ ...REQUIRED, resumption, crls: [crl("ec_empty")] });
            const first = await visitByOpenssl({ port: server.port, version, cert, sessOut: file });
            assert(first.server);
            const second = await visitByOpenssl({ port: server.port, version, cert, sessIn: file });
            assertEquals([second.reused, second.server?.resumed], [true, true]);
          }
          // The store gave a TLS 1.3 session to one taker.
          await using before = await serve({ ...REQUIRED, resumption, crls: [crl("ec_empty")] });
          await visitByOpenssl({ port: before.port, version, cert, sessOut: file });
          await using server = await serve({ ...REQUIRED, resumption, crls: [crl("ec_revoked")] });
          assertEquals(server.context.fingerprint, before.context.fingerprint);
          const other = { port: server.port, version, cert: clientCertPaths("ec"), sessIn: file };
          const seen = await visitByOpenssl(other);
          assertEquals([seen.reused, seen.server?.resumed], [false, false]);
          assertEquals(seen.client, clientDer("ec"));
          assertEquals(server.context.stats().missReasons, { chain_invalid: 1 });
          const refused = await visitByOpenssl({ ...other, cert });
          assertEquals(refused.server, null);
          assertMatch(refused.result.stderr, /alert certificate revoked/);
          await server.failed(1);
          assertEquals(server.errors.map(({ code }) => code), ["ERR_TLS_CERT_REVOKED"]);
        }),
    );

    Deno.test(
      `a client certificate expired since does not come back, ${mode}, ${version}`,
      openssl,
      () =>
        inFolder(async (folder) => {
          const { ca, ...cert } = await certificateOfADay(folder);
          const resumption = await sharedResumption(mode, { maxAge: 7 * DAY_MS });
          const caCerts = [caCert("ec"), ca];
          await using server = await serve({ ...REQUIRED, caCerts, resumption });
          const file = `${folder}/session`;
          const one = { port: server.port, version, cert };
          assert((await visitByOpenssl({ ...one, sessOut: file })).server);
          const again = await visitByOpenssl({ ...one, sessIn: file });
          assertEquals([again.reused, again.server?.resumed], [true, true]);
          await visitByOpenssl({ ...one, sessOut: file });
          using clock = movedClock();
          clock.move(2 * DAY_MS / 1000);
          const other = await visitByOpenssl({ ...one, cert: clientCertPaths("ec"), sessIn: file });
          assertEquals([other.reused, other.server?.resumed], [false, false]);
          assertEquals(other.client, clientDer("ec"));
          const { missReasons, timeouts } = server.context.stats();
          assertEquals([missReasons, timeouts], [{ expired: 1 }, 1]);
          const refused = await visitByOpenssl({ ...one, sessIn: file });
          assertEquals(refused.server, null);
          assertMatch(refused.result.stderr, /alert certificate expired/);
          await server.failed(1);
          assertEquals(server.errors.map(({ code }) => code), ["ERR_TLS_CERT_EXPIRED"]);
        }),
    );

    for (
      const [how, answer] of [
        ["says no", () => false],
        ["throws", () => {
          throw new Error("no");
        }],
        ["says what is no boolean", () => 1 as unknown as boolean],
      ] as const
    ) {
      Deno.test(
        `verify that ${how} about a stored chain costs a full handshake, ${mode}, ${version}`,
        async () => {
          const asked: boolean[] = [];
          await using server = await serve({
            ...REQUIRED,
            resumption: await sharedResumption(mode),
            async verify({ resumed }) {
              asked.push(resumed);
              await Promise.resolve();
              return resumed ? answer() : true;
            },
          });
          const options = { version, ...clientCert("ec") };
          const first = await visitAt(server, options);
          const second = await visitAt(server, { ...options, session: first.client.session });
          assertEquals(resumed(second), [false, false]);
          assertEquals(second.server.peer, [clientDer("ec")]);
          assertEquals(asked, [false, true, false]);
          assertEquals(server.context.stats().missReasons, { verify_refused: 1 });
        },
      );
    }
  }
}

/**
 * What the application keeps with a session comes back with that session, and with no other: it is
 * for those who resumed, not for those who only named a session.
 */

import { assert, assertEquals } from "@std/assert";
import type { ServerContextOptions, SessionDataInput } from "../../mod.ts";
import { opensslClient } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { serverCert } from "../testdata/mod.ts";
import { answered } from "./answer.ts";
import { connectTo, resumed, VERSIONS, visitAt } from "./client.ts";
import { serve } from "./in_process.ts";
import { MODES, sharedResumption } from "./shared.ts";

const CERT = serverCert("ec_p256");

function text(bytes: Uint8Array | null): string | null {
  return bytes && new TextDecoder().decode(bytes);
}

function bytes(of: string): Uint8Array {
  return new TextEncoder().encode(of);
}

for (const mode of MODES) {
  for (const version of VERSIONS) {
    /** On TLS 1.2 a session in a store is the same one until its end. */
    const renewed = version === "TLSv1.3" || mode === "tickets";

    Deno.test(`session data comes back on the resumed connection, ${mode}, ${version}`, async () => {
      const asked: SessionDataInput[] = [];
      await using server = await serve({
        ...CERT,
        resumption: await sharedResumption(mode),
        async sessionData(input) {
          asked.push(input);
          await Promise.resolve();
          return bytes(`${text(input.previous) ?? ""}+`);
        },
      });
      const seen = [];
      let session: string | null = null;
      for (let i = 0; i < 4; i++) {
        const each = await visitAt(server, { version, session, alpnProtocols: ["x", "y"] });
        seen.push([each.server.resumed, each.server.sessionData]);
        session = each.client.session;
      }
      const data = renewed ? ["+", "++", "+++"] : ["+", "+", "+"];
      assertEquals(seen, [[false, null], ...data.map((each) => [true, each])]);
      assertEquals(
        asked.map(({ previous, ...input }) => ({ ...input, previous: text(previous) })),
        [null, ...data].map((previous) => ({
          serverName: "localhost",
          alpnProtocols: ["x", "y"],
          previous,
        })),
      );
    });

    Deno.test(`null leaves session data as it was, ${mode}, ${version}`, async () => {
      await using server = await serve({
        ...CERT,
        resumption: await sharedResumption(mode),
        sessionData: ({ previous }) => previous === null ? bytes("first") : null,
      });
      let session: string | null = null;
      const seen = [];
      for (let i = 0; i < 3; i++) {
        const each = await visitAt(server, { version, session });
        seen.push(each.server.sessionData);
        session = each.client.session;
      }
      assertEquals(seen, [null, "first", "first"]);
    });

    Deno.test(`without the callback there is no session data, ${mode}, ${version}`, async () => {
      await using server = await serve({ ...CERT, resumption: await sharedResumption(mode) });
      const first = await visitAt(server, { version });
      const second = await visitAt(server, { version, session: first.client.session });
      assertEquals([...resumed(second), second.server.sessionData], [true, true, null]);
    });
  }

  for (
    const [what, sessionData] of [
      ["throws", () => {
        throw new Error("as it was told");
      }],
      ["rejects", () => Promise.reject(new Error("as it was told"))],
      ["returns too much", () => new Uint8Array(2049)],
      ["returns no bytes", () => "text" as unknown as Uint8Array],
    ] satisfies [string, ServerContextOptions["sessionData"]][]
  ) {
    Deno.test(`a sessionData callback that ${what} ends that handshake alone, ${mode}`, async () => {
      let good = false;
      await using server = await serve({
        ...CERT,
        resumption: await sharedResumption(mode),
        sessionData: () => good ? null : sessionData(),
      });
      const failed = await connectTo(server).then(() => null, (error) => error);
      assertEquals([failed?.code, failed?.alert], ["ERR_TLS_ALERT_RECEIVED", "internal_error"]);
      await server.failed(1);
      assert(/as it was told|sessionData/.test(server.errors[0].message), `${server.errors[0]}`);
      good = true;
      assertEquals(resumed(await visitAt(server)), [false, false]);
      assertEquals(server.errors.length, 1);
    });
  }

  Deno.test(
    `who names a session, and cannot resume it, gets nothing of its data, ${mode}`,
    needs("openssl"),
    async () => {
      const folder = await Deno.makeTempDir({ prefix: "reprise-server-" });
      try {
        let handshakes = 0;
        await using server = await serve({
          ...CERT,
          resumption: await sharedResumption(mode),
          // What is kept is kept: a counter shows whose it is.
          sessionData: ({ previous }) => previous ?? bytes(`handshake ${++handshakes}`),
        });
        const visit = async (suite: string, sessIn: string | undefined, sessOut: string) => {
          const result = await opensslClient({
            port: server.port,
            version: "TLSv1.3",
            stdin: "hello\n",
            sessOut,
            sessIn,
            args: ["-ciphersuites", suite],
          });
          return answered(result.stdout);
        };
        const [victim, stolen] = [`${folder}/victim`, `${folder}/stolen`];
        const [AES128, AES256] = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"];
        await visit(AES128, undefined, victim);
        // The identity is on the wire for all to see. Without the session's hash among the suites
        // no binder is looked at: nothing shows that the client holds the session.
        const named = await visit(AES256, victim, stolen);
        assertEquals([named.resumed, named.sessionData], [false, null]);
        const after = await visit(AES256, stolen, stolen);
        assertEquals(after.resumed, true);
        assert(after.sessionData !== "handshake 1", "the data of another client's session");
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  );
}

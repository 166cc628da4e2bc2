/**
 * Guards: of several revocation lists of one authority the newest decides, in whatever order they are
 * given: an old list beside a new one lets nobody back in.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { ClientContext, connectTls, TlsError } from "../../mod.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { serve } from "../server/in_process.ts";
import { connectTo, resumed, visitAt } from "../server/client.ts";
import { MODES, sharedResumption } from "../server/shared.ts";
import { caCert, clientCert, crl, serverCert } from "../testdata/mod.ts";

/** `ec_revoked` has the higher number; both are of the same day. */
const ORDERS = [["ec_empty", "ec_revoked"], ["ec_revoked", "ec_empty"]] as const;

for (const order of ORDERS) {
  const crls = order.map((name) => crl(name));

  Deno.test(`a client refuses a revoked server, lists ${order.join(", ")}`, async () => {
    await using server = await startDenoServer({ cert: "revoked" });
    const context = new ClientContext({ caCerts: [caCert("ec")], crls });
    const connecting = connectTls({ hostname: "localhost", port: server.port, context });
    const error = await assertRejects(() => connecting, TlsError);
    assertEquals(error.code, "ERR_TLS_CERT_REVOKED");
  });

  Deno.test(`a client takes a server that is not revoked, lists ${order.join(", ")}`, async () => {
    await using server = await startDenoServer();
    const context = new ClientContext({ caCerts: [caCert("ec")], crls });
    const conn = await connectTls({ hostname: "localhost", port: server.port, context });
    await conn.close();
  });

  Deno.test(`lists in one string are ordered as well, ${order.join(", ")}`, async () => {
    await using server = await startDenoServer({ cert: "revoked" });
    const context = new ClientContext({ caCerts: [caCert("ec")], crls: [crls.join("\n")] });
    const connecting = connectTls({ hostname: "localhost", port: server.port, context });
    assertEquals((await assertRejects(() => connecting, TlsError)).code, "ERR_TLS_CERT_REVOKED");
  });

  Deno.test(`a server refuses a revoked client, lists ${order.join(", ")}`, async () => {
    await using server = await serve({
      ...serverCert("ec_p256"),
      clientAuth: "required",
      caCerts: [caCert("ec")],
      crls,
    });
    const refused = async () => {
      await using conn = await connectTo(server, clientCert("revoked"));
      await conn.read(new Uint8Array(1));
    };
    const error = await assertRejects(refused, TlsError);
    assertEquals(error.code, "ERR_TLS_ALERT_RECEIVED");
    await server.failed(1);
    assertEquals(server.errors.map(({ code }) => code), ["ERR_TLS_CERT_REVOKED"]);
  });

  Deno.test(`a session of a client that was revoked since is not resumed, ${order.join(", ")}`, async () => {
    for (const mode of MODES) {
      const resumption = await sharedResumption(mode);
      const policy = { clientAuth: "required", caCerts: [caCert("ec")], resumption } as const;
      // The lists are part of no fingerprint; that there are some is.
      await using before = await serve({
        ...serverCert("ec_p256"),
        ...policy,
        crls: [crl("ec_empty")],
      });
      await using after = await serve({ ...serverCert("ec_p256"), ...policy, crls });
      const { client } = await visitAt(before, clientCert("revoked"));
      const options = { ...clientCert("revoked"), session: client.session };
      assertEquals(resumed(await visitAt(before, options)), [true, true]);
      const again = { ...clientCert("revoked"), session: client.session };
      await assertRejects(() => visitAt(after, again));
      await after.failed(1);
      assertEquals(after.context.stats().hits, 0);
    }
  });
}

/**
 * Guards what becomes of a session that is disposed of before or while it is offered: a full
 * handshake with a reason, never a failed connection.
 *
 * @module
 */

import { assertEquals } from "@std/assert";

import { ClientContext, connectTls, Session } from "../../mod.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";

Deno.test({
  name: "connectTls() makes a full handshake when the session was disposed of",
  ...needs("openssl"),
  async fn() {
    await using server = await startOpensslServer({ version: "TLSv1.3", www: "www" });
    const { port } = server;
    let session: Session | undefined;
    let disposeIn: "before" | "verify" = "before";
    const verify = ({ resumed }: { resumed: boolean }) => {
      if (resumed && disposeIn === "verify") session![Symbol.dispose]();
      return true;
    };
    const context = new ClientContext({ caCerts: [caCert("ec")], verify });
    for (disposeIn of ["before", "verify"] as const) {
      const first = await connectTls({ hostname: "localhost", port, context });
      session = (await first.getSession())!;
      await first.close();
      if (disposeIn === "before") session[Symbol.dispose]();
      const second = await connectTls({ hostname: "localhost", port, context, session });
      assertEquals([second.sessionReused, second.sessionMiss], [false, "used_already"], disposeIn);
      await second.close();
    }
  },
});

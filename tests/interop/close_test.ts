/**
 * Guards what close() owes: everything that was written arrives, though tickets were never read.
 * A socket that is closed with bytes unread is reset, and what is under way is lost.
 *
 * @module
 */

import { assertEquals } from "@std/assert";

import { connectTls, type ProtocolVersion } from "../../mod.ts";
import { caCert, serverCert } from "../testdata/mod.ts";

for (const version of ["TLSv1.2", "TLSv1.3"] as const satisfies readonly ProtocolVersion[]) {
  Deno.test(`close() loses nothing that was written before it, with tickets unread, ${version}`, async () => {
    using listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...serverCert("ec_p256") });
    const written = Promise.withResolvers<void>();
    const served = (async () => {
      using peer = await listener.accept();
      await peer.handshake();
      await written.promise;
      return (await new Response(peer.readable).arrayBuffer()).byteLength;
    })();
    const conn = await connectTls({
      hostname: "localhost",
      port: listener.addr.port,
      caCerts: [caCert("ec")],
      minVersion: version,
      maxVersion: version,
    });
    await conn.write(new Uint8Array(1024 * 1024));
    written.resolve();
    await conn.close();
    assertEquals(await served, 1024 * 1024);
  });
}

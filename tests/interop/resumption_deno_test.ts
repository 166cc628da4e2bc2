/**
 * Process 1 keeps a session's bytes and ends, process 2 resumes, at Deno's native server: it is
 * another TLS engine, and there wherever Deno is. It cannot say what was resumed; the client can,
 * as both ends agree on it or the handshake fails.
 */

import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import type { ProtocolVersion } from "../../mod.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { caCert, type ServerCertName } from "../testdata/mod.ts";
import { visitInNewProcess } from "./visit.ts";

const CERTS: ServerCertName[] = ["ec_p256", "ec_p384", "rsa_2048", "via_intermediate"];

for (const version of ["TLSv1.2", "TLSv1.3"] as ProtocolVersion[]) {
  for (const cert of CERTS) {
    Deno.test(`process 2 resumes at Deno's native server, ${version}, ${cert}`, async () => {
      await using server = await startDenoServer({ cert, answer: "hello", alpn: ["http/1.0"] });
      const options = {
        port: server.port,
        caCerts: [caCert(cert === "rsa_2048" ? "rsa" : "ec")],
        alpnProtocols: ["http/1.0"],
        maxVersion: version,
      };
      const first = await visitInNewProcess(options);
      assertEquals([first.reused, first.miss], [false, null]);
      assert(first.session, "process 1 has a session");
      const second = await visitInNewProcess({ ...options, session: first.session });
      assertEquals([second.reused, second.miss], [true, null]);
      const third = await visitInNewProcess({ ...options, session: second.session });
      assertEquals([third.reused, third.miss], [true, null]);
      assertEquals(new Set([first.pid, second.pid, third.pid, Deno.pid]).size, 4);
      for (const { info, page } of [first, second, third]) {
        assertEquals([info.protocol, info.alpnProtocol], [version, "http/1.0"]);
        assertStringIncludes(page, "\r\n\r\nhello\n");
      }
      assertEquals(server.log(), `LISTENING ${server.port}\n`);
    });
  }
}

Deno.test("a process that offers nothing makes a full handshake at Deno's native server", async () => {
  await using server = await startDenoServer({ answer: "hello" });
  const options = { port: server.port, caCerts: [caCert("ec")] };
  const [first, second] = [await visitInNewProcess(options), await visitInNewProcess(options)];
  assertEquals([first.reused, second.reused], [false, false]);
  assertNotEquals(first.session, second.session);
});

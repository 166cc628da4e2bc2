/**
 * Flipped bits over real connections. Every single one is refused by `Session.fromBytes()`
 * (`tests/session/corruption_test.ts`); here a sample of all fields shows what that comes to: a full
 * handshake, and no dead connection. Behind a right digest, where only somebody who can write to
 * the store gets, a flip must not stop the engine.
 */

import { assert, assertEquals } from "@std/assert";
import { ClientContext, TlsError } from "../../mod.ts";
import { startOpensslServer, type TlsVersion } from "../peers/openssl.ts";
import { digestAnew, fieldRanges } from "../session/layout.ts";
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";
import { full, RESUMED, resumption, type Visit, visit } from "./visit.ts";

const openssl = needs("openssl");
const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];

/** The first and last byte of every field, and some between; the same ones with each call. */
function sample(bytes: Uint8Array, between: number): number[] {
  const ends = fieldRanges(bytes).flatMap(({ start, end }) => [start, end - 1]);
  const step = Math.floor(bytes.length / between);
  const spread = Array.from({ length: between }, (_, i) => i * step);
  return [...new Set([...ends, ...spread])].sort((a, b) => a - b);
}

function fieldAt(bytes: Uint8Array, at: number): string {
  return fieldRanges(bytes).find(({ start, end }) => start <= at && at < end)!.name;
}

for (const version of VERSIONS) {
  Deno.test(`a flipped bit costs a full handshake in any field, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version, www: "www" });
    const target = { port: server.port, context: new ClientContext({ caCerts: [caCert("ec")] }) };
    const { session } = await visit(target);
    const bytes = Uint8Array.fromHex(session!);
    const places = sample(bytes, 20);
    for (const [i, at] of places.entries()) {
      const where = `byte ${at}, ${fieldAt(bytes, at)}`;
      const flipped = bytes.with(at, bytes[at] ^ (1 << (i % 8)));
      const miss = fieldAt(bytes, at) === "format" ? "version" : "tampered";
      assertEquals(resumption(await visit({ ...target, session: flipped })), full(miss), where);
    }
    assert(places.length >= 60, `${places.length} places`);
    const intact = await visit({ ...target, session: bytes });
    assertEquals(resumption(intact), RESUMED, "the session was never offered before");
  });

  Deno.test(
    `cutting a session at any field costs a full handshake, ${version}`,
    openssl,
    async () => {
      await using server = await startOpensslServer({ version, www: "www" });
      const target = { port: server.port, context: new ClientContext({ caCerts: [caCert("ec")] }) };
      const { session } = await visit(target);
      const bytes = Uint8Array.fromHex(session!);
      for (const { name, start } of fieldRanges(bytes)) {
        const cut = await visit({ ...target, session: bytes.subarray(0, start) });
        assertEquals(resumption(cut), full("tampered"), `before ${name}`);
      }
    },
  );

  Deno.test(
    `behind a right digest no flipped bit stops the engine, ${version}`,
    openssl,
    async () => {
      await using server = await startOpensslServer({ version, www: "www" });
      const target = { port: server.port, context: new ClientContext({ caCerts: [caCert("ec")] }) };
      const { session } = await visit(target);
      const bytes = Uint8Array.fromHex(session!);
      // RFC 8446 §4.2.11: the server refuses a binder of the wrong PSK. On TLS 1.2 the client is the
      // first to find that the keys differ; RFC 7627 §5.3: a changed extended master secret.
      const deadly = version === "TLSv1.3" ? { psk: "ERR_TLS_ALERT_RECEIVED" } : {
        master_secret: "ERR_TLS_PEER_MISBEHAVED",
        extended_master_secret: "ERR_TLS_PEER_MISBEHAVED",
      };
      const outcomes: Record<string, string> = {};
      const places = sample(bytes, 40).filter((at) => fieldAt(bytes, at) !== "digest");
      for (const [i, at] of places.entries()) {
        // A boolean with another bit set is no boolean, and tampered; bit 0 makes it the other one.
        const bit = fieldAt(bytes, at) === "extended_master_secret" ? 0 : i % 8;
        const flipped = digestAnew(bytes.with(at, bytes[at] ^ (1 << bit)) as typeof bytes);
        const result: Visit | TlsError = await visit({ ...target, session: flipped })
          .catch((error) => error);
        const where = `byte ${at}, ${fieldAt(bytes, at)}`;
        if (result instanceof TlsError) {
          outcomes[fieldAt(bytes, at)] = result.code;
        } else {
          assert(!(result instanceof Error), `${where}: ${result}`);
          assertEquals(result.reusedAtServer, result.reused, where);
          assertEquals(result.reused, result.miss === null, where);
        }
      }
      assertEquals<unknown>(outcomes, deadly, "what ends a handshake");
      assertEquals(resumption(await visit(target)), full(), "the server and the engine go on");
    },
  );
}

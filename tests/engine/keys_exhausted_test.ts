/**
 * Guards: a TLS 1.2 connection whose keys have protected as many records as they may (RFC 9325 §3.4,
 * 2^24 - 1 with AES-GCM) ends in order, by a code of its own, and can still be read.
 *
 * The limit is lowered in the engine's memory: 16 million records would take a minute.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClientContext, connectTls, TlsError } from "../../mod.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { caCert } from "../testdata/mod.ts";
import { within } from "./bounded.ts";

const LIMIT = 1n << 24n;
const LOWERED = 200n;

/** Lowers the confidentiality limit of the AES suites, which is a constant in the engine's data. */
function lowerLimit(): void {
  const { buffer } = currentEngine().memory;
  const words = new BigUint64Array(buffer, 0, Math.floor(buffer.byteLength / 8));
  let found = 0;
  for (let at = 0; at < words.length; at++) {
    if (words[at] !== LIMIT) continue;
    words[at] = LOWERED;
    found++;
  }
  assert(found > 0, "the limit is in the engine's data");
}

for (const protocol of ["TLSv1.2", "TLSv1.3"] as const) {
  Deno.test(`at the end of a key's life, ${protocol}`, async () => {
    lowerLimitOnce();
    await using server = await startDenoServer();
    const context = new ClientContext({
      caCerts: [caCert("ec")],
      minVersion: protocol,
      maxVersion: protocol,
      cipherSuites: ["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
    });
    await using conn = await connectTls({ hostname: "localhost", port: server.port, context });
    const byte = new Uint8Array([42]);
    let written = 0;
    const writeAll = async () => {
      for (; written < 300; written++) await conn.write(byte);
    };
    if (protocol === "TLSv1.3") {
      // Keys are updated instead (RFC 8446 §5.5).
      await within(writeAll(), "the writes");
    } else {
      const error = await assertRejects(() => within(writeAll(), "the writes"), TlsError);
      assertEquals([error.code, error.origin], ["ERR_TLS_KEYS_EXHAUSTED", "local"]);
      assert(written > 150 && written < Number(LOWERED), `${written}`);
      const again = await assertRejects(() => conn.write(byte), TlsError);
      assertEquals(again.code, "ERR_TLS_KEYS_EXHAUSTED");
    }
    // The echo of everything, and then the end that close_notify asks for.
    let read = 0;
    const buffer = new Uint8Array(1000);
    while (read < written) read += (await within(conn.read(buffer), "the echo"))!;
    assertEquals(read, written);
    if (protocol === "TLSv1.2") {
      assertEquals(await within(conn.read(buffer), "the end"), null, "the server saw close_notify");
    }
  });
}

let lowered = false;
function lowerLimitOnce(): void {
  if (!lowered) lowerLimit();
  lowered = true;
}

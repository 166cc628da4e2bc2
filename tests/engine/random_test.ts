/**
 * Guards: randomness is the host's, written straight into wasm memory and nowhere else; a source that
 * fails, or that writes nothing, is an error by a code of its own, never a key made of nothing.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClientContext, connectTls, SealingKeys, Session, TlsError } from "../../mod.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { seal } from "../../src/envelope.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { caCert } from "../testdata/mod.ts";
import { within } from "./bounded.ts";

const context = new ClientContext({ caCerts: [caCert("ec")] });

/** Puts another source in the place of `crypto.getRandomValues`, for this file's thread. */
function withSource(source: (bytes: Uint8Array) => void): Disposable {
  const own = crypto.getRandomValues;
  crypto.getRandomValues = ((bytes: Uint8Array) => {
    source(bytes);
    return bytes;
  }) as typeof crypto.getRandomValues;
  return { [Symbol.dispose]: () => crypto.getRandomValues = own };
}

const BROKEN: [string, (bytes: Uint8Array) => void][] = [
  ["writes nothing", () => {}],
  ["throws", () => {
    throw new Error("no entropy");
  }],
];

for (const [how, source] of BROKEN) {
  Deno.test(`no connection is opened with a source that ${how}`, async () => {
    await using server = await startDenoServer();
    const options = { hostname: "localhost", port: server.port, context };
    await (await connectTls(options)).close();
    const instance = currentEngine();
    {
      using _source = withSource(source);
      const error = await assertRejects(() => within(connectTls(options), "the error"), TlsError);
      assertEquals([error.code, error.origin], ["ERR_TLS_RANDOM_UNAVAILABLE", "local"]);
    }
    // Nothing of the engine broke.
    assertEquals(currentEngine(), instance);
    await (await connectTls(options)).close();
  });

  Deno.test(`nothing is sealed with a source that ${how}`, async () => {
    const keys = await SealingKeys.generate();
    const sealing = () => seal(currentEngine(), keys, { purpose: "session" }, new Uint8Array(10));
    assert(sealing().length > 10);
    using _source = withSource(source);
    const error = await assertRejects(async () => await sealing(), TlsError);
    assertEquals(error.code, "ERR_TLS_RANDOM_UNAVAILABLE");
    await assertRejects(() => Session.open(new Uint8Array(10), keys), TlsError);
  });
}

Deno.test("random bytes are written into the engine's memory, and kept nowhere else", async () => {
  await using server = await startDenoServer();
  const own = crypto.getRandomValues.bind(crypto);
  const views: Uint8Array[] = [];
  {
    using _source = withSource((bytes) => {
      views.push(bytes);
      own(bytes as Uint8Array<ArrayBuffer>);
    });
    const options = { hostname: "localhost", port: server.port, context };
    const conn = await connectTls(options);
    await conn.close();
  }
  assert(views.length > 0);
  for (const view of views) {
    // A view of memory that grew meanwhile has no bytes any more.
    assert(view.length === 0 || view.buffer === currentEngine().memory.buffer);
  }
});

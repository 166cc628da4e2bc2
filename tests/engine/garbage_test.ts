/**
 * Guards: whatever bytes a peer sends, the engine fails that connection by a code of its own at
 * worst: it never panics, gives no plaintext of a handshake that did not complete, and holds no
 * memory for it.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertLessOrEqual } from "@std/assert";
import { ClientContext, TlsError } from "../../mod.ts";
import { ClientEngine } from "../../src/client_engine.ts";
import { currentEngine } from "../../src/engine_pool.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { isAlert } from "../peers/faults.ts";
import { readRecords } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";
import { AS_IT_COMES, Driver, pseudoRandom } from "./driver.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const ROUNDS = 1_500;
const PAGE = 64 * 1024;

const context = new ClientContext({ caCerts: [caCert("ec"), caCert("rsa")] });

/** What may be said of a peer that sends nonsense. */
const CODES = [
  "ERR_TLS_ALERT_RECEIVED",
  "ERR_TLS_PEER_MISBEHAVED",
  "ERR_TLS_PEER_INCOMPATIBLE",
  "ERR_TLS_CERT_INVALID",
  "ERR_TLS_CERT_UNKNOWN_ISSUER",
  "ERR_TLS_CERT_NAME_MISMATCH",
  "ERR_TLS_CERT_EXPIRED",
  "ERR_TLS_CERT_NOT_YET_VALID",
];

type Random = () => number;

function below(random: Random, n: number): number {
  return Math.floor(random() * n);
}

function noise(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => below(random, 256));
}

/** A record of a right form, with anything in it. */
function anyRecord(random: Random): Uint8Array {
  const type = 20 + below(random, 5);
  const wellFormed = type === 21 && random() < 0.7;
  const body = wellFormed
    ? new Uint8Array([1 + below(random, 2), below(random, 130)])
    : noise(random, below(random, 300));
  if (type === 22 && body.length > 4) {
    // A handshake message whose length fits, most of the time.
    body.set([below(random, 26), 0, 0, random() < 0.7 ? body.length - 4 : below(random, 256)]);
  }
  return new Uint8Array([type, 3, below(random, 5), body.length >> 8, body.length & 255, ...body]);
}

function join(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

/** Bytes changed, inserted, removed or moved. */
function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  for (let n = 1 + below(random, 6); n > 0; n--) {
    const at = below(random, copy.length);
    copy[at] = random() < 0.5 ? below(random, 256) : copy[at] ^ (1 << below(random, 8));
  }
  const cut = below(random, copy.length);
  switch (below(random, 5)) {
    case 0:
      return join([
        copy.subarray(0, cut),
        noise(random, 1 + below(random, 20)),
        copy.subarray(cut),
      ]);
    case 1:
      return join([copy.subarray(0, cut), copy.subarray(cut + 1 + below(random, 20))]);
    case 2:
      return join([copy, copy]);
    default:
      return copy;
  }
}

/** Feeds one connection, and looks at what became of it. */
async function feed(random: Random, bytes: Uint8Array): Promise<string> {
  const client = await ClientEngine.begin({ context, serverName: "localhost", port: 443 });
  const { connection } = client;
  connection.pollTransmit();
  connection.transmitted();
  for (let at = 0; at < bytes.length && connection.error === undefined;) {
    const space = connection.inputSpace();
    assert(space.length > 0, "there is room");
    const n = Math.min(1 + below(random, 500), space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + n));
    connection.receiveTls(n);
    at += n;
    assertEquals(connection.plaintextLength, 0);
  }
  assertEquals(client.pollSession(), undefined);
  const { error } = connection;
  let outcome = "more is waited for";
  if (error !== undefined) {
    assertInstanceOf(error, TlsError);
    assert(CODES.includes(error.code), `${error.code}: ${error.message}`);
    outcome = error.code;
    const output = connection.pollTransmit();
    // Nothing but an alert answers it; on 1.3 a change_cipher_spec may come before.
    const answer = readRecords(output ?? new Uint8Array(0)).filter(({ type }) => type !== 20);
    assert(answer.length <= 1 && answer.every(isAlert), `${answer.map(({ type }) => type)}`);
    connection.transmitted();
  }
  connection.free();
  return outcome;
}

/** Runs many rounds; each one has numbers of its own. */
async function rounds(make: (random: Random) => Uint8Array): Promise<Set<string>> {
  const instance = currentEngine();
  const outcomes = new Set<string>();
  let memory = 0;
  for (let seed = 0; seed < ROUNDS; seed++) {
    const random = pseudoRandom(seed);
    try {
      outcomes.add(await feed(random, make(random)));
    } catch (error) {
      throw new Error(`In the round of seed ${seed}`, { cause: error });
    }
    if (seed === 100) memory = instance.memory.buffer.byteLength;
  }
  assertEquals([instance.panic, currentEngine() === instance], [undefined, true]);
  assertLessOrEqual(instance.memory.buffer.byteLength, memory + 2 * PAGE);
  return outcomes;
}

Deno.test("noise costs its connection alone", async () => {
  const outcomes = await rounds((random) => noise(random, below(random, 400)));
  assert(outcomes.has("ERR_TLS_PEER_MISBEHAVED"));
});

Deno.test("records of any content cost their connection alone", async () => {
  const outcomes = await rounds((random) =>
    join(Array.from({ length: 1 + below(random, 6) }, () => anyRecord(random)))
  );
  assert(outcomes.has("ERR_TLS_PEER_MISBEHAVED"));
  assert(outcomes.has("ERR_TLS_ALERT_RECEIVED"));
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  Deno.test(
    `a server's flight, mutated, costs its connection alone, ${version}`,
    needs("openssl"),
    async () => {
      await using server = await startOpensslServer({ version, cert: "rsa" });
      using driver = await Driver.connect({ port: server.port, context, feed: AS_IT_COMES });
      await driver.flush();
      const flight = (await driver.receive())!.slice();
      const outcomes = await rounds((random) => mutated(random, flight));
      assert(outcomes.has("ERR_TLS_PEER_MISBEHAVED"), [...outcomes].join());
      assert(outcomes.size > 1, [...outcomes].join());
    },
  );
}

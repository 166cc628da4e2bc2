/**
 * Guards: bytes that are detached or out of bounds are a bad argument with a reason, and not empty
 * bytes or a panic of the engine; bytes that are taken are a copy.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { runInNewContext } from "node:vm";
import {
  inspectSession,
  SealingKeys,
  ServerContext,
  Session,
  startTls,
  type StartTlsOptions,
} from "../../mod.ts";
import { bufferSourceBytes, bytesOf, checkBytes } from "../../src/options.ts";
import { opensslClient } from "../peers/openssl.ts";
import { answered } from "../server/answer.ts";
import { serve } from "../server/in_process.ts";
import { fixture } from "../session/fixtures.ts";
import { needs } from "../skips.ts";
import { serverCert } from "../testdata/mod.ts";
import { CLIENT, open, pipe, textFrom } from "./connections.ts";
import { KINDS } from "./kinds.ts";

const keys = await SealingKeys.generate();
const detached = () => KINDS["a detached Uint8Array"]() as Uint8Array;
const outOfBounds = () => KINDS["a Uint8Array out of bounds"]() as Uint8Array;

/** A growing view of a buffer that was resized to nothing of it. */
function trackingOutOfBounds(): Uint8Array {
  const buffer = new ArrayBuffer(16, { maxByteLength: 32 });
  const bytes = new Uint8Array(buffer, 8);
  buffer.resize(4);
  return bytes;
}

const GONE: [what: string, make: () => Uint8Array, says: string][] = [
  ["detached", detached, "was detached"],
  ["out of bounds", outOfBounds, "out of the bounds of its buffer"],
  ["out of bounds, of a length that tracks its buffer", trackingOutOfBounds, "out of the bounds"],
];

const hostname = "localhost";
const starting = (options: Partial<StartTlsOptions>) =>
  startTls(pipe().client, { hostname, ...options } as StartTlsOptions);
const EC = serverCert("ec_p256");

/** Every place that takes bytes, by what it calls them. */
const PLACES: [name: string, take: (bytes: Uint8Array) => unknown][] = [
  ["bytes", (bytes) => Session.fromBytes(bytes)],
  ["bytes", (bytes) => Session.open(bytes, keys)],
  ["bytes", (bytes) => inspectSession(bytes)],
  ["bytes", (bytes) => inspectSession(bytes, keys)],
  ["bytes", (bytes) => SealingKeys.fromBytes(bytes)],
  ["session", (session) => starting({ session })],
  ["earlyData", (earlyData) => starting({ earlyData })],
  ["ocspResponse", (ocspResponse) => new ServerContext({ ...EC, ocspResponse })],
  [
    "certificates.ocspResponse",
    (ocspResponse) => new ServerContext({ certificates: [{ ...EC, ocspResponse }] }),
  ],
];

for (const [what, make, says] of GONE) {
  Deno.test(`a Uint8Array that is ${what} is refused with that, and ends nothing else`, async () => {
    await using both = await open({ hostname, ...CLIENT });
    for (const [name, take] of PLACES) {
      const taking = async () => void await take(make());
      const error = await assertRejects(taking, TypeError, `"${name}"`);
      assert(error.message.includes(says), error.message);
    }
    await assertRejects(() => both.client.read(make()), TypeError, '"into"');
    await assertRejects(() => both.client.write(make()), TypeError, '"bytes"');
    // The engine has not stopped: the connection lives, and another one can be made.
    await both.client.write(new TextEncoder().encode("alive"));
    assertEquals(await textFrom(both.server, 5), "alive");
    await using _other = await open({ hostname, ...CLIENT });
  });
}

Deno.test("bytesOf() makes a private copy of what the array is", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const copy = bytesOf("bytes", bytes);
  bytes.fill(9);
  assertEquals(copy, Uint8Array.of(1, 2, 3));
  assert(copy.buffer !== bytes.buffer);

  const within = new Uint8Array([0, 1, 2, 3, 4]).subarray(1, 4);
  assertEquals(bytesOf("bytes", within), Uint8Array.of(1, 2, 3));
  assertEquals(bytesOf("bytes", within, "Argument", 2), Uint8Array.of(1, 2));
  assertEquals(bytesOf("bytes", within, "Argument", 3).buffer.byteLength, 3);

  const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(5);
  const own = bytesOf("bytes", shared);
  assert(own.buffer instanceof ArrayBuffer);
  assertEquals(own, new Uint8Array(4).fill(5));

  const buffer = Buffer.from("text"); // of a pool that others use
  assertEquals(bytesOf("bytes", buffer).buffer.byteLength, 4);

  // What it says of itself counts for nothing.
  const lying = Object.defineProperties(Uint8Array.of(1, 2, 3), {
    length: { value: 1_000_000 },
    buffer: { value: new ArrayBuffer(0) },
    byteOffset: { value: 7 },
    [Symbol.iterator]: { value: () => [][Symbol.iterator]() },
  });
  assertEquals(bytesOf("bytes", lying), Uint8Array.of(1, 2, 3));
  assertEquals(bytesOf("bytes", lying, "Argument", 2), Uint8Array.of(1, 2));

  // Of another realm, such as that of a test runner.
  const foreign = runInNewContext("new Uint8Array([1, 2, 3])");
  assert(!(foreign instanceof Uint8Array));
  assertEquals(bytesOf("bytes", foreign), Uint8Array.of(1, 2, 3));
});

Deno.test("bytesOf() names the argument or the option, and what it got", () => {
  for (
    const [value, type] of [
      ["text", "string"],
      [undefined, "undefined"],
      [null, "null"],
      [[1, 2], "an array"],
      [new ArrayBuffer(1), "ArrayBuffer"],
      [new Uint8ClampedArray(1), "Uint8ClampedArray"],
      [new Int8Array(1), "Int8Array"],
      [{ length: 1, 0: 1 }, "Object"],
      [Object.create(Uint8Array.prototype), "Uint8Array"],
    ]
  ) {
    const message = `must be a Uint8Array, got ${type}`;
    assertThrows(() => bytesOf("a", value), TypeError, `Argument "a" ${message}`);
    assertThrows(() => bytesOf("a", value, "Option"), TypeError, `Option "a" ${message}`);
    assertThrows(() => checkBytes("a", value), TypeError, `Argument "a" ${message}`);
  }
  checkBytes("a", new Uint8Array(0));
});

Deno.test("bufferSourceBytes() copies a buffer, or what a view of it sees", () => {
  const { buffer } = Uint8Array.of(0, 1, 2, 3, 4, 5);
  assertEquals(bufferSourceBytes("a", buffer), Uint8Array.of(0, 1, 2, 3, 4, 5));
  assertEquals(bufferSourceBytes("a", new DataView(buffer, 1, 2)), Uint8Array.of(1, 2));
  assertEquals(bufferSourceBytes("a", new Uint16Array(buffer, 2, 1)), Uint8Array.of(2, 3));
  assertEquals(bufferSourceBytes("a", "text"), undefined);
  assertEquals(bufferSourceBytes("a", new SharedArrayBuffer(1)), undefined);
  const resizable = new ArrayBuffer(8, { maxByteLength: 8 });
  const views = [new DataView(resizable, 4, 4), new Uint16Array(resizable, 4, 2)];
  resizable.resize(2);
  const gone = [...views, detached().buffer, detached(), new DataView(resizable, 0)];
  resizable.transfer();
  for (const value of gone) {
    assertThrows(() => bufferSourceBytes("a", value, "Option"), TypeError, 'Option "a"');
  }
});

Deno.test("bytes that are changed after they were given are used as they were", async () => {
  const session = new Uint8Array(fixture("format1_tls13"));
  const parsed = Session.fromBytes(session);
  const { id } = parsed;
  session.fill(0);
  assertEquals(parsed.id, id);
  assertEquals(parsed.toBytes(), fixture("format1_tls13"));

  const earlyData = new TextEncoder().encode("early");
  const opening = open({ hostname, ...CLIENT, earlyData });
  structuredClone(earlyData.buffer, { transfer: [earlyData.buffer] });
  await using both = await opening;
  assertEquals(await textFrom(both.server, 5), "early");
});

Deno.test("bytes of a session that are taken away meanwhile are offered as they were", async () => {
  // Told apart by the reason: these bytes are a session of another context, emptied ones are none.
  const session = new Uint8Array(fixture("format1_tls13"));
  const opening = open({ hostname, ...CLIENT, session });
  session.fill(0);
  await using both = await opening;
  assertEquals(both.client.sessionMiss, "other_context");
});

/** A DER value of a tag, with a length of three bytes. */
function der(tag: number, ...content: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = content.reduce((sum, { length }) => sum + length, 0);
  const head = Uint8Array.of(tag, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff);
  return new Uint8Array(Buffer.concat([head, ...content]));
}

/** An OCSP response (RFC 6960 §4.2.1) of so many bytes: tryLater, with something of no known type. */
function tryLater(length: number): Uint8Array<ArrayBuffer> {
  const status = Uint8Array.of(0x0a, 0x01, 0x03);
  const type = Uint8Array.of(0x06, 0x01, 0x2a);
  const around = 4 * 5 + status.length + type.length;
  const bytes = der(0x30, type, der(0x04, new Uint8Array(length - around)));
  const response = der(0x30, status, der(0xa0, bytes));
  assertEquals(response.length, length);
  return response;
}

/** What OpenSSL takes on TLS 1.2: a message of 16,384 bytes, of which 4 are no response. */
const LARGEST = 16_384 - 4;

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  Deno.test(
    `an OCSP response of the largest size goes out as it was when it was given, ${version}`,
    needs("openssl"),
    async () => {
      const ocspResponse = tryLater(LARGEST);
      const context = new ServerContext({ ...EC, ocspResponse });
      structuredClone(ocspResponse.buffer, { transfer: [ocspResponse.buffer] });
      await using server = await serve(context);
      const { stdout } = await opensslClient({
        port: server.port,
        version,
        stdin: "hello\n",
        args: ["-status"],
      });
      assert(stdout.includes("OCSP Response Status: trylater (0x3)"), stdout.slice(0, 1000));
      assertEquals(answered(stdout).protocol, version);
    },
  );
}

Deno.test("an OCSP response that is empty, or fits no handshake, is a TypeError", () => {
  for (const length of [0, LARGEST + 1, 1_000_000]) {
    const options = { ...EC, ocspResponse: new Uint8Array(length) };
    const error = assertThrows(() => new ServerContext(options), TypeError, '"ocspResponse"');
    assert(error.message.includes(`1 to ${LARGEST} bytes, got ${length}`), error.message);
  }
});

/**
 * Every kind of value that a program may give by mistake, by name.
 *
 * Rules: each is made anew when it is asked for. One that is made of others, such as an array, is
 * there for what checks tend to miss: a hole, a nested array, an end that never comes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ClientContext, SealingKeys, ServerContext, Session } from "../../mod.ts";

/** What a Proxy and a getter of the table throw: no option's check may let it through. */
export class Hostile extends Error {}

function hostile(): never {
  throw new Hostile("hostile");
}

/** A Proxy whose every trap throws. */
function throwing<T extends object>(target: T): T {
  const traps = Object.getOwnPropertyNames(Reflect).map((trap) => [trap, hostile]);
  return new Proxy(target, Object.fromEntries(traps));
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(8).fill(7);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

function outOfBounds(): Uint8Array {
  const buffer = new ArrayBuffer(16, { maxByteLength: 16 });
  const bytes = new Uint8Array(buffer, 8, 8);
  buffer.resize(4);
  return bytes;
}

/** By name, what makes one. */
export const KINDS = {
  "undefined": () => undefined,
  "null": () => null,
  "true": () => true,
  "false": () => false,
  "0": () => 0,
  "-0": () => -0,
  "1": () => 1,
  "-1": () => -1,
  "a fraction": () => 0.5,
  "2^31": () => 2 ** 31,
  "2^53": () => 2 ** 53,
  "1e308": () => 1e308,
  "NaN": () => NaN,
  "Infinity": () => Infinity,
  "-Infinity": () => -Infinity,
  "a bigint": () => 1n,
  "a symbol": () => Symbol("a symbol"),
  "an empty string": () => "",
  "a string": () => "text",
  "a string of digits": () => "1",
  "a string with NUL": () => "te\0xt",
  "a string with a lone surrogate": () => "te\ud800xt",
  "a string of 70,000 characters": () => "t".repeat(70_000),
  "an empty array": () => [],
  "an array of a string": () => ["text"],
  // deno-lint-ignore no-sparse-arrays
  "an array with a hole": () => [, "text"],
  "an array of 2^32 - 1 holes": () => new Array(2 ** 32 - 1),
  "a nested array": () => [["text"]],
  "an array of 20,000 strings": () => new Array(20_000).fill("text"),
  "an array that throws": () => throwing([]),
  "an array without end": () =>
    new Proxy([], { get: (_, name) => name === "length" ? Infinity : "text" }),
  "an array whose length is NaN": () =>
    new Proxy(["text"], { get: (_, name) => name === "length" ? NaN : "text" }),
  "an object": () => ({}),
  "an object with another name": () => ({ another: "name" }),
  "an object without a prototype": () => Object.create(null),
  "a function": () => () => {},
  "an async function": () => async () => {},
  "a class": () => class {},
  "a Promise": () => Promise.resolve({}),
  "a Date": () => new Date(0),
  "a RegExp": () => /text/,
  "an Error": () => new Error("text"),
  "a Map": () => new Map([["text", "text"]]),
  "a Set": () => new Set(["text"]),
  "a WeakSet": () => new WeakSet(),
  "a URL": () => new URL("https://text.example/"),
  "a Uint8Array": () => new Uint8Array([116, 101, 120, 116]),
  "an empty Uint8Array": () => new Uint8Array(0),
  "a detached Uint8Array": detached,
  "a Uint8Array out of bounds": outOfBounds,
  "a Buffer": () => Buffer.from("text"),
  "a Uint8Array on shared memory": () => new Uint8Array(new SharedArrayBuffer(4)),
  "an imitation of a Uint8Array": () => Object.create(Uint8Array.prototype),
  "a Proxy of a Uint8Array": () => new Proxy(new Uint8Array(4), {}),
  "a Uint16Array": () => new Uint16Array([29_797]),
  "a DataView": () => new DataView(new ArrayBuffer(4)),
  "an ArrayBuffer": () => new ArrayBuffer(4),
  "a detached ArrayBuffer": () => detached().buffer,
  "a SharedArrayBuffer": () => new SharedArrayBuffer(4),
  "a boxed string": () => new String("text"),
  "a boxed number": () => new Number(1),
  "a boxed boolean": () => new Boolean(true),
  "a Proxy that throws": () => throwing({}),
  "a revoked Proxy": revoked,
  "a Proxy with prototypes without end": () => {
    const proxy: object = new Proxy({}, { getPrototypeOf: () => proxy });
    return proxy;
  },
  "an object whose getter throws": () => ({
    get another(): never {
      return hostile();
    },
  }),
  "an AbortSignal": () => new AbortController().signal,
  "an AbortController": () => new AbortController(),
  "an imitation of an AbortSignal": () => Object.create(AbortSignal.prototype),
  "a ReadableStream": () => new Blob([]).stream(),
  "Headers": () => new Headers({ "x-text": "text" }),
  "a ClientContext": () => new ClientContext({ dangerDisableVerification: true }),
  "an imitation of a ClientContext": () => Object.create(ClientContext.prototype),
  "a Proxy of a ClientContext": () => new Proxy(new ClientContext(), {}),
  "an imitation of a ServerContext": () => Object.create(ServerContext.prototype),
  "an imitation of a Session": () => Object.create(Session.prototype),
  "an imitation of SealingKeys": () => Object.create(SealingKeys.prototype),
} satisfies Record<string, () => unknown>;

/** The name of a kind. */
export type Kind = keyof typeof KINDS;

/** All names. */
export const KIND_NAMES = Object.keys(KINDS) as Kind[];

/** The numbers above 0, which a time may be. */
export const TIMES: Kind[] = ["1", "a fraction", "2^31", "2^53", "1e308", "Infinity"];

/** What is a function. */
export const FUNCTIONS: Kind[] = ["a function", "an async function", "a class"];

/** What is a string that is not empty, of a length that is not absurd, and well-formed. */
export const STRINGS: Kind[] = ["a string", "a string of digits", "a string with NUL"];

/** What is bytes, of any length. */
export const BYTES: Kind[] = [
  "a Uint8Array",
  "an empty Uint8Array",
  "a Buffer",
  "a Uint8Array on shared memory",
];

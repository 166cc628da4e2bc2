/**
 * A session in logs, in errors, in copies: it names itself, and never shows its secret.
 */

import { assertEquals, assertFalse, assertStringIncludes, assertThrows } from "@std/assert";
import { inspect } from "node:util";
import { Session, TlsError } from "../../mod.ts";
import { fixture, FIXTURES } from "./fixtures.ts";
import { digestAnew, field, secretOf } from "./layout.ts";

/** Every usual way to write bytes down, by parts that a line break does not split. */
function writings(secret: Uint8Array): string[] {
  const part = secret.subarray(0, 12);
  return [
    part.toHex(),
    part.toHex().toUpperCase(),
    part.toBase64().slice(0, 14),
    part.toBase64({ alphabet: "base64url" }).slice(0, 14),
    [...part].join(","),
    [...part.subarray(0, 4)].join(", "),
    [...part.subarray(0, 4)].join(",\n"),
    [...part.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" "),
  ];
}

/** The PSK or master secret, the ticket, and the whole. */
function secrets(bytes: Uint8Array): Uint8Array[] {
  const protocol = field(bytes, "protocol")[1];
  const ticket = protocol === 4 ? [field(bytes, "ticket")] : [];
  return [secretOf(bytes), ...ticket, bytes];
}

function assertShowsNothing(shown: string, bytes: Uint8Array): void {
  for (const secret of secrets(bytes)) {
    for (const writing of writings(secret)) assertFalse(shown.includes(writing), shown);
  }
}

/** What is printed while `action` runs. */
function printed(action: () => void): string {
  let text = "";
  const print = (...args: unknown[]) => {
    text += args.map((arg) => typeof arg === "string" ? arg : Deno.inspect(arg)).join(" ");
  };
  const { log, error } = globalThis.console;
  Object.assign(globalThis.console, { log: print, error: print });
  try {
    action();
  } finally {
    Object.assign(globalThis.console, { log, error });
  }
  return text;
}

const deep = { depth: 100, showHidden: true, iterableLimit: 100_000 };

/** By name: how a session may come to be seen. */
const VIEWS: Record<string, (session: Session) => string> = {
  "Deno.inspect()": (session) => Deno.inspect(session, deep),
  "Deno.inspect() of what holds it": (session) => Deno.inspect({ list: [session] }, deep),
  "Deno.inspect() with proxies and getters": (session) =>
    Deno.inspect(session, { ...deep, getters: true, showProxy: true }),
  "node:util inspect()": (session) =>
    inspect(session, { depth: 100, showHidden: true, getters: true }),
  "String()": (session) => String(session),
  "a template": (session) => `${session}`,
  "JSON.stringify()": (session) => JSON.stringify({ session }),
  "Object.entries()": (session) => JSON.stringify(Object.entries(session)),
  "structuredClone()": (session) =>
    String(assertThrows(() => structuredClone(session), DOMException)),
  // deno-lint-ignore no-console -- what it would print is what is checked
  "console.log()": (session) => printed(() => console.log("%s %o", session, { session })),
};

for (const name of FIXTURES) {
  for (const [how, view] of Object.entries(VIEWS)) {
    Deno.test(`a session shows no secret by ${how}, ${name}`, () => {
      assertShowsNothing(view(Session.fromBytes(fixture(name))), fixture(name));
    });
  }
}

Deno.test("the search for secrets finds them where they are shown", () => {
  const bytes = fixture("format1_tls13");
  for (const writing of writings(secretOf(bytes))) {
    const found = [
      bytes.toHex(),
      bytes.toHex().toUpperCase(),
      secretOf(bytes).toBase64(),
      secretOf(bytes).toBase64({ alphabet: "base64url" }),
      [...bytes].join(","),
      [...bytes].join(", "),
      [...bytes].join(",\n"),
      [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" "),
    ].some((shown) => shown.includes(writing));
    assertEquals(found, true, writing);
  }
});

Deno.test("a session in a log tells its id, protocol and server", () => {
  const session = Session.fromBytes(fixture("format1_tls13"));
  const expected = `Session(${session.id}, TLSv1.3, localhost)`;
  assertEquals(String(session), expected);
  assertStringIncludes(Deno.inspect(session), expected);
  assertStringIncludes(inspect(session), expected);
});

Deno.test("a session's id is no part of its secret", () => {
  const bytes = fixture("format1_tls13");
  const { id } = Session.fromBytes(bytes);
  assertFalse(bytes.subarray(0, -32).toHex().includes(id));
});

Deno.test("errors of Session.fromBytes() show nothing of the bytes", () => {
  for (const name of FIXTURES) {
    const bytes = fixture(name);
    const broken = [
      bytes.subarray(0, -1),
      bytes.with(4, 2),
      bytes.with(-1, bytes.at(-1)! ^ 1),
      digestAnew(bytes.with(-33, 0xff)),
      digestAnew(bytes.with(55, 0xff)),
    ];
    for (const each of broken) {
      const error = assertThrows(() => Session.fromBytes(each), TlsError);
      assertShowsNothing(`${Deno.inspect(error, deep)} ${error.stack} ${error.message}`, bytes);
    }
  }
});

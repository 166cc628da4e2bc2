/**
 * Guards: a session, a context or a ring of keys is not copied by mistake into an object without
 * contents, and one of another copy of the package is refused with the reason.
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { cp } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { serialize } from "node:v8";
import {
  acceptTls,
  ClientContext,
  inspectSession,
  listenTls,
  memoryStore,
  SealingKeys,
  ServerContext,
  Session,
  startTls,
  TicketKeys,
} from "../../mod.ts";
import { fixture } from "../session/fixtures.ts";
import { serverCert } from "../testdata/mod.ts";
import { CLIENT, open, pipe, serverContext } from "./connections.ts";

type Library = typeof import("../../mod.ts");

/** One of each class. */
async function all(library: Library) {
  return {
    ClientContext: new library.ClientContext(),
    ServerContext: new library.ServerContext(serverCert("ec_p256")),
    Session: library.Session.fromBytes(fixture("format1_tls13")),
    SealingKeys: await library.SealingKeys.generate(),
    TicketKeys: await library.TicketKeys.generate(),
  };
}

/** Everything here that makes a structured clone. */
const CLONERS: Record<string, (value: object) => unknown> = {
  "structuredClone()": (value) => structuredClone(value),
  "structuredClone() of what holds it": (value) =>
    structuredClone({ list: [new Map([["a", value]])] }),
  "postMessage()": (value) => {
    const { port1, port2 } = new MessageChannel();
    try {
      port1.postMessage(value);
    } finally {
      port1.close();
      port2.close();
    }
  },
  "a Worker": (value) => {
    const worker = new Worker(`data:text/javascript,`, { type: "module" });
    try {
      worker.postMessage({ value });
    } finally {
      worker.terminate();
    }
  },
  "node:v8": (value) => serialize(value),
};

const objects = await all(
  { ClientContext, ServerContext, Session, SealingKeys, TicketKeys } as Library,
);

for (const [name, object] of Object.entries(objects)) {
  for (const [how, clone] of Object.entries(CLONERS)) {
    Deno.test(`${how} of a ${name} throws, and is not {}`, () => {
      const error = assertThrows(() => clone(object)) as Error;
      assertStringIncludes(error.message, "could not be cloned");
      if (how !== "node:v8") assertEquals(error.name, "DataCloneError");
    });
  }

  Deno.test(`Deno KV keeps no ${name} without its contents`, async () => {
    using kv = await Deno.openKv(":memory:");
    await assertRejects(() => kv.set(["a"], object));
    assertEquals((await kv.get(["a"])).value, null);
  });

  Deno.test(`a ${name} is its name in JSON, in text and in a console`, () => {
    const text = String(object);
    assertStringIncludes(text, name);
    assertEquals(JSON.stringify({ object }), JSON.stringify({ object: text }));
    assertEquals(Deno.inspect(object), text);
    assertEquals(inspect(object), text);
    // There is nothing else to be seen, of it or of how it is made.
    assertEquals(Reflect.ownKeys(object), []);
    assertEquals({ ...object }, {});
    for (const method of ["add", "has", "delete"]) assert(!(method in object), method);
    assert(!(object instanceof WeakSet));
    assertEquals(object.constructor.name, name);
  });
}

Deno.test("what was written as JSON is refused where the object is wanted", async () => {
  const revived = JSON.parse(JSON.stringify(objects));
  const starting = () =>
    startTls(pipe().client, { hostname: "localhost", session: revived.Session });
  await assertRejects(starting, TypeError, '"session" must be a Session or a Uint8Array');
  assertThrows(() => Session.fromBytes(revived.Session), TypeError, '"bytes"');
  await assertRejects(() => SealingKeys.fromBytes(revived.SealingKeys), TypeError, '"bytes"');
  await assertRejects(() => TicketKeys.fromBytes(revived.TicketKeys), TypeError, '"bytes"');
});

/** The package, loaded a second time. */
async function otherCopy(): Promise<AsyncDisposable & { library: Library }> {
  const folder = await Deno.makeTempDir({ prefix: "reprise-copy-" });
  const root = new URL("../../", import.meta.url);
  for (const part of ["mod.ts", "src", "wasm/pkg"]) {
    await cp(new URL(part, root), `${folder}/${part}`, { recursive: true });
  }
  return {
    library: await import(pathToFileURL(`${folder}/mod.ts`).href),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** Each place that takes an object of the package, by the class it takes. */
const PLACES: [kind: keyof typeof objects, name: string, take: (other: never) => unknown][] = [
  ["ClientContext", "context", (context) => startTls(pipe().client, { hostname: "a", context })],
  ["Session", "session", (session) => startTls(pipe().client, { hostname: "a", session })],
  ["ServerContext", "context", (context) => acceptTls(pipe().server, { context })],
  ["ServerContext", "context", (context) => listenTls({ port: 0, context })],
  [
    "SealingKeys",
    "resumption.keys",
    (keys) => new ClientContext({ resumption: { store: memoryStore(), keys } }),
  ],
  ["SealingKeys", "resumption.keys", (keys) =>
    new ServerContext({
      ...serverCert("ec_p256"),
      resumption: { mode: "stateful", store: memoryStore(), keys },
    })],
  ["TicketKeys", "resumption.ticketKeys", (ticketKeys) =>
    new ServerContext({
      ...serverCert("ec_p256"),
      resumption: { mode: "tickets", ticketKeys },
    })],
  ["SealingKeys", "keys", (keys) => objects.Session.seal(keys)],
  ["SealingKeys", "keys", (keys) => Session.open(new Uint8Array(100), keys)],
  ["SealingKeys", "keys", (keys) => inspectSession(new Uint8Array(100), keys)],
  [
    "SealingKeys",
    "keys",
    (keys) =>
      TicketKeys.shared({ load: () => null, compareAndSet: () => false } as never, { keys }),
  ],
];

Deno.test("an object of another copy of the package is refused with that, and with the remedy", async () => {
  await using copy = await otherCopy();
  const others = await all(copy.library);
  for (const [kind, name, take] of PLACES) {
    const taking = async () => void await take(others[kind] as never);
    const error = await assertRejects(taking, TypeError, `"${name}"`);
    const article = kind.endsWith("s") ? kind : `a ${kind}`;
    assertStringIncludes(
      error.message,
      `must be ${article} of this copy of the package, got ${article} of another copy`,
    );
    assertStringIncludes(error.message, "Install one version");
  }
  // A release before this one did not say what its objects are: their class does.
  class Session {}
  const options = { hostname: "a", session: new Session() as never };
  await assertRejects(() => startTls(pipe().client, options), TypeError, "another copy");
});

Deno.test("a Proxy or an imitation of an object of the package is refused as one", async () => {
  for (const [kind, name, take] of PLACES) {
    const real = objects[kind];
    for (const fake of [new Proxy(real, {}), Object.create(Object.getPrototypeOf(real))]) {
      const taking = async () => void await take(fake as never);
      const error = await assertRejects(taking, TypeError, `"${name}"`);
      assertStringIncludes(error.message, "itself, got a Proxy or an imitation of one");
    }
  }
});

Deno.test("what is no object of the package is told by its class", async () => {
  for (const [kind, name, take] of PLACES) {
    for (const [other, object] of Object.entries(objects)) {
      if (other === kind) continue;
      const taking = async () => void await take(object as never);
      await assertRejects(taking, TypeError, `"${name}"`, `${other} for a ${kind}`);
      await assertRejects(taking, TypeError, `got ${other}`);
    }
  }
});

Deno.test("a class may be extended, and its objects are taken", async () => {
  class Own extends ClientContext {
    readonly mark = 1;
  }
  const context = new Own({ dangerDisableVerification: true });
  assertEquals(context.mark, 1);
  await using _both = await open({ hostname: "localhost", context }, { context: serverContext });
  assertThrows(() => structuredClone(context));
});

Deno.test("a connection is not cloned into an object without contents", async () => {
  await using both = await open({ hostname: "localhost", ...CLIENT }, { context: serverContext });
  for (const conn of [both.client, both.server]) {
    for (const [how, clone] of Object.entries(CLONERS)) {
      const error = assertThrows(() => clone(conn)) as Error;
      assertStringIncludes(error.message, "could not be cloned", how);
    }
    assertStringIncludes(JSON.stringify({ conn }), "TlsConn(");
  }
});

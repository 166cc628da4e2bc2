/**
 * Guards: options are read by one reader. Inherited ones and getters count alike wherever options go,
 * each is read once, a name that is none is refused wherever it is visible, and what weakens counts
 * as an own property only. `pollution_test.ts` has what `Object.prototype` may do.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  acceptTls,
  ClientContext,
  type ClientContextOptions,
  connectTls,
  listenTls,
  memoryStore,
  SealingKeys,
  ServerContext,
  type ServerContextOptions,
  startTls,
  type StartTlsOptions,
  TlsError,
} from "../../mod.ts";
import { fetchOver } from "../../src/http/mod.ts";
import { type KnownOptions, readOptions } from "../../src/read_options.ts";
import { webSocketStreams } from "../../src/transport/web_socket.ts";
import { PIN_A } from "../context/pem.ts";
import { pinOf } from "../context/pin.ts";
import { FakeConn, URL_A } from "../http/fake_conn.ts";
import { caCert, clientCert, serverCert } from "../testdata/mod.ts";
import { FakeSocket } from "../transport/web_socket_ends.ts";
import { CLIENT, open, pipe, serverContext } from "./connections.ts";

const hostname = "localhost";
const keys = await SealingKeys.generate();
const EC = serverCert("ec_p256");

/** By name: options with one more that is there, though not as a plain property. */
const WAYS: Record<string, (name: string, value: unknown, rest: object) => object> = {
  "inherited from an object": (name, value, rest) =>
    Object.assign(Object.create({ [name]: value }), rest),
  "inherited from far": (name, value, rest) =>
    Object.assign(Object.create(Object.create(Object.create({ [name]: value }))), rest),
  "inherited, without Object.prototype": (name, value, rest) =>
    Object.assign(Object.create(Object.assign(Object.create(null), { [name]: value })), rest),
  "a getter of a class": (name, value, rest) => {
    class Options {
      get [name]() {
        return value;
      }
    }
    return Object.assign(new Options(), rest);
  },
  "a getter of its own": (name, value, rest) =>
    Object.defineProperty({ ...rest }, name, { get: () => value, enumerable: true }),
  "a property that is not enumerable": (name, value, rest) =>
    Object.defineProperty({ ...rest }, name, { value }),
  "the answer of a Proxy": (name, value, rest) =>
    new Proxy(rest, { get: (target, key) => key === name ? value : Reflect.get(target, key) }),
};

for (const [way, make] of Object.entries(WAYS)) {
  Deno.test(`a wrong pin counts for contexts and connections alike: ${way}`, async () => {
    const wrong = make("pinnedKeys", [PIN_A], { caCerts: [caCert("ec")] });
    const inline = make("pinnedKeys", [PIN_A], { hostname, caCerts: [caCert("ec")] });
    const attempts: StartTlsOptions[] = [
      inline as StartTlsOptions,
      { hostname, context: new ClientContext(wrong) },
    ];
    for (const options of attempts) {
      const error = await assertRejects(() => open(options), TlsError);
      assertEquals(error.code, "ERR_TLS_CERT_INVALID");
    }
    // With the right one there is a connection.
    const right = make("pinnedKeys", [pinOf(EC.cert)], { hostname, caCerts: [caCert("ec")] });
    await using _both = await open(right as StartTlsOptions);
  });

  Deno.test(`connectTls() takes what it is given: ${way}`, async () => {
    const options = make("minVersion", "TLSv1.0", { hostname, port: 1 });
    await assertRejects(() => connectTls(options as never), TypeError, '"minVersion"');
  });

  Deno.test(`a server's clientAuth counts: ${way}`, async () => {
    const options = make("clientAuth", "required", { ...EC, caCerts: [caCert("ec")] });
    const context = new ServerContext(options as ServerContextOptions);
    await using both = await open({ hostname, ...CLIENT, ...clientCert("ec") }, { context });
    assertEquals((await both.server.handshake()).peerCertificates.length, 1);
    const error = await assertRejects(() => open({ hostname, ...CLIENT }, { context }), TlsError);
    assertEquals(error.alert, "certificate_required");
  });

  Deno.test(`nested options count: ${way}`, () => {
    const rest = { store: memoryStore(), keys };
    const resumption = make("ticketsPerServer", 65, rest) as { store: never; keys: never };
    assertThrows(
      () => new ClientContext({ resumption }),
      TypeError,
      '"resumption.ticketsPerServer"',
    );
    const certificate = make("ocspResponse", 0, EC) as typeof EC;
    assertThrows(
      () => new ServerContext({ sni: { "a.example": certificate } }),
      TypeError,
      '"sni.ocspResponse"',
    );
  });
}

Deno.test("options may be the exports of a module", async () => {
  const options = await import("./options_module.ts");
  const error = await assertRejects(() => open(options), TlsError);
  assertEquals(error.code, "ERR_TLS_CERT_INVALID");
});

/** Every place that takes options, with options that are good. */
const PLACES: Record<string, { good: () => object; take: (options: never) => unknown }> = {
  "ClientContext": { good: () => ({}), take: (options) => new ClientContext(options) },
  "its resumption": {
    good: () => ({ store: memoryStore(), keys }),
    take: (resumption) => new ClientContext({ resumption }),
  },
  "forget()": {
    good: () => ({ hostname }),
    take: (options) => new ClientContext().forget(options),
  },
  "ServerContext": { good: () => EC, take: (options) => new ServerContext(options) },
  "a server's resumption": {
    good: () => ({ mode: "stateful", store: memoryStore(), keys }),
    take: (resumption) => new ServerContext({ ...EC, resumption }),
  },
  "an item of certificates": {
    good: () => EC,
    take: (entry) => new ServerContext({ certificates: [entry] }),
  },
  "an entry of sni": {
    good: () => EC,
    take: (entry) => new ServerContext({ sni: { "a.example": entry } }),
  },
  "connectTls()": {
    // Nobody listens there: what is good is told apart by its error.
    good: () => ({ hostname: "127.0.0.1", port: 1 }),
    take: (options) => connectTls(options).catch(onlyTypeErrors),
  },
  "startTls()": {
    good: () => ({ hostname, signal: AbortSignal.abort(new Error("stop")) }),
    take: (options) => startTls(pipe().client, options).catch(onlyTypeErrors),
  },
  "acceptTls()": {
    good: () => ({ context: serverContext, signal: AbortSignal.abort(new Error("stop")) }),
    take: (options) => acceptTls(pipe().server, options).catch(onlyTypeErrors),
  },
  "listenTls()": {
    good: () => ({ port: 0, hostname: "127.0.0.1", context: serverContext }),
    take: async (options) => await listenTls(options)[Symbol.asyncDispose](),
  },
  "fetchOver()": {
    good: () => ({}),
    take: (options) =>
      fetchOver(
        new FakeConn().answers("HTTP/1.1 204 No Content\r\n\r\n") as never,
        URL_A,
        options,
      ),
  },
  "webSocketStreams()": {
    good: () => ({}),
    take: (options) => webSocketStreams(new FakeSocket(), options),
  },
  "getSession()": {
    good: () => ({ timeout: 1 }),
    async take(options) {
      await using both = await open({ hostname, ...CLIENT });
      await both.client.getSession(options);
    },
  },
};

function onlyTypeErrors(error: unknown): void {
  if (error instanceof TypeError) throw error;
}

for (const [place, { good, take }] of Object.entries(PLACES)) {
  Deno.test(`an unknown option is refused wherever it is visible: ${place}`, async () => {
    await take(good() as never);
    // The Proxy shows no other name than its target has: there is nothing to be seen.
    const { "the answer of a Proxy": _hidden, ...ways } = WAYS;
    for (const name of ["pinnedKey", "constructr", "hasownproperty"]) {
      for (const [way, make] of Object.entries(ways)) {
        const taking = async () => void await take(make(name, true, good()) as never);
        await assertRejects(taking, TypeError, `"${name}" is unknown`, way);
      }
      // As a method of a class, too.
      const taking = async () =>
        void await take(
          Object.assign(
            new (class {
              [name]() {}
            })(),
            good(),
          ) as never,
        );
      await assertRejects(taking, TypeError, `"${name}" is unknown`, "a method");
    }
    for (const own of ["constructor", "toString", "__proto__"]) {
      const parsed = Object.defineProperty({ ...good() }, own, { value: {}, enumerable: true });
      const taking = async () => void await take(parsed as never);
      await assertRejects(taking, TypeError, `"${own}" is unknown`);
    }
  });

  Deno.test(`what every object has is no unknown option: ${place}`, async () => {
    class Plain {
      toString() {
        return "options";
      }
    }
    await take(Object.assign(new Plain(), good()) as never);
    await take(Object.assign(Object.create(null), good()) as never);
    await take({ ...good(), [Symbol("a mark of its owner")]: true } as never);
  });

  Deno.test(`each option is read once: ${place}`, async () => {
    const reads = new Map<PropertyKey, number>();
    const counted = new Proxy(good(), {
      get(target, name, receiver) {
        reads.set(name, (reads.get(name) ?? 0) + 1);
        return Reflect.get(target, name, receiver);
      },
    });
    await take(counted as never);
    reads.delete(Symbol.toStringTag);
    for (const [name, times] of reads) assertEquals(times, 1, String(name));
    assert(reads.size > 0);
  });
}

const WEAKENING = {
  dangerDisableVerification: true,
  dangerDisableHostnameVerification: true,
  keyLog: () => {},
};

for (const [name, value] of Object.entries(WEAKENING)) {
  Deno.test(`${name} counts as an own property only`, async () => {
    const { "a getter of its own": getter, "a property that is not enumerable": hidden, ...ways } =
      WAYS;
    for (const make of Object.values(ways)) {
      const says = `"${name}" weakens the protection`;
      assertThrows(() => new ClientContext(make(name, value, {})), TypeError, says);
      const inline = make(name, value, { hostname }) as StartTlsOptions;
      await assertRejects(() => startTls(pipe().client, inline), TypeError, says);
      if (name === "keyLog") {
        const server = make(name, value, EC) as ServerContextOptions;
        assertThrows(() => new ServerContext(server), TypeError, says);
      }
    }
    const own = [getter(name, value, {}), hidden(name, value, {}), { [name]: value }];
    const [one, ...others] = own.map((options) => new ClientContext(options).fingerprint);
    assertEquals(others, [one, one]);
    // What weakens nothing may be inherited, as from a list of all defaults.
    for (const off of [undefined, false]) {
      new ClientContext(Object.create({ [name]: off }));
    }
  });
}

Deno.test("a getter that changes its mind gets past no check", async () => {
  /** `first`, and after that `then`. */
  const turning = (name: string, first: unknown, then: unknown, rest: object): never => {
    let asked = 0;
    return Object.defineProperty({ ...rest }, name, {
      get: () => asked++ === 0 ? first : then,
      enumerable: true,
    }) as never;
  };
  const caCerts = [caCert("ec")];
  const impostor = { context: new ServerContext(serverCert("other_ca")) };
  const bare = { hostname, caCerts };
  const trusting = new ClientContext({ dangerDisableVerification: true });
  const cases: [StartTlsOptions, string][] = [
    [turning("dangerDisableVerification", undefined, true, bare), "ERR_TLS_CERT_UNKNOWN_ISSUER"],
    [turning("caCerts", caCerts, [caCert("other")], { hostname }), "ERR_TLS_CERT_UNKNOWN_ISSUER"],
    [turning("context", undefined, trusting, bare), "ERR_TLS_CERT_UNKNOWN_ISSUER"],
  ];
  for (const [options, code] of cases) {
    const error = await assertRejects(() => open(options, impostor), TlsError);
    assertEquals(error.code, code);
  }
  const names: [string, unknown, unknown][] = [
    ["pinnedKeys", [PIN_A], undefined],
    ["verify", () => false, undefined],
  ];
  for (const [name, first, then] of names) {
    const error = await assertRejects(() => open(turning(name, first, then, bare)), TlsError);
    assertEquals(error.code, "ERR_TLS_CERT_INVALID", name);
  }
  // A list that turns: what was checked is what is used.
  const list = turning("0", PIN_A, 7, []) as string[];
  const pins = Object.assign([], { length: 1 }) as string[];
  Object.defineProperty(pins, "0", Object.getOwnPropertyDescriptor(list, "0")!);
  const error = await assertRejects(() => open({ ...bare, pinnedKeys: pins }), TlsError);
  assertEquals(error.code, "ERR_TLS_CERT_INVALID");

  const server = turning("clientAuth", "required", "none", { ...EC, caCerts });
  const refused = await assertRejects(
    () => open({ hostname, ...CLIENT }, { context: new ServerContext(server) }),
    TlsError,
  );
  assertEquals(refused.alert, "certificate_required");
});

Deno.test("what a caller does to its options afterwards changes nothing", async () => {
  const options = { hostname, caCerts: [caCert("ec")], pinnedKeys: [PIN_A] };
  const opening = open(options);
  options.pinnedKeys.length = 0;
  options.hostname = "other.example";
  Object.assign(options, { dangerDisableVerification: true });
  const error = await assertRejects(() => opening, TlsError);
  assertEquals(error.code, "ERR_TLS_CERT_INVALID");
});

Deno.test("options that no reader knows do not compile", () => {
  interface Example {
    one: string;
    two?: number;
  }
  const all = { one: "anywhere", two: "own" } as const satisfies KnownOptions<Example>;
  // @ts-expect-error the option "two" is missing: whoever adds one adds it to the reader
  const _missing = { one: "anywhere" } as const satisfies KnownOptions<Example>;
  const _more = {
    ...all,
    // @ts-expect-error there is no option "three"
    three: "anywhere",
  } as const satisfies KnownOptions<Example>;
  const read = readOptions({ one: "text" }, all, "examples");
  // @ts-expect-error it is unknown until it was checked
  const _text: string = read.one;
  assertEquals({ ...read }, { one: "text", two: undefined });
});

Deno.test("the values of options of a context are what they were when it was made", async () => {
  const caCerts = [caCert("ec")];
  const options: ClientContextOptions = { caCerts };
  const context = new ClientContext(options);
  caCerts[0] = caCert("other");
  options.dangerDisableVerification = true;
  await using _both = await open({ hostname, context });
  const impostor = { context: new ServerContext(serverCert("other_ca")) };
  await assertRejects(() => open({ hostname, context }, impostor), TlsError);
});

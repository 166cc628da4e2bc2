/**
 * Guards: a polluted `Object.prototype` weakens nothing. What is on it is no option: neither one that
 * weakens, nor one that misleads, nor one that would be refused.
 */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ClientContext,
  connectTls,
  memoryStore,
  SealingKeys,
  ServerContext,
  type ServerContextOptions,
  type Session,
  type StartTlsOptions,
  TlsError,
} from "../../mod.ts";
import { sessionInternals } from "../../src/session.ts";
import { pinOf } from "../context/pin.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { CLIENT, open } from "./connections.ts";

const hostname = "localhost";
const keys = await SealingKeys.generate();
const EC = serverCert("ec_p256");

/** Does something while every object has these properties. */
async function polluted<T>(
  properties: Record<string, unknown>,
  action: () => T | Promise<T>,
): Promise<T> {
  // deno-lint-ignore no-explicit-any -- what is polluted
  const root = Object.prototype as any;
  try {
    for (const [name, value] of Object.entries(properties)) {
      Object.defineProperty(root, name, {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return await action();
  } finally {
    for (const name of Object.keys(properties)) delete root[name];
  }
}

/** What an attacker would put there: all that disarms, and all that misleads. */
const POLLUTION: Record<string, unknown> = {
  dangerDisableVerification: true,
  dangerDisableHostnameVerification: true,
  defaultRoots: true,
  caCerts: [caCert("other")],
  crls: [],
  pinnedKeys: [],
  verify: () => true,
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.2",
  serverName: "wrong.example",
  context: new ClientContext({ dangerDisableVerification: true }),
  networkPartition: "everybody's",
  earlyData: new Uint8Array(1),
  session: new Uint8Array([1, 2, 3]),
  clientAuth: "none",
  ocspResponse: new Uint8Array(1),
  sessionData: () => new Uint8Array(1),
  revocationEpoch: 7,
  unlinkable: false,
  maxAge: 7 * 24 * 60 * 60 * 1000,
  // Of objects within the library that lack them at times.
  state: [1, 2, 3],
  unknownToEverybody: 1,
};

Deno.test("a polluted Object.prototype weakens no client", async () => {
  const lines: string[] = [];
  const pollution = { ...POLLUTION, keyLog: (line: string) => void lines.push(line) };
  const impostor = new ServerContext(serverCert("other_ca"));
  const wrongName = new ServerContext(serverCert("wrong_name"));
  const caCerts = [caCert("ec")];
  for (const inline of [true, false]) {
    const options = (): StartTlsOptions =>
      inline
        ? { hostname, caCerts, pinnedKeys: [pinOf(EC.cert)] }
        : { hostname, context: new ClientContext({ caCerts, pinnedKeys: [pinOf(EC.cert)] }) };
    const code = (context: ServerContext) =>
      polluted(pollution, () => open(options(), { context })).then(
        () => null,
        (error) => error.code,
      );
    assertEquals(await code(impostor), "ERR_TLS_CERT_UNKNOWN_ISSUER");
    assertEquals(await code(wrongName), "ERR_TLS_CERT_NAME_MISMATCH");
    const conn = await polluted(pollution, () => open(options()));
    await using both = conn;
    const { protocol, serverName } = await both.server.handshake();
    assertEquals([protocol, serverName], ["TLSv1.3", hostname]);
    assertEquals(both.client.sessionMiss, null);
  }
  assertEquals(lines, []);
});

/** The bytes of a session's state, which an attacker would have offered without a check. */
function stateOf(session: Session): number[] {
  return [...sessionInternals.state(session)];
}

Deno.test("a polluted Object.prototype makes no session where there is none to offer", async () => {
  // The impostor's own session, for which nobody asks what it was verified by.
  const impostor = new ServerContext({
    ...serverCert("other_ca"),
    resumption: { mode: "stateful", store: memoryStore(), keys },
  });
  const trusting = { hostname, port: 443, dangerDisableVerification: true };
  await using first = await open(trusting, { context: impostor });
  const session = (await first.client.getSession())!;
  const pollution = { state: stateOf(session), session };
  // Nothing is in the pool, and what is given by hand is no session: both are offers without one.
  for (
    const asking of [
      { context: new ClientContext({ caCerts: [caCert("ec")], resumption: "memory" }) },
      { caCerts: [caCert("ec")], session: new Uint8Array(1) },
    ] satisfies Partial<StartTlsOptions>[]
  ) {
    const opening = () =>
      polluted(pollution, () => open({ hostname, port: 443, ...asking }, { context: impostor }));
    const error = await assertRejects(opening, TlsError);
    assertEquals(error.code, "ERR_TLS_CERT_UNKNOWN_ISSUER");
  }
});

Deno.test("a polluted Object.prototype weakens no server", async () => {
  const lines: string[] = [];
  const pollution = { ...POLLUTION, keyLog: (line: string) => void lines.push(line) };
  const options: ServerContextOptions = { ...EC, clientAuth: "required", caCerts: [caCert("ec")] };
  const context = await polluted(pollution, () => new ServerContext(options));
  assertEquals(context.fingerprint, new ServerContext(options).fingerprint);
  const client = { hostname, ...CLIENT };
  const error = await assertRejects(
    () => polluted(pollution, () => open(client, { context })),
    TlsError,
  );
  assertEquals(error.alert, "certificate_required");
  assertEquals(lines, []);
});

Deno.test("a polluted Object.prototype changes no context and no nested option", async () => {
  const all = { ...POLLUTION, keyLog: () => {} };
  const before = new ClientContext().fingerprint;
  for (const [name, value] of Object.entries({ ...all, resumption: "memory" })) {
    const { fingerprint } = await polluted({ [name]: value }, () => new ClientContext());
    assertEquals(fingerprint, before, name);
  }
  // Bad values would be refused if they counted.
  const nested = { store: 1, keys: 1, ticketsPerServer: -1, timeout: -1, mode: 1, memory: -1 };
  const resumption = { store: memoryStore(), keys };
  await polluted({ ticketsPerServer: -1, timeout: -1, maxAge: -1, unlinkable: 1 }, () => {
    new ClientContext({ resumption });
  });
  await polluted({ ...nested, cert: 1, key: 1, tickets: -1, ocspResponse: 0 }, () => {
    new ServerContext({ ...EC, resumption: { mode: "stateful", ...resumption } });
    new ServerContext({ sni: { "a.example": EC } });
  });
  // Nor does it stand in for what is needed.
  await polluted(nested, () => {
    assertThrows(
      () => new ClientContext({ resumption: {} as never }),
      TypeError,
      '"resumption.store"',
    );
  });
  await polluted({ hostname, port: 1 }, async () => {
    await assertRejects(() => connectTls({} as never), TypeError, '"hostname"');
  });
});

Deno.test("a getter on Object.prototype is not asked", async () => {
  // deno-lint-ignore no-explicit-any -- what is polluted
  const root = Object.prototype as any;
  Object.defineProperty(root, "dangerDisableVerification", {
    get: () => true,
    configurable: true,
  });
  try {
    const context = new ServerContext(serverCert("other_ca"));
    const client = { hostname, caCerts: [caCert("ec")] };
    const error = await assertRejects(() => open(client, { context }), TlsError);
    assertEquals(error.code, "ERR_TLS_CERT_UNKNOWN_ISSUER");
  } finally {
    delete root.dangerDisableVerification;
  }
});

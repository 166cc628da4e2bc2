/**
 * Guards: a handshake that cannot succeed fails, in time, by a code that tells what was wrong, and
 * leaves no socket, timer or operation behind.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { ClientContext, connectTls, TlsError } from "../../mod.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import {
  startClosingServer,
  startGarbageServer,
  startResettingServer,
  startSendingServer,
  startSilentServer,
  startTcpProxy,
} from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";
import { bytesOf, hostname, rejection, tlsError, to, unusedPort } from "./fixtures.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const SHORT_MS = 200;

Deno.test("a peer that says nothing: ERR_TLS_HANDSHAKE_TIMEOUT", async () => {
  await using server = startSilentServer();
  const connecting = connectTls(to(server, { handshakeTimeout: SHORT_MS }));
  const error = await tlsError(connecting, "ERR_TLS_HANDSHAKE_TIMEOUT", { origin: "peer" });
  assertStringIncludes(error.message, String(SHORT_MS));
  assertEquals(server.accepted(), 1);
});

Deno.test("a verify callback that never answers: ERR_TLS_HANDSHAKE_TIMEOUT", async () => {
  await using server = await startDenoServer();
  const verify = () => new Promise<boolean>(() => {});
  const context = new ClientContext({ caCerts: [caCert("ec")], verify });
  const connecting = connectTls(to(server, { context, handshakeTimeout: SHORT_MS }));
  await tlsError(connecting, "ERR_TLS_HANDSHAKE_TIMEOUT");
});

Deno.test("a refused connection: ERR_TLS_TRANSPORT, with its cause", async () => {
  const port = unusedPort();
  const error = await tlsError(connectTls(to({ port })), "ERR_TLS_TRANSPORT", {
    origin: "transport",
    alert: undefined,
  });
  assertInstanceOf(error.cause, Deno.errors.ConnectionRefused);
  assertStringIncludes(error.message, `${hostname}:${port}`);
});

Deno.test("a connection that is reset: ERR_TLS_TRANSPORT, with its cause", async () => {
  await using server = await startResettingServer();
  const error = await tlsError(connectTls(to(server)), "ERR_TLS_TRANSPORT", {
    origin: "transport",
  });
  assertInstanceOf(error.cause, Deno.errors.ConnectionReset);
});

const NO_TLS: Record<string, Uint8Array | undefined> = {
  "noise": undefined,
  "an HTTP answer": bytesOf("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\nno TLS here\r\n"),
  "an SSH banner": bytesOf("SSH-2.0-OpenSSH_9.6\r\n"),
  "zeros": new Uint8Array(100),
  "application data before the handshake": new Uint8Array([23, 3, 3, 0, 3, 1, 2, 3]),
  "a change_cipher_spec and no more handshake": new Uint8Array([20, 3, 3, 0, 1, 2]),
  "a handshake message of the client": new Uint8Array([22, 3, 3, 0, 4, 1, 0, 0, 0]),
};

for (const [name, bytes] of Object.entries(NO_TLS)) {
  Deno.test(`${name} instead of a ServerHello: ERR_TLS_PEER_MISBEHAVED`, async () => {
    await using server = startGarbageServer(bytes);
    const error = await tlsError(connectTls(to(server)), "ERR_TLS_PEER_MISBEHAVED");
    assertEquals(error.origin, "peer");
  });
}

Deno.test("a record beyond the limit: ERR_TLS_PEER_MISBEHAVED", async () => {
  const oversized = new Uint8Array(5 + 0x4801);
  oversized.set([22, 3, 3, 0x48, 0x01]);
  await using server = startGarbageServer(oversized);
  const error = await tlsError(connectTls(to(server)), "ERR_TLS_PEER_MISBEHAVED");
  // RFC 8446 §5.2 wants record_overflow; rustls says that it cannot be decoded.
  assert(["record_overflow", "decode_error"].includes(error.alert!), error.alert);
});

Deno.test("a message that would not fit any buffer: ERR_TLS_PEER_MISBEHAVED", async () => {
  // A ServerHello of 16 MiB, in records that keep coming.
  const record = new Uint8Array(5 + 16_384);
  record.set([22, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff]);
  const next = record.slice();
  next.fill(0, 5);
  const records = new Uint8Array(30 * record.length);
  for (let i = 0; i < 30; i++) records.set(i === 0 ? record : next, i * record.length);
  await using server = startSendingServer(records);
  await tlsError(connectTls(to(server)), "ERR_TLS_PEER_MISBEHAVED");
});

for (const when of ["accepted", "first_bytes"] as const) {
  Deno.test(`an end of the stream, after ${when}: ERR_TLS_TRUNCATED`, async () => {
    await using server = startClosingServer({ when });
    const error = await tlsError(connectTls(to(server)), "ERR_TLS_TRUNCATED", { origin: "peer" });
    assertStringIncludes(error.message, "handshake");
  });
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  Deno.test(
    `an end in mid-handshake: ERR_TLS_TRUNCATED, ${version}`,
    needs("openssl"),
    async () => {
      await using server = await startOpensslServer({ version });
      await using proxy = startTcpProxy({ targetPort: server.port });
      for (const closeAfter of [1, 5, 6, 60, 130, 300, 600]) {
        proxy.fromServer = { closeAfter };
        await tlsError(connectTls(to(proxy)), "ERR_TLS_TRUNCATED");
      }
    },
  );

  Deno.test(
    `a stall in mid-handshake: ERR_TLS_HANDSHAKE_TIMEOUT, ${version}`,
    needs("openssl"),
    async () => {
      await using server = await startOpensslServer({ version });
      await using proxy = startTcpProxy({ targetPort: server.port });
      for (const stallAfter of [0, 130, 600]) {
        proxy.fromServer = { stallAfter };
        const connecting = connectTls(to(proxy, { handshakeTimeout: SHORT_MS }));
        await tlsError(connecting, "ERR_TLS_HANDSHAKE_TIMEOUT");
      }
    },
  );

  Deno.test(
    `a flipped bit anywhere in the handshake fails it, ${version}`,
    needs("openssl"),
    async () => {
      await using server = await startOpensslServer({ version });
      await using proxy = startTcpProxy({ targetPort: server.port });
      const codes = new Set<string>();
      for (let flipByteAt = 0; flipByteAt < 700; flipByteAt += 23) {
        proxy.fromServer = { flipByteAt };
        // A length that grew makes the client wait for more.
        const error = await rejection(connectTls(to(proxy, { handshakeTimeout: 500 })));
        assertInstanceOf(error, TlsError, `at ${flipByteAt}`);
        assert(!error.code.startsWith("ERR_TLS_ENGINE"), `${error.code} at ${flipByteAt}`);
        codes.add(error.code);
      }
      assert(codes.has("ERR_TLS_PEER_MISBEHAVED"), [...codes].join());
    },
  );

  Deno.test(`a handshake of one-byte writes completes, ${version}`, needs("openssl"), async () => {
    await using server = await startOpensslServer({ version, rev: true });
    const slow = { chunkSize: 1 };
    await using proxy = startTcpProxy({
      targetPort: server.port,
      fromClient: slow,
      fromServer: slow,
    });
    await using conn = await connectTls(to(proxy));
    assertEquals((await conn.handshake()).protocol, version);
    assert(await conn.getSession() !== null);
  });
}

Deno.test(
  "no version in common: the server's alert protocol_version",
  needs("openssl"),
  async () => {
    const pairs = [["TLSv1.2", "TLSv1.3"], ["TLSv1.3", "TLSv1.2"]] as const;
    for (const [version, own] of pairs) {
      await using server = await startOpensslServer({ version });
      const context = new ClientContext({
        caCerts: [caCert("ec")],
        minVersion: own,
        maxVersion: own,
      });
      await tlsError(connectTls(to(server, { context })), "ERR_TLS_ALERT_RECEIVED", {
        origin: "peer",
        alert: "protocol_version",
      });
    }
  },
);

Deno.test("a version that was not offered: ERR_TLS_PEER_INCOMPATIBLE", async () => {
  const hello = (version: number) => {
    const body = new Uint8Array(38);
    body.set([3, version]);
    body.set([0, 0xc0, 0x2b, 0], 34); // no session id, a suite, no compression
    return new Uint8Array([22, 3, version, 0, 4 + body.length, 2, 0, 0, body.length, ...body]);
  };
  for (const version of [0, 1, 2]) {
    await using server = startGarbageServer(hello(version));
    const error = await rejection(connectTls(to(server)));
    assertInstanceOf(error, TlsError);
    assertEquals([error.code, version], ["ERR_TLS_PEER_INCOMPATIBLE", version]);
  }
});

Deno.test(
  "no suite in common: the server's alert handshake_failure",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({
      version: "TLSv1.3",
      ciphersuites: "TLS_AES_256_GCM_SHA384",
    });
    const context = new ClientContext({
      caCerts: [caCert("ec")],
      cipherSuites: ["TLS_AES_128_GCM_SHA256"],
    });
    const connecting = connectTls(to(server, { context }));
    await tlsError(connecting, "ERR_TLS_ALERT_RECEIVED", { alert: "handshake_failure" });
  },
);

Deno.test("no application protocol in common: its own alert", needs("openssl"), async () => {
  await using server = await startOpensslServer({ alpn: ["h2"] });
  const context = new ClientContext({ caCerts: [caCert("ec")], alpnProtocols: ["http/1.1"] });
  const connecting = connectTls(to(server, { context }));
  await tlsError(connecting, "ERR_TLS_ALERT_RECEIVED", { alert: "no_application_protocol" });
});

Deno.test("a server that knows no application protocols is taken", needs("openssl"), async () => {
  await using server = await startOpensslServer();
  const context = new ClientContext({ caCerts: [caCert("ec")], alpnProtocols: ["http/1.1"] });
  await using conn = await connectTls(to(server, { context }));
  assertEquals((await conn.handshake()).alpnProtocol, null);
});

const ALERTS: [number, string][] = [
  [40, "handshake_failure"],
  [70, "protocol_version"],
  [80, "internal_error"],
  [112, "unrecognized_name"],
  [120, "no_application_protocol"],
  [200, "alert(200)"],
];

for (const [code, name] of ALERTS) {
  Deno.test(`an alert instead of a ServerHello is named: ${name}`, async () => {
    await using server = startGarbageServer(new Uint8Array([21, 3, 3, 0, 2, 2, code]));
    const connecting = connectTls(to(server));
    await tlsError(connecting, "ERR_TLS_ALERT_RECEIVED", { origin: "peer", alert: name });
  });
}

Deno.test("close_notify instead of a ServerHello is no end in order: ERR_TLS_TRUNCATED", async () => {
  await using server = startSendingServer(new Uint8Array([21, 3, 3, 0, 2, 1, 0]));
  await tlsError(connectTls(to(server)), "ERR_TLS_TRUNCATED", { origin: "peer" });
});

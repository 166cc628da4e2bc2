/**
 * Guards: every way in which an established connection ends is told apart, after the last byte
 * that came before it: in order, cut short, corrupted, reset, or by an alert.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import net from "node:net";
import { ClientContext, connectTls, TlsError } from "../../mod.ts";
import { until } from "../engine/bounded.ts";
import { type OpensslServer, startOpensslServer } from "../peers/openssl.ts";
import { readRecords, startTcpProxy, type TlsRecord } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { caCert, clientCert, type ClientCertName } from "../testdata/mod.ts";
import {
  bytesOf,
  context,
  hostname,
  pattern,
  readAll,
  readText,
  rejection,
  textOf,
  tlsError,
  to,
} from "./fixtures.ts";

Deno.test.sanitizer({ ops: true, resources: true });

const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
const FILE_SIZE = 200_000;
const GET_FILE = bytesOf("GET /file.bin HTTP/1.0\r\n\r\n");

/** An `s_server` that serves one file, and ends with close_notify. */
async function startFileServer(version: typeof VERSIONS[number]) {
  const cwd = await Deno.makeTempDir();
  await Deno.writeFile(`${cwd}/file.bin`, pattern(FILE_SIZE));
  const server = await startOpensslServer({ version, www: "WWW", cwd });
  return {
    port: server.port,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await Deno.remove(cwd, { recursive: true });
    },
  };
}

function bodyOf(answer: Uint8Array): Uint8Array {
  const start = new TextDecoder("latin1").decode(answer).indexOf("\r\n\r\n") + 4;
  return answer.subarray(start);
}

/** A relay that resets both connections when told to. */
async function startResettableRelay(targetPort: number) {
  const sockets = new Set<net.Socket>();
  const relay = net.createServer((client) => {
    const server = net.connect(targetPort, hostname);
    for (const [socket, other] of [[client, server], [server, client]]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("data", (bytes) => other.write(bytes));
      socket.on("end", () => other.end());
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, hostname, resolve));
  return {
    port: (relay.address() as net.AddressInfo).port,
    reset() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => relay.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

for (const version of VERSIONS) {
  Deno.test(`close_notify is an end in order, ${version}`, needs("openssl"), async () => {
    await using server = await startFileServer(version);
    await using conn = await connectTls(to(server));
    await conn.write(GET_FILE);
    const { bytes, error } = await readAll(conn);
    assertEquals(error, undefined);
    assertEquals(bodyOf(bytes), pattern(FILE_SIZE));
    assertEquals(await conn.read(new Uint8Array(1)), null);
    assertEquals(await conn.read(new Uint8Array(1)), null);
  });

  Deno.test(
    `an end without close_notify is a truncation, after all data, ${version}`,
    needs("openssl"),
    async () => {
      await using server = await startFileServer(version);
      await using proxy = startTcpProxy({
        targetPort: server.port,
        fromServer: { dropCloseNotify: true },
      });
      await using conn = await connectTls(to(proxy));
      await conn.write(GET_FILE);
      const { bytes, error } = await readAll(conn);
      assertEquals(bodyOf(bytes), pattern(FILE_SIZE));
      assertInstanceOf(error, TlsError);
      assertEquals([error.code, error.origin], ["ERR_TLS_TRUNCATED", "peer"]);
      // It stays so.
      await tlsError(conn.read(new Uint8Array(1)), "ERR_TLS_TRUNCATED");
      await tlsError(conn.write(new Uint8Array(1)), "ERR_TLS_TRUNCATED");
    },
  );

  Deno.test(
    `an end within a record is a truncation, after what was whole, ${version}`,
    needs("openssl"),
    async () => {
      await using server = await startFileServer(version);
      await using proxy = startTcpProxy({
        targetPort: server.port,
        fromServer: { closeAfter: 100_000 },
      });
      await using conn = await connectTls(to(proxy));
      await conn.write(GET_FILE);
      const { bytes, error } = await readAll(conn);
      const body = bodyOf(bytes);
      assert(body.length > 60_000 && body.length < 100_000, `${body.length} bytes came`);
      assertEquals(body, pattern(FILE_SIZE).subarray(0, body.length));
      assertInstanceOf(error, TlsError);
      assertEquals(error.code, "ERR_TLS_TRUNCATED");
    },
  );

  Deno.test(
    `data before a corrupted record is read before the error, ${version}`,
    needs("openssl"),
    async () => {
      await using server = await startFileServer(version);
      let large = 0;
      const onRecord = ({ bytes }: TlsRecord) => {
        if (bytes.length > 2_000 && large++ === 7) bytes[bytes.length - 1] ^= 1;
        return bytes;
      };
      await using proxy = startTcpProxy({ targetPort: server.port, fromServer: { onRecord } });
      await using conn = await connectTls(to(proxy));
      await conn.write(GET_FILE);
      // All of it is there when the first read looks at it.
      const sent = () => proxy.connections[0].fromServer();
      await until(() => sent().length > FILE_SIZE, "the answer");
      const { bytes, error } = await readAll(conn);
      assertInstanceOf(error, TlsError);
      assertEquals([error.code, error.alert], ["ERR_TLS_PEER_MISBEHAVED", "bad_record_mac"]);
      const body = bodyOf(bytes);
      const good = readRecords(sent()).filter((record) => record.bytes.length > 2_000).slice(0, 7);
      const sealed = good.reduce((length, record) => length + record.bytes.length, 0);
      // Less what seals each record, and more or less a short one with the header of the answer.
      assert(Math.abs(body.length - sealed) < 7 * 40 + 100, `${body.length} of ${sealed} bytes`);
      assertEquals(body, pattern(FILE_SIZE).subarray(0, body.length));
    },
  );

  Deno.test(
    `a server that is killed leaves a truncation, ${version}`,
    needs("openssl"),
    async () => {
      await using server = await startOpensslServer({ version, rev: true });
      await using conn = await connectTls(to(server));
      await conn.write(bytesOf("abc\n"));
      assertEquals(await readText(conn), "cba\n");
      const reading = conn.read(new Uint8Array(10));
      reading.catch(() => {});
      Deno.kill(server.pid, "SIGKILL");
      await tlsError(reading, "ERR_TLS_TRUNCATED");
    },
  );

  Deno.test(
    `a flipped bit fails the connection with bad_record_mac, ${version}`,
    needs("openssl"),
    async () => {
      await using server = await startOpensslServer({ version });
      let flip = false;
      const onRecord = ({ bytes }: TlsRecord) => {
        if (flip) bytes[bytes.length - 1] ^= 1;
        return bytes;
      };
      await using proxy = startTcpProxy({ targetPort: server.port, fromServer: { onRecord } });
      await using conn = await connectTls(to(proxy));
      await conn.getSession();
      await server.write("one\n");
      assertEquals(await readText(conn), "one\n");
      flip = true;
      await server.write("two\n");
      const error = await tlsError(conn.read(new Uint8Array(10)), "ERR_TLS_PEER_MISBEHAVED", {
        origin: "peer",
        alert: "bad_record_mac",
      });
      await server.waitForLog(/alert bad record mac/);
      assertStrictEquals(await rejection(conn.read(new Uint8Array(10))), error);
      assertStrictEquals(await rejection(conn.write(new Uint8Array(10))), error);
    },
  );

  Deno.test(
    `a record beyond the limit fails the connection, ${version}`,
    needs("openssl"),
    async () => {
      await using server = await startOpensslServer({ version });
      const fault: { record?: Uint8Array } = {};
      const onRecord = ({ bytes }: TlsRecord) => fault.record ?? bytes;
      await using proxy = startTcpProxy({ targetPort: server.port, fromServer: { onRecord } });
      await using conn = await connectTls(to(proxy));
      await server.write("one\n");
      assertEquals(await readText(conn), "one\n");
      fault.record = new Uint8Array([23, 3, 3, 0xff, 0xff, 1, 2, 3]);
      await server.write("two\n");
      await tlsError(conn.read(new Uint8Array(10)), "ERR_TLS_PEER_MISBEHAVED", { origin: "peer" });
    },
  );

  Deno.test(
    `a bit flipped on the way to the server comes back as its alert, ${version}`,
    needs("openssl"),
    async () => {
      await using server = await startOpensslServer({ version, rev: true });
      let flip = false;
      const onRecord = ({ bytes }: TlsRecord) => {
        if (flip) bytes[bytes.length - 1] ^= 1;
        return bytes;
      };
      await using proxy = startTcpProxy({ targetPort: server.port, fromClient: { onRecord } });
      await using conn = await connectTls(to(proxy));
      await conn.getSession();
      flip = true;
      await conn.write(bytesOf("abc\n"));
      await tlsError(conn.read(new Uint8Array(10)), "ERR_TLS_ALERT_RECEIVED", {
        origin: "peer",
        alert: "bad_record_mac",
      });
    },
  );

  Deno.test(
    `a reset is an error of the transport, with its cause, ${version}`,
    needs("openssl"),
    async () => {
      await using server = await startOpensslServer({ version, rev: true });
      await using relay = await startResettableRelay(server.port);
      await using conn = await connectTls(to(relay));
      await conn.write(bytesOf("abc\n"));
      assertEquals(await readText(conn), "cba\n");
      const reading = conn.read(new Uint8Array(10));
      reading.catch(() => {});
      relay.reset();
      const error = await tlsError(reading, "ERR_TLS_TRANSPORT", { origin: "transport" });
      assertInstanceOf(error.cause, Deno.errors.ConnectionReset);
      await tlsError(conn.write(bytesOf("def\n")), "ERR_TLS_TRANSPORT");
    },
  );

  Deno.test(
    `writing to a peer that is gone fails in the end, ${version}`,
    needs("openssl"),
    async () => {
      await using server = await startOpensslServer({ version, rev: true });
      await using relay = await startResettableRelay(server.port);
      await using conn = await connectTls(to(relay));
      relay.reset();
      let failed: unknown;
      const write = () => conn.write(new Uint8Array(1000)).catch((error) => failed = error);
      await until(() => {
        write();
        return failed !== undefined;
      }, "a write fails");
      assertInstanceOf(failed, TlsError);
      assertEquals(failed.code, "ERR_TLS_TRANSPORT");
    },
  );
}

async function rejectedBy(server: OpensslServer, own: ClientCertName | undefined) {
  const certificate = own === undefined ? {} : clientCert(own);
  const under = new ClientContext({ caCerts: [caCert("ec")], ...certificate });
  return await connectTls(to(server, { context: under }));
}

const CLIENT_AUTH: [ClientCertName | undefined, string, string][] = [
  [undefined, "handshake_failure", "certificate_required"],
  ["other_ca", "unknown_ca", "unknown_ca"],
  ["expired", "certificate_expired", "certificate_expired"],
];

for (const [own, alert12, alert13] of CLIENT_AUTH) {
  const what = `a client with ${own === undefined ? "no certificate" : `the certificate ${own}`}`;

  Deno.test(`${what} is told by the server's alert, TLSv1.2`, needs("openssl"), async () => {
    await using server = await startOpensslServer({
      version: "TLSv1.2",
      clientAuth: true,
      rev: true,
    });
    await tlsError(rejectedBy(server, own), "ERR_TLS_ALERT_RECEIVED", {
      origin: "peer",
      alert: alert12,
    });
  });

  Deno.test(`${what} is told by the first read, TLSv1.3`, needs("openssl"), async () => {
    await using server = await startOpensslServer({
      version: "TLSv1.3",
      clientAuth: true,
      rev: true,
    });
    await using conn = await rejectedBy(server, own);
    const expected = { origin: "peer", alert: alert13 } as const;
    await tlsError(conn.read(new Uint8Array(10)), "ERR_TLS_ALERT_RECEIVED", expected);
    await tlsError(conn.write(new Uint8Array(10)), "ERR_TLS_ALERT_RECEIVED", expected);
    assertEquals(await conn.getSession(), null);
  });
}

Deno.test(
  "an alert met while reading ahead is thrown by read and write alike",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({
      version: "TLSv1.3",
      clientAuth: true,
      rev: true,
    });
    await using conn = await connectTls(to(server, { context }));
    assertEquals(await conn.getSession(), null); // not an error of getSession()
    const expected = { alert: "certificate_required" };
    await tlsError(conn.write(bytesOf("abc\n")), "ERR_TLS_ALERT_RECEIVED", expected);
    await tlsError(conn.read(new Uint8Array(10)), "ERR_TLS_ALERT_RECEIVED", expected);
  },
);

Deno.test(
  "after the peer's close_notify it can still be written to",
  needs("openssl"),
  async () => {
    await using server = await startOpensslServer({ version: "TLSv1.3", www: "www" });
    await using proxy = startTcpProxy({ targetPort: server.port });
    await using conn = await connectTls(to(proxy));
    await conn.write(bytesOf("GET / HTTP/1.0\r\n\r\n"));
    const { bytes, error } = await readAll(conn);
    assertEquals([textOf(bytes).includes("<HTML>"), error], [true, undefined]);
    const before = proxy.connections[0].fromClient().length;
    assertEquals(await conn.write(bytesOf("thanks")), 6);
    await until(() => proxy.connections[0].fromClient().length > before, "it is sent");
  },
);

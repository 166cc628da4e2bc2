/**
 * Application data against real servers: large and small, both ways, under new keys, after a half
 * close, and to the last byte before an end.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { connectTls, type ProtocolVersion, type TlsConn, TlsError } from "../../mod.ts";
import { startDenoServer } from "../peers/deno_server.ts";
import { type OpensslServer, startOpensslServer, type TlsVersion } from "../peers/openssl.ts";
import { startTcpProxy, type TcpProxy } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { bounded, readAll } from "./visit.ts";

const openssl = needs("openssl");
const VERSIONS: (TlsVersion & ProtocolVersion)[] = ["TLSv1.2", "TLSv1.3"];
const MIB = 1024 * 1024;
const LIMIT_MS = 60_000;

const utf8 = (text: string) => new TextEncoder().encode(text);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Bytes that differ from place to place, the same with each call. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = 0x2545f491;
  for (let i = 0; i < words.length; i++) words[i] = state = Math.imul(state, 1664525) + 1013904223;
  return new Uint8Array(words.buffer, 0, length);
}

async function connect(port: number, version?: ProtocolVersion): Promise<TlsConn> {
  const caCerts = [caCert("ec")];
  return await connectTls({ hostname: "localhost", port, caCerts, maxVersion: version });
}

/** Reads exactly so many bytes. */
async function readBytes(conn: TlsConn, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const n = await conn.read(bytes.subarray(at));
    assert(n !== null, `the end after ${at} bytes`);
    at += n;
  }
  return bytes;
}

async function readText(conn: TlsConn, length: number): Promise<string> {
  return new TextDecoder().decode(await bounded(readBytes(conn, length), `${length} bytes`));
}

for (const version of VERSIONS) {
  Deno.test(`8 MiB go to Deno's native server and back, ${version}`, async () => {
    await using server = await startDenoServer();
    await using conn = await connect(server.port, version);
    const sent = pattern(8 * MIB);
    const exchange = Promise.all([
      conn.write(sent).then(() => conn.closeWrite()),
      readAll(conn),
    ]);
    const [, received] = await bounded(exchange, "8 MiB", LIMIT_MS);
    assertEquals([received.length, sha256(received)], [sent.length, sha256(sent)]);
  });

  Deno.test(`8 MiB go to Deno's native server and back by the streams, ${version}`, async () => {
    await using server = await startDenoServer();
    await using conn = await connect(server.port, version);
    const sent = pattern(8 * MIB);
    const source = new Blob([sent]).stream();
    const received = bounded(new Response(conn.readable).bytes(), "8 MiB", LIMIT_MS);
    const [bytes] = await Promise.all([received, source.pipeTo(conn.writable)]);
    assertEquals([bytes.length, sha256(bytes)], [sent.length, sha256(sent)]);
  });

  Deno.test(
    `8 MiB go to OpenSSL line by line and come back reversed, ${version}`,
    openssl,
    async () => {
      await using server = await startOpensslServer({ version, rev: true });
      await using conn = await connect(server.port);
      const width = 8 * 1024;
      const lines = Array.from(
        { length: 8 * MIB / width },
        (_, i) => `${i}`.padEnd(width - 1, String.fromCharCode(97 + i % 26)),
      );
      const expected = lines.map((line) => `${[...line].reverse().join("")}\n`).join("");
      const sent = utf8(lines.map((line) => `${line}\n`).join(""));
      const exchange = Promise.all([readBytes(conn, sent.length), conn.write(sent)]);
      const [received] = await bounded(exchange, "8 MiB", LIMIT_MS);
      assertEquals(sha256(received), sha256(utf8(expected)));
    },
  );

  Deno.test(`8 MiB come from OpenSSL, ${version}`, openssl, async () => {
    const cwd = await Deno.makeTempDir();
    try {
      const file = pattern(8 * MIB);
      await Deno.writeFile(`${cwd}/large.bin`, file);
      await using server = await startOpensslServer({ version, www: "WWW", cwd });
      await using conn = await connect(server.port);
      await conn.write(utf8("GET /large.bin HTTP/1.0\r\n\r\n"));
      const answer = await bounded(readAll(conn), "8 MiB", LIMIT_MS);
      const body = answer.subarray(answer.length - file.length);
      assertEquals(sha256(body), sha256(file));
      assert(new TextDecoder().decode(answer.subarray(0, -file.length)).startsWith("HTTP/1.0 200"));
    } finally {
      await Deno.remove(cwd, { recursive: true });
    }
  });

  Deno.test(`4,000 small writes arrive in order, awaited and not, ${version}`, async () => {
    await using server = await startDenoServer();
    await using conn = await connect(server.port, version);
    const sent = pattern(20_000);
    const write = async () => {
      let at = 0;
      for (let i = 0; i < 2000; i++) at += await conn.write(sent.subarray(at, at + 1 + i % 7));
      const rest: Promise<number>[] = [];
      for (let i = 0; i < 2000; i++) {
        const piece = sent.subarray(at, at + 1 + i % 5);
        at += piece.length;
        rest.push(conn.write(piece));
      }
      await Promise.all(rest);
      await conn.closeWrite();
      return at;
    };
    const [length, received] = await bounded(Promise.all([write(), readAll(conn)]), "4,000 writes");
    assertEquals(received, sent.slice(0, length));
  });

  Deno.test(`small reads take large records apart without a loss, ${version}`, async () => {
    await using server = await startDenoServer();
    await using conn = await connect(server.port, version);
    const sent = pattern(50_000);
    const read = async () => {
      const received: number[] = [];
      const buffer = new Uint8Array(7);
      for (let n; (n = await conn.read(buffer)) !== null;) received.push(...buffer.subarray(0, n));
      return Uint8Array.from(received);
    };
    const write = conn.write(sent).then(() => conn.closeWrite());
    const [received] = await bounded(Promise.all([read(), write]), "50,000 bytes");
    assertEquals(received, sent);
  });

  Deno.test(`data comes after closeWrite(), then the end, ${version}`, async () => {
    const { cert, key } = serverCert("ec_p256");
    using listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
    const serve = async () => {
      using peer = await listener.accept();
      const buffer = new Uint8Array(100);
      let request = "";
      for (let n; (n = await peer.read(buffer)) !== null;) {
        request += new TextDecoder().decode(buffer.subarray(0, n));
      }
      // The client's end is here: all of this is after it.
      await peer.write(utf8(`after ${request}`));
      await peer.closeWrite();
      await peer.read(buffer).catch(() => {});
    };
    const served = serve();
    const conn = await connect(listener.addr.port, version);
    await conn.write(utf8("the end"));
    await conn.closeWrite();
    const error = await assertRejects(() => conn.write(utf8("more")), TlsError);
    assertEquals([error.code, error.origin], ["ERR_TLS_CLOSED", "local"]);
    const answer = await bounded(readAll(conn), "what comes after closeWrite()");
    assertEquals(new TextDecoder().decode(answer), "after the end");
    assertEquals(await conn.read(new Uint8Array(1)), null, "the end stays the end");
    await conn.close();
    await bounded(served, "the server");
  });

  Deno.test(`what is written right before close() arrives, ${version}`, openssl, async () => {
    await using server = await startOpensslServer({ version });
    for (let i = 0; i < 20; i++) {
      const conn = await connect(server.port);
      await conn.getSession();
      await conn.write(utf8(`last words ${i}.\n`));
      await conn.close();
      await server.waitForLog(new RegExp(`^last words ${i}\\.$`, "m"));
    }
  });

  Deno.test(`64 KiB written right before close() arrive whole, ${version}`, async () => {
    const { cert, key } = serverCert("ec_p256");
    using listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
    const serve = async () => {
      using peer = await listener.accept();
      return sha256(new Uint8Array(await new Response(peer.readable).arrayBuffer()));
    };
    const sent = pattern(64 * 1024);
    for (let i = 0; i < 10; i++) {
      const served = serve();
      const conn = await connect(listener.addr.port, version);
      await conn.getSession();
      await conn.write(sent);
      await conn.close();
      assertEquals(await bounded(served, "the server"), sha256(sent));
    }
  });
}

/** Has the server make a key update; done when it is on its way: s_server takes no two at once. */
async function serverKeyUpdate(server: OpensslServer, proxy: TcpProxy, command: string) {
  const received = () => proxy.connections[0].fromServer().length;
  const before = received();
  await server.write(`${command}\n`);
  const limit = performance.now() + 15_000;
  while (received() === before) {
    assert(performance.now() < limit, "the server made no key update");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const [command, what] of [["K", "asks for the client's too"], ["k", "asks for nothing"]]) {
  Deno.test(`data goes on both ways after a key update that ${what}`, openssl, async () => {
    await using server = await startOpensslServer({ version: "TLSv1.3" });
    await using proxy = startTcpProxy({ targetPort: server.port });
    await using conn = await connect(proxy.port);
    for (let i = 0; i < 3; i++) {
      await server.write(`down ${i}\n`);
      assertEquals(await readText(conn, 7), `down ${i}\n`);
      await serverKeyUpdate(server, proxy, command);
      await server.write(`down again ${i}\n`);
      assertEquals(await readText(conn, 13), `down again ${i}\n`);
      await conn.write(utf8(`up ${i}.\n`));
      await server.waitForLog(new RegExp(`^up ${i}\\.$`, "m"));
    }
  });
}

Deno.test("a key update of the server arrives while the client only writes", openssl, async () => {
  await using server = await startOpensslServer({ version: "TLSv1.3" });
  await using proxy = startTcpProxy({ targetPort: server.port });
  await using conn = await connect(proxy.port);
  await server.write("begin\n");
  assertEquals(await readText(conn, 6), "begin\n");
  const reading = conn.read(new Uint8Array(10));
  await serverKeyUpdate(server, proxy, "K");
  for (let i = 0; i < 5; i++) {
    await conn.write(utf8(`up ${i}.\n`));
    await server.waitForLog(new RegExp(`^up ${i}\\.$`, "m"));
  }
  await server.write("end\n");
  assertEquals(await bounded(reading, "the end"), 4);
});

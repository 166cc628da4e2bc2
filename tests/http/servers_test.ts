/**
 * Against servers of others over TLS: Deno.serve, node:https, Go's net/http, OpenSSL.
 */

import { assert, assertEquals } from "@std/assert";
import { connectTls } from "../../mod.ts";
import { canReuse, fetchOver } from "../../src/http/mod.ts";
import { until, within } from "../engine/bounded.ts";
import { startOpensslServer } from "../peers/openssl.ts";
import { startTcpProxy } from "../peers/raw.ts";
import { needs } from "../skips.ts";
import { caCert } from "../testdata/mod.ts";
import { httpError, rejection } from "./fake_conn.ts";
import { connectTo, denoServer, goServer, type HttpsServer, nodeServer } from "./servers.ts";

const LIMIT_MS = 60_000;
const SIZE = 8 * 1024 * 1024;
const go = needs("go");
const openssl = needs("openssl");

const urlOf = (server: HttpsServer, path: string) => `https://localhost:${server.port}${path}`;

/** So many bytes, made as they are asked for, each place told from its neighbours. */
function large(): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at === SIZE) return controller.close();
      const length = Math.min(30_000, SIZE - at);
      controller.enqueue(Uint8Array.from({ length }, (_, i) => placed(at + i)));
      at += length;
    },
  });
}

const placed = (at: number) => (at * 31 + (at >> 8) * 7) & 0xff;

/** Reads to the end, and compares. */
async function checkLarge(response: Response): Promise<void> {
  let at = 0;
  for await (const chunk of response.body!) {
    for (let i = 0; i < chunk.length; i++) {
      if (chunk[i] !== placed(at + i)) throw new Error(`byte ${at + i} is wrong`);
    }
    at += chunk.length;
  }
  assertEquals(at, SIZE);
}

const echo = (request: Request) =>
  new Response(request.body, {
    headers: { "x-method": request.method, "x-url": new URL(request.url).pathname },
  });

Deno.test("Deno.serve: requests follow one another, with bodies and without", async () => {
  await using server = denoServer(echo);
  await using conn = await connectTo(server);
  for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE"]) {
    const body = ["POST", "PUT", "PATCH", "DELETE"].includes(method) ? `body of ${method}` : null;
    const response = await fetchOver(conn, urlOf(server, `/${method}`), { method, body });
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("x-method"), method);
    assertEquals(response.headers.get("x-url"), `/${method}`);
    assertEquals(await response.text(), body ?? "");
    assertEquals(canReuse(conn), true);
  }
});

Deno.test("Deno.serve: a Request's body of 8 MiB streams there and back", async () => {
  await using server = denoServer(echo);
  await using conn = await connectTo(server);
  const request = new Request(urlOf(server, "/"), { method: "POST", body: large() });
  const response = await fetchOver(conn, request);
  await within(checkLarge(response), "8 MiB", LIMIT_MS);
  // It ends the connection after some of them, and says so.
  assertEquals(canReuse(conn), response.headers.get("connection") !== "close");
});

Deno.test("Deno.serve: a proxy hands a request on, and the response back", async () => {
  await using server = denoServer((request) =>
    new Response(request.body, { headers: { "x-host": request.headers.get("host")! } })
  );
  await using conn = await connectTo(server);
  await using proxy = denoServer((request) =>
    fetchOver(conn, new Request(urlOf(server, "/inner"), request))
  );
  await using client = await connectTo(proxy);
  for (let i = 0; i < 3; i++) {
    const options = { method: "POST", body: `call ${i}` };
    const response = await fetchOver(client, urlOf(proxy, "/outer"), options);
    assertEquals(response.headers.get("x-host"), `localhost:${server.port}`);
    assertEquals(await response.text(), `call ${i}`);
  }
});

Deno.test("Deno.serve over Deno's own TlsConn: the shape is enough", async () => {
  await using server = denoServer(echo);
  const caCerts = [caCert("ec")];
  using conn = await Deno.connectTls({ hostname: "localhost", port: server.port, caCerts });
  for (let i = 0; i < 2; i++) {
    const options = { method: "POST", body: "hello" };
    assertEquals(await (await fetchOver(conn, urlOf(server, "/"), options)).text(), "hello");
  }
});

Deno.test("Deno.serve: an abort while 8 MiB come closes the connection", async () => {
  await using server = denoServer(() => new Response(large()));
  await using conn = await connectTo(server);
  const abort = new AbortController();
  const response = await fetchOver(conn, urlOf(server, "/"), { signal: abort.signal });
  const reader = response.body!.getReader();
  await reader.read();
  abort.abort("enough");
  assertEquals(await rejection(reader.read()), "enough");
  assertEquals(canReuse(conn), false);
  assertEquals(
    (await rejection(conn.write(new Uint8Array(1))) as { code: string }).code,
    "ERR_TLS_CLOSED",
  );
});

Deno.test("a body without a length is whole with close_notify only", openssl, async () => {
  await using server = await startOpensslServer({ version: "TLSv1.3", www: "www" });
  await using proxy = startTcpProxy({
    targetPort: server.port,
    fromServer: { dropCloseNotify: true },
  });
  await using conn = await connectTo(proxy);
  const response = await fetchOver(conn, urlOf(server, "/"));
  const error = await rejection(response.text()) as { code: string };
  assertEquals(error.code, "ERR_TLS_TRUNCATED");
  assertEquals(canReuse(conn), false);
});

Deno.test("node:https: keep-alive, echo, fields as sent", async () => {
  await using server = await nodeServer();
  await using conn = await connectTo(server);
  const headers = { "X-One": "1", "x-two": "caf\xe9" };
  for (let i = 0; i < 3; i++) {
    const response = await fetchOver(conn, urlOf(server, "/a?b=c"), { headers });
    assertEquals(response.headers.get("x-url"), "/a?b=c");
    assertEquals(JSON.parse(response.headers.get("x-fields")!), [
      "host",
      `localhost:${server.port}`,
      "x-one",
      "1",
      "x-two",
      "caf\xe9",
    ]);
    assertEquals(await response.text(), "");
  }
  const options = { method: "POST", body: large() };
  const response = await fetchOver(conn, urlOf(server, "/"), options);
  await within(checkLarge(response), "8 MiB", LIMIT_MS);
  assertEquals(canReuse(conn), true);
  const last = await fetchOver(conn, urlOf(server, "/until-close"), {
    method: "POST",
    body: "end",
  });
  assertEquals(last.headers.get("content-length"), null);
  assertEquals(await last.text(), "end");
  assertEquals(canReuse(conn), false);
});

Deno.test("Go: lengths and codings arrive as they are meant", go, async () => {
  await using server = await goServer();
  await using conn = await connectTo(server);
  const said = async (options: Parameters<typeof fetchOver>[2]) => {
    const response = await fetchOver(conn, urlOf(server, "/echo"), options);
    const { headers } = response;
    const text = await response.text();
    return [headers.get("x-method"), headers.get("x-length"), headers.get("x-coding"), text];
  };
  assertEquals(await said({}), ["GET", "0", "", ""]);
  assertEquals(await said({ method: "POST" }), ["POST", "0", "", ""]);
  assertEquals(await said({ method: "POST", body: "hello" }), ["POST", "5", "", "hello"]);
  const stream = () => new Blob(["hello"]).stream();
  const short = { method: "PUT", body: stream() };
  assertEquals(await said(short), ["PUT", "5", "", "hello"]);
  const chunks = { method: "PATCH", body: stream(), maxBufferedBody: 0 };
  assertEquals(await said(chunks), ["PATCH", "-1", "chunked", "hello"]);
  const told = { method: "POST", body: stream(), headers: { "content-length": "5" } };
  assertEquals(await said(told), ["POST", "5", "", "hello"]);
  const big = { method: "POST", body: large() };
  const response = await fetchOver(conn, urlOf(server, "/echo"), big);
  await within(checkLarge(response), "8 MiB", LIMIT_MS);
  assertEquals(canReuse(conn), true);
});

Deno.test("Go: chunks with trailers, lengths, HEAD, hints, on one connection", go, async () => {
  await using server = await goServer();
  await using conn = await connectTo(server);
  const get = (path: string, method = "GET") => fetchOver(conn, urlOf(server, path), { method });
  assertEquals(await (await get("/count")).text(), "1");
  const lines = await (await get("/chunks?n=2000")).text();
  assertEquals(lines.split("\n").length, 2001);
  assertEquals((await (await get("/length?n=3000000")).arrayBuffer()).byteLength, 3_000_000);
  const head = await get("/length?n=500", "HEAD");
  assertEquals([head.headers.get("content-length"), head.body], ["500", null]);
  assertEquals(await (await get("/hints")).text(), "after the hints");
  assertEquals((await get("/missing")).status, 404);
  await httpError(get("/count"), "ERR_HTTP_BUSY");
});

Deno.test("Go: Connection: close, a cut body, an early refusal, an idle end", go, async () => {
  await using server = await goServer({ idle: "200ms" });
  {
    await using conn = await connectTo(server);
    assertEquals(await (await fetchOver(conn, urlOf(server, "/close"))).text(), "bye");
    assertEquals(canReuse(conn), false);
  }
  {
    await using conn = await connectTo(server);
    const response = await fetchOver(conn, urlOf(server, "/cut"));
    const error = await rejection(response.text()) as { code: string };
    assert(["ERR_HTTP_TRUNCATED", "ERR_TLS_TRUNCATED"].includes(error.code), `${error}`);
  }
  {
    await using conn = await connectTo(server);
    const options = { method: "POST", body: large() };
    const response = await within(fetchOver(conn, urlOf(server, "/refuse"), options), "413");
    assertEquals([response.status, await response.text()], [413, "too large\n"]);
    assertEquals(canReuse(conn), false);
  }
  {
    await using conn = await connectTo(server);
    assertEquals(await (await fetchOver(conn, urlOf(server, "/count"))).text(), "1");
    assertEquals(canReuse(conn), true);
    await until(() => !canReuse(conn), "the server ends the idle connection");
    await httpError(fetchOver(conn, urlOf(server, "/count")), "ERR_HTTP_NOT_REUSABLE");
  }
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  Deno.test(
    `OpenSSL's HTTP/1.0 page to the end of the connection, ${version}`,
    openssl,
    async () => {
      await using server = await startOpensslServer({ version, www: "www" });
      await using conn = await connectTo(server);
      const response = await fetchOver(conn, urlOf(server, "/"));
      assertEquals(response.status, 200);
      assert((await within(response.text(), "the page")).includes("Cipher is"));
      assertEquals(canReuse(conn), false);
      // The connection is still its owner's, and so is the session.
      assert(await conn.getSession() !== null);
    },
  );
}

Deno.test("a server that agrees on h2 is refused, and the connection left", openssl, async () => {
  await using server = await startOpensslServer({ alpn: ["h2"] });
  await using conn = await connectTls({
    hostname: "localhost",
    port: server.port,
    caCerts: [caCert("ec")],
    alpnProtocols: ["h2", "http/1.1"],
  });
  await httpError(fetchOver(conn, urlOf(server, "/")), "ERR_HTTP_ALPN");
  await conn.write(new TextEncoder().encode("its own words\n"));
  await server.waitForLog(/^its own words$/m);
});

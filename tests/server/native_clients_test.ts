/**
 * The runtimes' own TLS clients at our server: Deno's, Node's and Bun's shake hands, exchange bytes,
 * show a client certificate, and resume where they can.
 */

import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { SealingKeys, type ServerContextOptions, TicketKeys } from "../../mod.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { bounded } from "../interop/visit.ts";
import { Child, programVersion } from "../peers/child.ts";
import type { TlsVersion } from "../peers/openssl.ts";
import { caCert, clientCert, serverCert } from "../testdata/mod.ts";
import { type Handler, serve } from "./in_process.ts";

const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const LENGTH = 300_000;

/** The runtimes with `node:tls` over an engine of their own, by what starts them. */
const RUNTIMES = {
  Node: ["node"],
  Bun: ["npx", "-y", "bun@1.4.5"],
} as const;

interface Seen {
  same: boolean;
  authorized: boolean;
  protocol: string;
  alpn: string | null;
  reused: boolean;
  session: string | null;
}

/** Sends everything back. */
const echo: Handler = async (conn) => {
  await using _closing = conn;
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (let n; (n = await conn.read(buffer)) !== null;) await conn.write(buffer.subarray(0, n));
  } catch {
    // Node's end is not always an orderly one.
  }
};

async function connect(command: readonly string[], input: unknown): Promise<Seen> {
  const [program, ...args] = command;
  const script = fileURLToPath(new URL("./native_client.mjs", import.meta.url));
  await using child = new Child(program, { args: [...args, script], stdin: "piped" });
  await child.write(JSON.stringify(input));
  await child.closeStdin();
  const { code } = await child.exited(60_000);
  if (code !== 0) throw new Error(`The client ended with ${code}\n${child.log()}`);
  return JSON.parse(child.stdout.text().trim().split("\n").at(-1)!);
}

async function resumption(mode: "stateful" | "tickets") {
  return mode === "stateful"
    ? { mode, store: memoryStore(), keys: await SealingKeys.generate() } as const
    : { mode, ticketKeys: await TicketKeys.generate() } as const;
}

const MUTUAL: ServerContextOptions = {
  ...serverCert("ec_p256"),
  alpnProtocols: ["h2", "http/1.1"],
  clientAuth: "required",
  caCerts: [caCert("rsa")],
};

for (const [name, command] of Object.entries(RUNTIMES)) {
  const absent = programVersion(command[0], [...command.slice(1), "--version"]) === null;
  if (absent && Deno.env.get("REPRISE_NO_SKIPS") === "1") {
    throw new Error(`${name} is missing, and REPRISE_NO_SKIPS is 1`);
  }
  // deno-lint-ignore no-console -- a skip is to be seen
  if (absent) console.warn(`SKIPPED without ${name}: some tests of this file`);

  for (const version of VERSIONS) {
    const limits = { minVersion: version, maxVersion: version };
    for (const mode of ["stateful", "tickets"] as const) {
      Deno.test({
        name: `${name}'s own client exchanges bytes and resumes, ${mode}, ${version}`,
        ignore: absent,
        async fn() {
          const options = { ...serverCert("ec_p256"), resumption: await resumption(mode) };
          await using server = await serve(options, { handler: echo });
          const input = { port: server.port, ca: caCert("ec"), length: LENGTH, ...limits };
          const first = await connect(command, input);
          const second = await connect(command, { ...input, session: first.session });
          const same = { same: true, authorized: true, protocol: version, alpn: null };
          const [{ session: _, ...one }, { session: __, ...two }] = [first, second];
          assertEquals([one, two], [{ ...same, reused: false }, { ...same, reused: true }]);
          assertEquals(server.reports.map(({ resumed }) => resumed), [false, true]);
          assertEquals(server.errors, []);
        },
      });
    }

    Deno.test({
      name: `${name}'s own client shows its certificate and agrees on ALPN, ${version}`,
      ignore: absent,
      async fn() {
        await using server = await serve(MUTUAL, { handler: echo });
        const { session: _, ...seen } = await connect(command, {
          port: server.port,
          ca: caCert("ec"),
          ...clientCert("rsa"),
          ALPNProtocols: ["http/1.1", "h2"],
          length: 10,
          ...limits,
        });
        assertEquals(seen, {
          same: true,
          authorized: true,
          protocol: version,
          alpn: "h2",
          reused: false,
        });
        assertEquals(server.reports.map(({ peer, alpn }) => [peer.length, alpn]), [[1, "h2"]]);
      },
    });
  }
}

for (const mode of ["stateful", "tickets"] as const) {
  Deno.test(`Deno's own client exchanges bytes, ${mode}`, async () => {
    const options = { ...serverCert("ec_p256"), resumption: await resumption(mode) };
    await using server = await serve(options, { handler: echo });
    for (let i = 0; i < 2; i++) {
      const caCerts = [caCert("ec")];
      using conn = await Deno.connectTls({ hostname: "localhost", port: server.port, caCerts });
      await bounded(exchange(conn), "the exchange");
    }
    assertEquals(server.reports.map(({ protocol }) => protocol), ["TLSv1.3", "TLSv1.3"]);
    assertEquals(server.errors, []);
  });
}

Deno.test("Deno's own client shows its certificate and agrees on ALPN", async () => {
  await using server = await serve(MUTUAL, { handler: echo });
  using conn = await Deno.connectTls({
    hostname: "localhost",
    port: server.port,
    caCerts: [caCert("ec")],
    ...clientCert("rsa"),
    alpnProtocols: ["http/1.1", "h2"],
  });
  assertEquals((await conn.handshake()).alpnProtocol, "h2");
  await bounded(exchange(conn), "the exchange");
  assertEquals(server.reports.map(({ peer, alpn }) => [peer.length, alpn]), [[1, "h2"]]);
});

/** Sends bytes, and reads them back. */
async function exchange(conn: Deno.TlsConn): Promise<void> {
  const sent = Uint8Array.from({ length: LENGTH }, (_, i) => i * 7);
  const received = new Uint8Array(LENGTH);
  const writing = (async () => {
    for (let at = 0; at < LENGTH;) at += await conn.write(sent.subarray(at));
  })();
  for (let at = 0; at < LENGTH;) {
    const n = await conn.read(received.subarray(at));
    if (n === null) throw new Error(`The end came after ${at} bytes`);
    at += n;
  }
  await writing;
  assertEquals(received, sent);
}

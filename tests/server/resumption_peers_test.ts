/**
 * The main promise of the server: what one server process began, another one, new, resumes, for
 * clients that are not ours. By a store and by tickets, on both versions; both ends must say so.
 */

import { assert, assertEquals } from "@std/assert";
import { gnutlsClient } from "../peers/gnutls.ts";
import { buildGoPeers } from "../peers/go.ts";
import { opensslClient, type TlsVersion } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { answered, type Report } from "./answer.ts";
import { fleet, SHARED, type Shared } from "./fleet.ts";
import { type ServerProcess, startServer } from "./server_process.ts";
import { startSwitchProxy } from "./switch_proxy.ts";

const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const LINE = "hello\n";

/** What both ends said of a connection. */
interface Outcome {
  client: boolean;
  server: boolean;
  /** As the server has it. */
  protocol: string;
  miss: string | null;
}

function outcome(client: boolean, { resumed, protocol, miss }: Report): Outcome {
  return { client, server: resumed, protocol, miss };
}

/** What two connections, to two processes, must have come to. */
function fullThenResumed(protocol: string): Outcome[] {
  return [false, true].map((resumed) => ({
    client: resumed,
    server: resumed,
    protocol,
    miss: null,
  }));
}

/** A connection that saves its session to a file, and resumes from it if it is there. */
type Connect = (port: number, version: TlsVersion, file: string) => Promise<Outcome>;

async function openssl(
  port: number,
  version: TlsVersion,
  file: string,
  ...args: string[]
): Promise<Outcome> {
  const saved = await Deno.stat(file).then(() => true, () => false);
  const session = saved ? { sessIn: file } : { sessOut: file };
  const result = await opensslClient({ port, version, stdin: LINE, ...session, args });
  return outcome(result.reused, answered(result.stdout));
}

const go: Connect = async (port, version, session) => {
  const result = await (await buildGoPeers()).connect({ port, version, session, send: LINE });
  assertEquals(result.error, undefined);
  return outcome(result.resumed, answered(result.body));
};

/** Resumes at a second process what the first one began. */
async function acrossProcesses(
  shared: Shared,
  connect: Connect,
  versions: TlsVersion[] = VERSIONS,
): Promise<void> {
  await using own = await fleet(shared);
  const spec = { resumption: own.resumption };
  const outcomes = new Map<TlsVersion, Outcome[]>(versions.map((version) => [version, []]));
  const pids = new Set<number>();
  for (let process = 0; process < 2; process++) {
    await using server = await startServer(spec);
    pids.add(server.pid);
    for (const version of versions) {
      const file = `${own.folder}/session-${version}`;
      outcomes.get(version)!.push(await connect(server.port, version, file));
    }
    const { accept, acceptGood, hits, putsFailed } = await server.stats();
    const { length } = versions;
    assertEquals([accept, acceptGood, hits, putsFailed], [length, length, length * process, 0]);
  }
  for (const [version, each] of outcomes) assertEquals(each, fullThenResumed(version));
  assertEquals(pids.size, 2);
}

for (const shared of SHARED) {
  Deno.test(
    `OpenSSL resumes in a new server process, with ${shared}`,
    needs("openssl"),
    () => acrossProcesses(shared, (...to) => openssl(...to)),
  );

  // Go keeps TLS 1.2 sessions by ticket only: what it gets of a store is an id as a ticket.
  Deno.test(
    `Go's crypto/tls resumes in a new server process, with ${shared}`,
    needs("go"),
    () => acrossProcesses(shared, go),
  );

  for (const version of VERSIONS) {
    Deno.test(
      `GnuTLS resumes in a new server process, with ${shared}, ${version}`,
      needs("gnutls"),
      async () => {
        await using own = await fleet(shared);
        const spec = { resumption: own.resumption };
        // Its session does not leave its process: the server is exchanged behind the connection.
        await using servers = new AsyncDisposableStack();
        const started: ServerProcess[] = [];
        await using proxy = startSwitchProxy(async () => {
          // Its session is in the store before the first server ends.
          await started.at(-1)?.connections(1);
          await started.at(-1)?.[Symbol.asyncDispose]();
          const server = servers.use(await startServer(spec));
          started.push(server);
          return server.port;
        });
        const result = await gnutlsClient({
          port: proxy.port,
          version,
          resume: true,
          stdin: LINE,
          timeout: 40_000,
        });
        assertEquals([result.code, result.handshakes, result.resumed], [0, 2, true]);
        assertEquals(started.length, 2);
        assert(started[0].pid !== started[1].pid);
        const [[first], [second]] = await Promise.all(started.map((each) => each.connections(1)));
        assertEquals(
          [outcome(false, first), outcome(result.resumed, second)],
          fullThenResumed(version),
        );
        assertEquals(answered(result.output), second);
      },
    );
  }
}

Deno.test(
  "OpenSSL without tickets resumes by session id in a new server process, TLSv1.2",
  needs("openssl"),
  () =>
    acrossProcesses(
      SHARED[0],
      (port, version, file) => openssl(port, version, file, "-no_ticket"),
      [
        "TLSv1.2",
      ],
    ),
);

for (const shared of [SHARED[0], SHARED[1]]) {
  Deno.test(
    `OpenSSL's -reconnect resumes five times, with ${shared}, TLSv1.2`,
    needs("openssl"),
    async () => {
      await using own = await fleet(shared);
      await using server = await startServer({ resumption: own.resumption });
      const result = await opensslClient({
        port: server.port,
        version: "TLSv1.2",
        stdin: LINE,
        args: ["-reconnect"],
      });
      const expected = [false, true, true, true, true, true];
      assertEquals(result.handshakes.map(({ reused }) => reused), expected);
      const reports = await server.connections(6);
      assertEquals(reports.map(({ resumed }) => resumed), expected);
      const { acceptGood, hits, misses } = await server.stats();
      assertEquals([acceptGood, hits, misses], [6, 5, 0]);
    },
  );
}

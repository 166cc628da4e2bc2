/**
 * The table: a session that one runtime made is resumed by each other one, as bytes; and what one
 * runtime's server gave out, a session in a store or a ticket, is taken by each other's server.
 *
 * Rules: every runtime is restarted between the making and the resuming, and both ends have to say
 * that the session was resumed. OpenSSL is the other end of both.
 */

import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { memoryStore } from "../../mod.ts";
import {
  opensslClient,
  reusedByPage,
  startOpensslServer,
  type TlsVersion,
} from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { caCert, serverCert } from "../testdata/mod.ts";
import { bundleAgents } from "./bundles.ts";
import { answerStore } from "../stores/http_store.ts";
import type { Report, ServeInput } from "./protocol.ts";
import { type Runtime, type RuntimeName, TABLE } from "./runtime.ts";
import { startRuntime } from "./start.ts";
import { printTable } from "./print_table.ts";

Deno.test.sanitizer({ ops: false, resources: false });

const programs = needs("openssl", "chromium");
const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const MODES = ["stateful", "tickets"] as const;
const SECRET = "0123456789abcdef".repeat(4);
const OPTIONS = { caCerts: [caCert("ec")] };

type Mode = typeof MODES[number];

/** What both ends said, by table and cell. */
const outcomes = new Map<string, unknown>();
const key = (...parts: string[]) => parts.join(" ");

const runtimes = new Map<RuntimeName, Runtime>();
const restart = () => Promise.all(Array.from(runtimes.values(), (runtime) => runtime.restart()));

/** Sessions of each runtime, for each one, and then their use. */
async function clients(): Promise<void> {
  const servers = new Map<TlsVersion, Awaited<ReturnType<typeof startOpensslServer>>>();
  const sessions = new Map<string, string | null>();
  try {
    for (const version of VERSIONS) {
      const server = await startOpensslServer({ version, www: "www" });
      servers.set(version, server);
      for (const [maker, runtime] of runtimes) {
        for (const user of TABLE) {
          const made = await runtime.call("visit", { port: server.port, options: OPTIONS });
          if (made.error) outcomes.set(key("client", version, maker, user), made.error);
          sessions.set(key(version, maker, user), made.session);
        }
      }
    }
    await restart();
    for (const [version, { port }] of servers) {
      for (const maker of TABLE) {
        for (const [user, runtime] of runtimes) {
          const session = sessions.get(key(version, maker, user)) ?? undefined;
          const used = await runtime.call("visit", { port, options: OPTIONS, session });
          const page = used.received.includes("<HTML>") && reusedByPage(used.received);
          const { reused, miss, error } = used;
          outcomes.set(key("client", version, maker, user), { reused, page, miss, error });
        }
      }
    }
  } finally {
    for (const server of servers.values()) await server[Symbol.asyncDispose]();
  }
}

/** Sessions of each runtime's server, for each one's, and then their use. */
async function servers(folder: string, store: string): Promise<void> {
  const file = (...parts: string[]) => join(folder, parts.join("_"));
  const input = (mode: Mode): ServeInput => ({
    options: serverCert("ec_p256"),
    resumption: { mode, secret: SECRET, store },
  });
  for (const mode of MODES) {
    for (const [maker, runtime] of runtimes) {
      const port = await runtime.serve(input(mode));
      for (const version of VERSIONS) {
        for (const user of TABLE) {
          const sessOut = file(mode, version, maker, user);
          await opensslClient({ port, version, sessOut, until: "ticket" });
        }
      }
      await runtime.call("stop", null);
    }
  }
  await restart();
  for (const mode of MODES) {
    for (const [user, runtime] of runtimes) {
      const port = await runtime.serve(input(mode));
      const seen: { cell: string; peer: boolean }[] = [];
      for (const version of VERSIONS) {
        for (const maker of TABLE) {
          const sessIn = file(mode, version, maker, user);
          const { reused } = await opensslClient({
            port,
            version,
            sessIn,
            until: /^(full|resumed) /m,
          });
          seen.push({ cell: key(mode, version, maker, user), peer: reused });
        }
      }
      const reports: Report[] = await runtime.call("stop", null);
      for (const [i, { cell, peer }] of seen.entries()) {
        const { resumed, error } = reports[i] ?? {};
        outcomes.set(cell, { resumed, peer, error });
      }
    }
  }
}

const cell = (table: string, version: TlsVersion, maker: string, user: string) =>
  outcomes.get(key(table, version, maker, user));
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
const RESUMED_CLIENT = { reused: true, page: true, miss: null, error: undefined };
const RESUMED_SERVER = { resumed: true, peer: true, error: undefined };

if (!programs.ignore) {
  Deno.test.beforeAll(async () => {
    await using bundles = await bundleAgents(["node", "workerd", "browser"]);
    const kept = memoryStore({ maxPartitions: 10_000 });
    await using http = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        const answer = await answerStore(request, kept);
        answer.headers.set("access-control-allow-origin", "*");
        return answer;
      },
    );
    const folder = await Deno.makeTempDir({ prefix: "reprise-table-" });
    try {
      for (const name of TABLE) runtimes.set(name, await startRuntime(name, bundles.folder));
      await clients();
      await servers(folder, `http://127.0.0.1:${http.addr.port}/store`);
      const versions = await Promise.all(
        Array.from(runtimes.values(), (runtime) => runtime.call("version", null)),
      );
      printTable(versions, (maker, user) =>
        VERSIONS.flatMap((version) => [
          same(cell("client", version, maker, user), RESUMED_CLIENT),
          ...MODES.map((mode) => same(cell(mode, version, maker, user), RESUMED_SERVER)),
        ]));
    } finally {
      for (const runtime of runtimes.values()) await runtime[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

for (const version of VERSIONS) {
  for (const maker of TABLE) {
    for (const user of TABLE) {
      Deno.test(`${user} resumes a session that ${maker} made, ${version}`, programs, () => {
        assertEquals(cell("client", version, maker, user), RESUMED_CLIENT);
      });
      for (const mode of MODES) {
        const what = mode === "stateful" ? "session in a store" : "ticket";
        const name = `${user}'s server resumes a ${what} that ${maker}'s made, ${version}`;
        Deno.test(name, programs, () => {
          assertEquals(cell(mode, version, maker, user), RESUMED_SERVER);
        });
      }
    }
  }
}

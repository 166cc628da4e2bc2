/**
 * How long a session is good for, by the server's own clock, whatever client and store make of it:
 * until `maxAge`, seven days after the full handshake at most, and never ahead of its time.
 */

import { assert, assertEquals } from "@std/assert";
import type { ServerContextOptions } from "../../mod.ts";
import { type MovedClock, movedClock } from "../interop/clock.ts";
import { opensslClient, type TlsVersion } from "../peers/openssl.ts";
import { needs } from "../skips.ts";
import { serverCert } from "../testdata/mod.ts";
import { answered } from "./answer.ts";
import { VERSIONS } from "./client.ts";
import { serve, type TestServer } from "./in_process.ts";
import { type Also, MODES, sharedResumption } from "./shared.ts";

const openssl = needs("openssl");
const HOUR_S = 60 * 60;
const DAY_S = 24 * HOUR_S;

/** OpenSSL's clock is the machine's: only the server's moves. It keeps the newest session. */
interface Client {
  server: TestServer;
  clock: MovedClock;
  /** Both ends' word. */
  visit(options?: { fresh?: boolean }): Promise<{ reused: boolean; miss: string | null }>;
}

async function withClient(
  version: TlsVersion,
  resumption: ServerContextOptions["resumption"],
  test: (client: Client) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "reprise-server-" });
  const file = `${folder}/session`;
  try {
    await using server = await serve({ ...serverCert("ec_p256"), resumption });
    using clock = movedClock();
    await test({
      server,
      clock,
      async visit({ fresh = false } = {}) {
        const { stdout, reused } = await opensslClient({
          port: server.port,
          version,
          stdin: "hello\n",
          sessOut: `${file}.new`,
          ...(fresh ? {} : { sessIn: file }),
        });
        const report = answered(stdout);
        assertEquals(reused, report.resumed);
        // A TLS 1.2 session that is resumed is not written anew.
        await Deno.rename(`${file}.new`, file).catch(() => {});
        return { reused, miss: report.miss };
      },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const HIT = { reused: true, miss: null };

interface Case {
  name: string;
  mode: "stateful" | "tickets";
  also?: Also;
}

const CASES: Case[] = [
  ...MODES.map((mode) => ({ name: mode, mode })),
  // Without it the store is asked for TLS 1.2 too.
  { name: "stateful without memory in front", mode: "stateful", also: { memory: 0 } },
];

for (const version of VERSIONS) {
  for (const { name, mode, also } of CASES) {
    Deno.test(
      `a session older than maxAge is not resumed, ${name}, ${version}`,
      openssl,
      async () => {
        const resumption = await sharedResumption(mode, { maxAge: HOUR_S * 1000, ...also });
        await withClient(version, resumption, async ({ server, clock, visit }) => {
          await visit({ fresh: true });
          clock.move(HOUR_S - 60);
          assertEquals(await visit(), HIT, "a minute before its end");
          await visit({ fresh: true });
          clock.move(HOUR_S + 60);
          assertEquals(await visit(), { reused: false, miss: "expired" });
          const { missReasons, timeouts, hits } = server.context.stats();
          assertEquals([missReasons, timeouts, hits], [{ expired: 1 }, 1, 1]);
        });
      },
    );

    Deno.test(
      `a session from the future is not resumed, ${name}, ${version}`,
      openssl,
      async () => {
        const resumption = await sharedResumption(mode, also);
        await withClient(version, resumption, async ({ server, clock, visit }) => {
          await visit({ fresh: true });
          clock.move(-30);
          assertEquals(await visit(), HIT, "clocks may differ a little");
          clock.move(30);
          await visit({ fresh: true });
          clock.move(-120);
          assertEquals(await visit(), { reused: false, miss: "not_yet_valid" });
          assertEquals(server.context.stats().missReasons, { not_yet_valid: 1 });
        });
      },
    );
  }

  for (const mode of MODES) {
    Deno.test(
      `renewal makes no session older than maxAge, ${mode}, ${version}`,
      openssl,
      async () => {
        const resumption = await sharedResumption(mode, { maxAge: 3 * DAY_S * 1000 });
        await withClient(version, resumption, async ({ server, clock, visit }) => {
          await visit({ fresh: true });
          let days = 0;
          for (; days <= 8; days += 0.75) {
            const { reused, miss } = await visit();
            if (!reused) {
              assertEquals(miss, "expired");
              break;
            }
            clock.move(0.75 * DAY_S);
          }
          assertEquals(days, 3);
          assertEquals(server.context.stats().timeouts, 1);
          clock.move(DAY_S);
          assertEquals(await visit(), HIT, "a full handshake begins anew");
        });
      },
    );
  }
}

for (const mode of MODES) {
  for (const version of VERSIONS) {
    for (const maxAge of [10, 2 * DAY_S]) {
      Deno.test(
        `the lifetime that is announced is the one that is kept, ${maxAge} s, ${mode}, ${version}`,
        openssl,
        async () => {
          const resumption = await sharedResumption(mode, { maxAge: maxAge * 1000 });
          await using server = await serve({ ...serverCert("ec_p256"), resumption });
          using clock = movedClock();
          const folder = await Deno.makeTempDir({ prefix: "reprise-server-" });
          try {
            let sess = `${folder}/session`;
            const options = { port: server.port, stdin: "hello\n", version };
            const first = await opensslClient({ ...options, sessOut: sess });
            assertEquals(hints(first.stdout), new Set([maxAge]));
            // Renewed by resumption: what is left since the full handshake, each time.
            for (const part of [0.4, 0.8]) {
              clock.move(Math.round(0.4 * maxAge));
              const next = `${folder}/session${part}`;
              const again = await opensslClient({ ...options, sessIn: sess, sessOut: next });
              assert(again.reused);
              for (const left of hints(again.stdout)) {
                const expected = Math.round(maxAge * (1 - part));
                assert(left <= expected && left > expected - 60, `${left}, not ${expected}`);
              }
              // OpenSSL keeps a session of TLS 1.2 as it was first.
              if (version === "TLSv1.3") sess = next;
            }
            clock.move(0.3 * maxAge);
            const late = await opensslClient({ ...options, sessIn: sess });
            assert(!late.reused, "nothing is resumed beyond it");
          } finally {
            await Deno.remove(folder, { recursive: true });
          }
        },
      );
    }
  }
}

/** The lifetimes, in seconds, of the tickets that OpenSSL tells of. */
function hints(stdout: string): Set<number> {
  return new Set(Array.from(stdout.matchAll(/lifetime hint: (\d+)/g), ([, hint]) => Number(hint)));
}

/**
 * Our client at our server, everything in new processes: the session crosses client processes as
 * bytes, and server processes by a store or by ticket keys.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Session } from "../../mod.ts";
import { type Visit, visitInNewProcess } from "../interop/visit.ts";
import type { TlsVersion } from "../peers/openssl.ts";
import { caCert } from "../testdata/mod.ts";
import { answered } from "./answer.ts";
import { fleet, SHARED } from "./fleet.ts";
import { startServer } from "./server_process.ts";
import { startSwitchProxy } from "./switch_proxy.ts";

const VERSIONS: TlsVersion[] = ["TLSv1.2", "TLSv1.3"];

/** What both ends say. */
function outcome({ reused, miss, info, page }: Visit) {
  const server = answered(page);
  return {
    reused: [reused, server.resumed],
    miss: [miss, server.miss],
    protocol: [info.protocol, server.protocol],
  };
}

for (const shared of SHARED) {
  for (const version of VERSIONS) {
    Deno.test(
      `a new client process resumes at a new server process, with ${shared}, ${version}`,
      async () => {
        await using own = await fleet(shared);
        let port = 0;
        // A session is bound to its port: both servers are behind one.
        await using proxy = startSwitchProxy(() => Promise.resolve(port));
        const visits: (Visit & { pid: number })[] = [];
        const pids = new Set<number>();
        for (let process = 0; process < 3; process++) {
          await using server = await startServer({ resumption: own.resumption });
          pids.add(server.pid);
          port = server.port;
          visits.push(
            await visitInNewProcess({
              port: proxy.port,
              caCerts: [caCert("ec")],
              minVersion: version,
              maxVersion: version,
              session: visits.at(-1)?.session,
            }),
          );
          const { hits, misses, missReasons } = await server.stats();
          assertEquals([hits, misses, missReasons], [process === 0 ? 0 : 1, 0, {}]);
        }
        assertEquals(
          visits.map(outcome),
          [false, true, true].map((resumed) => ({
            reused: [resumed, resumed],
            miss: [null, null],
            protocol: [version, version],
          })),
        );
        assertEquals([pids.size, new Set(visits.map(({ pid }) => pid)).size], [3, 3]);
        const [first, second] = visits.map(({ session }) =>
          Session.fromBytes(Uint8Array.fromHex(session!))
        );
        // On TLS 1.2 a store keeps the very same one.
        if (version === "TLSv1.3") assertNotEquals(first.id, second.id);
        assertEquals(first.createdAt, second.createdAt);
        assert(second.expiresAt.getTime() > Date.now());
      },
    );
  }
}

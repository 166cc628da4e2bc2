/**
 * Real connections of a program in a project: to OpenSSL, and from it. What is resumed is said by
 * both ends.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { Child } from "../peers/child.ts";
import { opensslClient, reusedByPage, startOpensslServer } from "../peers/openssl.ts";
import { caCert, caPath, serverCert } from "../testdata/mod.ts";
import { newFolder } from "./project.ts";

/** What a client program gets, as JSON: its one argument, or a request's body. */
export interface ClientInput {
  port: number;
  caCerts: string[];
}

/** What a client program says of one connection; it makes two. */
export interface Visit {
  reused: boolean;
  miss: string | null;
  /** The page of `openssl s_server -www`. */
  page: string;
}

/** The first connection is a full handshake, the second one is resumed. */
export function assertResumed(visits: Visit[]): void {
  const said = visits.map(({ reused, page }) => [reused, reusedByPage(page)]);
  assertEquals(said, [[false, false], [true, true]]);
  assertEquals(visits[1].miss, null);
}

/** Has a client visit OpenSSL. */
export async function withOpenssl<T>(visit: (input: ClientInput) => Promise<T>): Promise<T> {
  await using server = await startOpensslServer({ www: "www" });
  return await visit({ port: server.port, caCerts: [caCert("ec")] });
}

/** The client of a command, which gets its input as its last argument, resumes at OpenSSL. */
export async function clientResumes(
  command: (port: number) => string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<string> {
  return await withOpenssl(async (input) => {
    const [program, ...args] = command(input.port);
    await using client = new Child(program, {
      args: [...args, JSON.stringify(input)],
      cwd: options.cwd,
      env: { NO_COLOR: "1", ...options.env },
    });
    const { success } = await client.exited(60_000);
    assert(success, client.log());
    const { visits, ...more } = JSON.parse(client.stdout.text());
    assertResumed(visits);
    return JSON.stringify(more);
  });
}

/** OpenSSL's client resumes at the server of a command, which gets its input the same way. */
export async function serverResumes(
  [program, ...args]: string[],
  options: { cwd: string },
): Promise<void> {
  const session = join(await newFolder(), "session.pem");
  await using server = new Child(program, {
    args: [...args, JSON.stringify(serverCert("ec_p256"))],
    cwd: options.cwd,
    env: { NO_COLOR: "1" },
  });
  const port = Number((await server.waitForLog(/^listening on (\d+)$/m, 30_000))[1]);
  const caFile = caPath("ec");
  const first = await opensslClient({ port, caFile, sessOut: session, until: "ticket" });
  const second = await opensslClient({ port, caFile, sessIn: session, until: /^hello$/m });
  const { success } = await server.exited();
  assert(success, server.log());
  assertEquals([first.reused, second.reused], [false, true]);
  assertEquals(server.log().match(/^resumed: \w+$/gm), ["resumed: false", "resumed: true"]);
}

/**
 * Many clients at once, in a process of their own: each shakes hands, has one byte echoed, gets a
 * session; then all of them at once again, with their sessions.
 *
 * @module
 */

import { ClientContext, connectTls } from "../../mod.ts";
import { within } from "../engine/bounded.ts";
import { readInput, writeOutput } from "../peers/process.ts";

/** What the process is told. */
export interface CrowdInput {
  port: number;
  ca: string;
  version: "TLSv1.2" | "TLSv1.3";
  clients: number;
}

/** What became of one wave. */
export interface Wave {
  echoed: number;
  reused: number;
  sessions: number;
  /** Of those that were lost, the first few. */
  errors: string[];
}

const LIMIT_MS = 60_000;

const { port, ca, version, clients } = await readInput<CrowdInput>();
const context = new ClientContext({ caCerts: [ca], minVersion: version, maxVersion: version });

async function one(number: number, session: Uint8Array | undefined, wave: Wave) {
  const conn = await connectTls({
    hostname: "127.0.0.1",
    port,
    context,
    handshakeTimeout: LIMIT_MS,
    ...(session && { session }),
  });
  try {
    await conn.write(new Uint8Array([number & 255]));
    const buffer = new Uint8Array(2);
    const n = await within(conn.read(buffer), "the echo", LIMIT_MS);
    if (n === 1 && buffer[0] === (number & 255)) wave.echoed++;
    if (conn.sessionReused) wave.reused++;
    const next = await conn.getSession({ timeout: LIMIT_MS });
    if (next !== null) wave.sessions++;
    return next?.toBytes();
  } finally {
    await conn.close();
  }
}

async function wave(sessions: (Uint8Array | undefined)[]) {
  const seen: Wave = { echoed: 0, reused: 0, sessions: 0, errors: [] };
  const next = await Promise.all(
    sessions.map((session, i) =>
      one(i, session, seen).catch((error) => {
        if (seen.errors.length < 5) seen.errors.push(String(error));
        return undefined;
      })
    ),
  );
  return { seen, next };
}

const first = await wave(Array.from({ length: clients }, () => undefined));
const second = await wave(first.next);
writeOutput([first.seen, second.seen] satisfies Wave[]);

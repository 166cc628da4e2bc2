/**
 * Drives a handshake of either side over a pump, to its end.
 *
 * @module
 */

import { deadline } from "./deadline.ts";
import type { EngineConnection } from "./engine.ts";
import type { Pump } from "./pump.ts";

/** How long the alert of a handshake that failed may take to go out. */
const ALERT_TIMEOUT_MS = 500;

/** What a side adds to the common way. */
export interface HandshakeSide {
  readonly connection: EngineConnection;
  /** Asks the context's `verify` callback. */
  verify(): Promise<void>;
  /** Answers a ClientHello; servers only. */
  chooseConfig?(): Promise<void>;
  /** Called when the engine may have something new. */
  received(): void;
}

/** Runs a handshake to its completion; rejects with what made it fail. */
export async function driveHandshake(side: HandshakeSide, pump: Pump): Promise<void> {
  const { connection } = side;
  const isServer = side.chooseConfig !== undefined;
  const flush = async () => {
    const flushed = pump.flush();
    // A server is done before the client took its tickets: over a stream without a buffer, the
    // client may be writing by now, and would wait for us as we for it.
    if (isServer && !connection.handshaking) flushed.catch(() => {});
    else await flushed;
  };
  await flush();
  while (connection.handshaking || connection.wantsVerify) {
    if (connection.wantsVerify) {
      await side.verify();
      side.received();
      await flush();
    } else if (connection.wantsConfig) {
      await side.chooseConfig!();
      side.received();
      await flush();
    } else await pump.fill();
    if (connection.error !== undefined) throw connection.error;
  }
  // It may have failed before anything was sent.
  if (connection.error !== undefined) throw connection.error;
  connection.wipeStack();
  await flush();
}

/**
 * Ends what did not come to a connection; lets the alert out first, if there is one. Where `signal` is
 * aborted nobody waits any longer: then it ends at once.
 */
export async function abandonHandshake(pump: Pump, signal: AbortSignal): Promise<void> {
  if (!signal.aborted) {
    using limit = deadline(ALERT_TIMEOUT_MS, signal, () => undefined);
    await limit.race(pump.flush()).catch(() => {});
  }
  const ended = pump.end();
  // A transport that does not settle keeps the memory, and not whoever waits for the error.
  if (!signal.aborted) await ended;
}

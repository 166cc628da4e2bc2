/**
 * Events that answer "why did it not resume?". They name servers, ids and reasons, no secrets.
 *
 * @module
 */

import type { SessionMiss } from "./handshake_info.ts";
import { callQuietly } from "./quiet_callback.ts";

/** What a context tells its `onDiagnostic` callback. */
export type DiagnosticEvent =
  /** A client offered a session. */
  | { type: "session_offered"; serverName: string; sessionId: string }
  /** A handshake resumed a session. */
  | { type: "session_resumed"; serverName: string | null }
  /** A session that was asked for, or that a client offered, was not resumed. */
  | { type: "session_missed"; serverName: string | null; reason: SessionMiss }
  /** A client received a session. */
  | { type: "session_received"; serverName: string; sessionId: string; expiresAt: Date }
  /** A refused session's family was dropped from the pool. */
  | { type: "family_dropped"; serverName: string }
  /** A store failed, or did not answer in time. */
  | { type: "store_failed"; operation: "take" | "peek" | "put" | "delete"; cause: unknown };

/** The callback of both contexts. */
export type OnDiagnostic = (event: DiagnosticEvent) => void;

/** Calls back, if anybody asked; what the callback throws, or rejects with, ends nothing. */
export function diagnose(callback: OnDiagnostic | undefined, event: DiagnosticEvent): void {
  callQuietly(callback, event);
}

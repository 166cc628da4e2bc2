/**
 * What shared ticket keys tell whoever runs the servers. Events name ids, times and reasons, and no
 * secrets: an id is in each ticket that was sealed under its key.
 *
 * @module
 */

import { callQuietly } from "./quiet_callback.ts";

/**
 * Why a ring in the store is not taken. Nothing of it is used, and what was seen before goes on.
 *
 * | reason | meaning |
 * | --- | --- |
 * | `older` | this server has seen a later one: the store replayed it, or lost what came after |
 * | `wrong_key` | it is sealed under a key that these `SealingKeys` do not have |
 * | `tampered` | it was changed, or it is the ring of another `name` |
 * | `version` | a release wrote it whose format this one does not read |
 * | `too_large` | it is longer than any ring |
 * | `malformed` | the store's answer is neither `null` nor a version and bytes |
 */
export type RingRefusal =
  | "older"
  | "wrong_key"
  | "tampered"
  | "version"
  | "too_large"
  | "malformed";

/** What `TicketKeys.shared()` tells its `onDiagnostic` callback. */
export type TicketKeyEvent =
  /** A ring that this server did not have yet was read. `keyIds`: those in use, the sealing one first. */
  | { type: "ring_loaded"; generation: number; keyIds: string[] }
  /** This server put new keys into the ring, by schedule or by `rotate()`. */
  | { type: "ring_rotated"; generation: number; keyIds: string[] }
  /** This server put keys back that the ring in the store had lost, and that have not ended. */
  | { type: "ring_restored"; generation: number; keyIds: string[] }
  /** The store failed, did not answer in time, or took none of many tries to change the ring. */
  | { type: "ring_failed"; cause: unknown }
  /** The ring in the store is not taken. */
  | { type: "ring_refused"; reason: RingRefusal }
  /** A key was revoked, by this server or by another one. */
  | { type: "key_revoked"; keyId: string }
  /**
   * The clock of a server that wrote to the ring, or that published `keyIds`, is so many
   * milliseconds or more ahead of this server's; a negative number: behind it. One of both is
   * wrong, unless no server ran for that long. Keys that are named are not used here.
   */
  | { type: "clock_skew"; milliseconds: number; keyIds: string[] };

/** The callback of shared ticket keys. */
export type OnTicketKeyEvent = (event: TicketKeyEvent) => void;

/** Calls back, if anybody asked; what the callback throws, or rejects with, ends nothing. */
export function tell(callback: OnTicketKeyEvent | undefined, event: TicketKeyEvent): void {
  callQuietly(callback, event);
}

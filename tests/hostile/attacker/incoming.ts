/**
 * What comes to the attacker, and how a connection ended as it saw it.
 *
 * @module
 */

import { AlertLevel } from "./codes.ts";

/** An alert that came. */
export interface AlertSeen {
  level: number;
  name: string;
}

/** What the peer sent, one thing at a time. */
export type Incoming =
  /** `bytes` is the whole message, `body` what is behind its header. */
  | { kind: "handshake"; type: number; body: Uint8Array; bytes: Uint8Array }
  | { kind: "data"; bytes: Uint8Array }
  | { kind: "alert"; alert: AlertSeen }
  | { kind: "change_cipher_spec" }
  /** A record that does not open, as of a victim whose keys the attacker does not have. */
  | { kind: "unreadable" }
  | { kind: "end"; how: "closed" | "reset" };

/** How a connection ended, as the attacker saw it. */
export interface Ending {
  how: "closed" | "reset";
  /** The last alert that was fatal, or `null`. */
  alert: string | null;
  closeNotify: boolean;
}

/** The peer ended the connection, or said that it does, where something else was waited for. */
export class Refused extends Error {
  /** `what` was waited for. */
  constructor(what: string, readonly incoming: Incoming) {
    super(`${what} is waited for, and there is: ${describe(incoming)}`);
    this.name = "Refused";
  }
}

function describe(incoming: Incoming): string {
  return incoming.kind === "alert" ? incoming.alert.name : incoming.kind;
}

/** An alert and an end are a refusal; anything else is a mistake of the attacker or the victim. */
export function unexpected(what: string, incoming: Incoming): Error {
  const refused = incoming.kind === "alert" || incoming.kind === "end";
  if (refused) return new Refused(what, incoming);
  return new Error(`${what} is waited for, and there is: ${describe(incoming)}`);
}

/** Whether it is an alert that ends nothing. */
export function isWarning(incoming: Incoming): boolean {
  if (incoming.kind !== "alert") return false;
  const { level, name } = incoming.alert;
  return level === AlertLevel.warning && name !== "close_notify";
}

/**
 * What the demo prints: a table, and in words why a session was not resumed.
 *
 * @module
 */

import type { ProtocolVersion, SessionMiss } from "../mod.ts";
import type { ClientAnswer, ClientFailure, ClientReport } from "./client.ts";

/** What one process did. */
export interface Row {
  protocol: ProtocolVersion;
  task: "keep" | "resume";
  pid: number;
  answer: ClientAnswer;
}

const MISSES: Partial<Record<SessionMiss, string>> = {
  declined_by_peer: "the server was offered the session and made a full handshake instead",
  expired: "its time was over before it was offered",
  chain_invalid: "the server's certificates, kept in it, do not verify any more",
};

const NOT_KEPT: Record<NonNullable<ClientReport["notKept"]>, string> = {
  no_session: "no ticket came, and no session id: this server lets nobody resume",
  too_big: "the session is bigger than the 65,536 bytes that Deno KV takes as one value",
};

/** A protocol version as people write it. */
export function protocolTitle(protocol: ProtocolVersion): string {
  return protocol.replace("v", " ");
}

/** Rows of cells as lines; the first two columns are flush left, numbers flush right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const cell = (text: string, column: number) =>
    column < 2 || column === rows[0].length - 1
      ? text.padEnd(widths[column])
      : text.padStart(widths[column]);
  return rows.map((row) => row.map(cell).join("   ").trimEnd()).join("\n");
}

const number = (value: number) => value.toLocaleString("en-US");

function cells({ protocol, task, pid, answer }: Row): string[] {
  const first = [task === "keep" ? protocolTitle(protocol) : ""];
  if ("failure" in answer) {
    return [...first, "failed", `${pid}`, "", "", "", "", ""];
  }
  const { handshake, milliseconds, counts, sessionLength, notKept } = answer.report;
  const passed = task === "keep" ? "kept in" : "taken from";
  const session = sessionLength === undefined || notKept !== undefined
    ? "none"
    : `${number(sessionLength)} bytes ${passed} Deno KV`;
  return [
    ...first,
    handshake.resumed ? "resumed" : "full",
    `${pid}`,
    number(counts.sent),
    number(counts.received),
    `${counts.roundTrips}`,
    milliseconds.toFixed(1),
    session,
  ];
}

/** All rows as a table. */
export function report(rows: readonly Row[]): string {
  const head = [
    "",
    "handshake",
    "process",
    "sent",
    "received",
    "round trips",
    "ms",
    "session",
  ];
  return table([head, ...rows.map(cells)]);
}

function failed({ code, alert, message }: ClientFailure): string {
  return `${code}${alert === undefined ? "" : ` (${alert})`}: ${message}`;
}

/** Whether the process with this row resumed. */
export function isResumed({ answer }: Row): boolean {
  return "report" in answer && answer.report.handshake.resumed;
}

/** Why a version was not resumed, by its last row. */
export function reason({ protocol, task, answer }: Row): string {
  const title = protocolTitle(protocol);
  if ("failure" in answer) return `${title} failed: ${failed(answer.failure)}`;
  const { notKept, sessionMiss } = answer.report;
  if (task === "keep") return `${title} was not resumed: ${NOT_KEPT[notKept!]}`;
  if (sessionMiss === null) return `${title} was not resumed: Deno KV had no session any more`;
  const words = MISSES[sessionMiss];
  return `${title} was not resumed: ${sessionMiss}${words === undefined ? "" : `, ${words}`}`;
}

/**
 * What a context counts: OpenSSL's `SSL_CTX_sess_*` under the names that Python gave them, and why
 * sessions were not resumed.
 *
 * @module
 */

import type { SessionMiss } from "./handshake_info.ts";

/** Counters of a context since it was made. */
export interface Stats {
  /** TLS 1.2 sessions in a server's own memory now; 0 on a client, whose sessions a store has. */
  number: number;
  /** Client handshakes begun. */
  connect: number;
  /** Client handshakes completed. */
  connectGood: number;
  /** Server handshakes begun. */
  accept: number;
  /** Server handshakes completed. */
  acceptGood: number;
  /** Connections that a server closed because too many handshakes were under way. */
  refused: number;
  /** Handshakes that resumed a session. */
  hits: number;
  /** Sessions asked for, or offered by a client, that were not found. */
  misses: number;
  /** Sessions found that had expired. */
  timeouts: number;
  /** Sessions that were dropped because memory, or what was under way to a store, was full. */
  cacheFull: number;
  /** Sessions found in the store, behind the context's own memory. */
  cbHits: number;
  /** Why sessions were not resumed, by reason. */
  missReasons: Partial<Record<SessionMiss, number>>;
  /** Early data, on both ends. */
  earlyData: { accepted: number; rejected: number };
  /** Sessions whose storing failed, or that the store cannot hold. */
  putsFailed: number;
  /** Tickets of a server that a client did not keep: one connection brought too many. */
  ticketsIgnored: number;
  /** Tickets that were not sent because they are over 4 KiB. */
  ticketsTooLarge: number;
  /** Store operations and the milliseconds that they took together and at most. */
  store: { operations: number; totalMs: number; maxMs: number };
}

/** Counts; one for each context. */
export class Counters {
  readonly #stats: Stats = {
    number: 0,
    connect: 0,
    connectGood: 0,
    accept: 0,
    acceptGood: 0,
    refused: 0,
    hits: 0,
    misses: 0,
    timeouts: 0,
    cacheFull: 0,
    cbHits: 0,
    missReasons: {},
    earlyData: { accepted: 0, rejected: 0 },
    putsFailed: 0,
    ticketsIgnored: 0,
    ticketsTooLarge: 0,
    store: { operations: 0, totalMs: 0, maxMs: 0 },
  };

  /** Adds to a counter. */
  add(
    name: Exclude<keyof Stats, "missReasons" | "earlyData" | "store">,
    amount: number = 1,
  ): void {
    this.#stats[name] += amount;
  }

  /** Counts one reason. */
  miss(reason: SessionMiss): void {
    this.#stats.missReasons[reason] = (this.#stats.missReasons[reason] ?? 0) + 1;
    if (reason === "expired") this.#stats.timeouts++;
    if (reason === "none_stored") this.#stats.misses++;
  }

  /** Counts early data. */
  earlyData(what: "accepted" | "rejected"): void {
    this.#stats.earlyData[what]++;
  }

  /** Counts one operation of a store. */
  stored(milliseconds: number): void {
    const { store } = this.#stats;
    store.operations++;
    store.totalMs += milliseconds;
    store.maxMs = Math.max(store.maxMs, milliseconds);
  }

  /** A copy of now. */
  snapshot(): Stats {
    return structuredClone(this.#stats);
  }
}

/**
 * Several servers in one process, each with a clock of its own, that share a ring of ticket keys.
 *
 * @module
 */

// For its effect: it names the wasm file.
import "../../mod.ts";
import type { KeyRingStore, TicketKeyEvent } from "../../mod.ts";
import { SealingKeys } from "../../mod.ts";
import { SharedRing } from "../../src/shared_ring.ts";
import type { TicketKey } from "../../src/ticket_ring.ts";
import { ticketKeyId } from "../../src/ticket_ring.ts";
import {
  checkSchedule,
  checkSharedSchedule,
  inOrder,
  sealsAt,
  type TicketKeyOptions,
} from "../../src/ticket_schedule.ts";
import { type InUse, secret } from "./ring.ts";

/** Sealing keys that all servers have, unless a test says otherwise. */
export const SEALING: SealingKeys = await SealingKeys.fromSecret(secret(1));

/** The true time, which only tests move. */
export class TrueTime {
  now = 1_800_000_000_000;
  elapsed = 0;

  /** Lets time pass. */
  pass(milliseconds: number): void {
    this.now += milliseconds;
    this.elapsed += milliseconds;
  }
}

/** What a server is started with. */
export interface ServerOptions extends TicketKeyOptions {
  /** Milliseconds by which its clock is ahead. */
  ahead?: number;
  name?: string;
  sealing?: SealingKeys;
  refreshEvery?: number;
}

/** A server process, as far as its ticket keys are concerned. */
export class TestServer {
  readonly ring: SharedRing;
  readonly events: TicketKeyEvent[] = [];
  /** Milliseconds by which its clock is ahead. */
  ahead: number;
  readonly #time: TrueTime;

  constructor(store: KeyRingStore, time: TrueTime, options: ServerOptions = {}) {
    const { ahead = 0, name = "default", sealing = SEALING, refreshEvery } = options;
    this.#time = time;
    this.ahead = ahead;
    this.ring = new SharedRing(store, {
      sealing,
      name,
      times: checkSharedSchedule(
        checkSchedule(options.rotateEvery, options.openFor),
        refreshEvery,
      ),
      onDiagnostic: (event) => void this.events.push(event),
      clock: { now: () => this.now, elapsed: () => time.elapsed },
    });
  }

  /** Starts one, which looks at the store. */
  static async start(
    store: KeyRingStore,
    time: TrueTime,
    options: ServerOptions = {},
  ): Promise<TestServer> {
    const server = new TestServer(store, time, options);
    await server.ring.load();
    return server;
  }

  /** The time by its clock. */
  get now(): number {
    return this.#time.now + this.ahead;
  }

  /** The keys that a handshake would use now, without looking at the store. */
  inUse(): InUse {
    const keys = inOrder(this.ring.keys(), this.now);
    const ids = keys.map(ticketKeyId);
    const seals = keys.length > 0 && sealsAt(keys[0], this.now) ? ids[0] : null;
    return { seals, opens: ids.toSorted() };
  }

  /** A key with its times. */
  key(id: string): TicketKey | undefined {
    return this.ring.keys().find((key) => ticketKeyId(key) === id);
  }

  /** Events of one type. */
  told<T extends TicketKeyEvent["type"]>(type: T): Extract<TicketKeyEvent, { type: T }>[] {
    return this.events.filter((event) => event.type === type) as never;
  }
}

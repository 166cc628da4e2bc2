/**
 * A model of a fleet: servers with clocks that differ and jump, which start and stop, rotate and
 * revoke, over a store that replays, loses, delays and lies. After each step and for each server:
 *
 * - a key that it knows to be rotated away never seals, and one that it knows to be revoked neither
 *   seals nor opens;
 * - a key that it had opens until it ends by its clock.
 *
 * When the store is honest again and the clocks are right, all agree. The seed is fixed: a run is
 * like any other.
 */

import { assert, assertLessOrEqual } from "@std/assert";
import { fc } from "../packages.ts";
import { openRing } from "../../src/key_ring_store.ts";
import { MAX_KEYS, ticketKeyId } from "../../src/ticket_ring.ts";
import { FaultyStore, type Mode } from "./faulty_store.ts";
import { SEALING, TestServer, TrueTime } from "./fleet.ts";
import { HOUR, MINUTE } from "./ring.ts";

const SERVERS = 3;

type Step =
  | { do: "pass"; minutes: number }
  | { do: "look"; server: number }
  | { do: "rotate"; server: number }
  | { do: "revoke"; server: number; which: number }
  | { do: "restart"; server: number }
  | { do: "clock"; server: number; ahead: number }
  | { do: "store"; mode: Mode; replayed: number }
  | { do: "lose"; at: number | null }
  | { do: "release" };

const server = fc.nat({ max: SERVERS - 1 });
const minutes = fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 60, max: 9 * 60 }));
/** Most clocks are as right as clocks are; some are not. */
const ahead = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -5, max: 5 }).map((n) => n * MINUTE) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(20 * HOUR, -20 * HOUR, 300 * 24 * HOUR, -300 * 24 * HOUR),
  },
);
const mode = fc.constantFrom<Mode>(
  "honest",
  "honest",
  "empty",
  "replays",
  "replays",
  "garbage",
  "throws",
  "drops",
  "refuses",
  "holds",
);
const of = <T>(arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(arbitraries, { noNullPrototype: true });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: of({ do: fc.constant("pass" as const), minutes }) },
  { weight: 8, arbitrary: of({ do: fc.constant("look" as const), server }) },
  { weight: 2, arbitrary: of({ do: fc.constant("rotate" as const), server }) },
  { weight: 2, arbitrary: of({ do: fc.constant("revoke" as const), server, which: fc.nat() }) },
  { weight: 1, arbitrary: of({ do: fc.constant("restart" as const), server }) },
  { weight: 1, arbitrary: of({ do: fc.constant("clock" as const), server, ahead }) },
  {
    weight: 4,
    arbitrary: of({ do: fc.constant("store" as const), mode, replayed: fc.nat({ max: 30 }) }),
  },
  {
    weight: 1,
    arbitrary: of({
      do: fc.constant("lose" as const),
      at: fc.option(fc.nat({ max: 30 }), { nil: null }),
    }),
  },
  { weight: 1, arbitrary: of({ do: fc.constant("release" as const) }) },
);

/** What one process knows, kept apart from the code under test. */
class Known {
  /** Ends of keys that it opened with. */
  readonly opened = new Map<string, number>();
  readonly rotatedAway = new Set<string>();
  readonly revoked = new Set<string>();
  /** What a ring named as revoked that the process may not have read yet. */
  readonly maybeRevoked = new Set<string>();
  process!: TestServer;

  constructor(store: FaultyStore, time: TrueTime, ahead: number) {
    this.process = new TestServer(store.for((value) => this.#given(value)), time, { ahead });
  }

  /** A ring says what was rotated away and revoked, whoever gives it, and however old it is. */
  #given(value: Uint8Array): void {
    const { ring } = openRing({ version: "", value }, SEALING, "default") as {
      ring?: Exclude<ReturnType<typeof openRing>, { refused: string }>["ring"];
    };
    for (const { id } of ring?.revoked ?? []) this.maybeRevoked.add(id);
    this.pending = () => {
      for (const { id } of ring?.revoked ?? []) this.revoked.add(id);
      for (const key of ring?.keys ?? []) {
        // An older ring's keys are not taken, but the ends of those that are known are.
        if (key.sealUntil <= key.notBefore && this.opened.has(ticketKeyId(key))) {
          this.rotatedAway.add(ticketKeyId(key));
        }
      }
    };
  }

  /** What was given, and is known as soon as the process has read it. */
  pending: () => void = () => {};

  check(what: string): void {
    const { process, opened, rotatedAway, revoked } = this;
    const { seals, opens } = process.inUse();
    assertLessOrEqual(opens.length, MAX_KEYS, what);
    if (seals !== null) {
      assert(!rotatedAway.has(seals), `${what}: a key seals that was rotated away`);
      const { notBefore, sealUntil } = process.key(seals)!;
      assert(notBefore <= process.now && process.now < sealUntil, `${what}: not its time`);
    }
    for (const id of opens) assert(!revoked.has(id), `${what}: a revoked key opens`);
    for (const [id, end] of opened) {
      const maybe = revoked.has(id) || this.maybeRevoked.has(id) && !opens.includes(id);
      if (end <= process.now || maybe) opened.delete(id);
      else assert(opens.includes(id), `${what}: a key was lost that has ${end - process.now} ms`);
    }
    for (const id of opens) opened.set(id, process.key(id)!.openUntil);
  }
}

async function run(steps: readonly Step[]): Promise<void> {
  const time = new TrueTime();
  const store = new FaultyStore();
  const fleet = Array.from({ length: SERVERS }, () => new Known(store, time, 0));
  const underway: Promise<unknown>[] = [];
  /** Does something that waits for the store, which may hold its answer back. */
  const ask = async (known: Known, action: () => Promise<void>) => {
    const done = action().catch(() => {}).finally(() => {
      known.pending();
      known.pending = () => {};
    });
    if (store.mode === "holds") underway.push(done);
    else await done;
  };
  for (const known of fleet) await ask(known, () => known.process.ring.load());

  for (const [i, step] of steps.entries()) {
    const known = "server" in step ? fleet[step.server] : fleet[0];
    const { ring } = known.process;
    switch (step.do) {
      case "pass":
        time.pass(step.minutes * MINUTE);
        break;
      case "look":
        await ask(known, () => ring.load());
        break;
      case "rotate": {
        const before = known.process.inUse().opens;
        await ask(known, async () => {
          await ring.rotate();
          for (const id of before) known.rotatedAway.add(id);
        });
        break;
      }
      case "revoke": {
        const { opens } = known.process.inUse();
        if (opens.length === 0) break;
        const id = opens[step.which % opens.length];
        known.revoked.add(id);
        await ask(known, () => ring.revoke(id));
        break;
      }
      case "restart":
        fleet[step.server] = new Known(store, time, known.process.ahead);
        await ask(fleet[step.server], () => fleet[step.server].process.ring.load());
        break;
      case "clock":
        known.process.ahead = step.ahead;
        break;
      case "store":
        if (store.mode === "holds") store.release();
        Object.assign(store, { mode: step.mode, replayed: step.replayed });
        break;
      case "lose":
        store.lose(step.at);
        break;
      case "release":
        store.release();
        break;
    }
    if (store.mode !== "holds") await Promise.all(underway.splice(0));
    for (const [n, each] of fleet.entries()) each.check(`step ${i} ${step.do}, server ${n}`);
  }

  store.release();
  store.mode = "honest";
  await Promise.all(underway);
  for (const [n, { process }] of fleet.entries()) process.ahead = (n - 1) * 5 * MINUTE;
  // Two looks are enough where no two disagreed about a key; those who did wait for an hour.
  for (const wait of [MINUTE, MINUTE, HOUR, MINUTE, MINUTE]) {
    for (const known of fleet) await ask(known, () => known.process.ring.load());
    for (const [n, each] of fleet.entries()) each.check(`in the end, server ${n}`);
    time.pass(wait);
  }
  const revoked = new Set(fleet.flatMap((known) => [...known.revoked]));
  for (const [n, { process }] of fleet.entries()) {
    const { seals, opens } = process.inUse();
    assert(seals !== null, `server ${n} seals`);
    for (const other of fleet) {
      const there = other.process.inUse();
      assert(there.opens.includes(seals), `what server ${n} seals opens everywhere`);
      for (const id of opens) {
        const { notBefore, openUntil } = process.key(id)!;
        const isNow = notBefore <= time.now && openUntil > time.now + 10 * MINUTE;
        if (isNow) assert(there.opens.includes(id), `what server ${n} opens opens everywhere`);
      }
    }
    for (const id of opens) assert(!revoked.has(id), `server ${n} opens no revoked key`);
  }
}

Deno.test("whatever a store does, no key comes back, none is lost, and in the end all agree", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), run),
    { seed: 0x52505453, numRuns: 150 },
  );
});

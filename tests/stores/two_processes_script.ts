/**
 * One of two processes that take from one store: puts its own values, meets the other one, takes
 * until nothing is left, and says what it got.
 *
 * @module
 */

import type { SessionStore } from "../../src/session_store.ts";
import { readInput, writeOutput } from "../peers/process.ts";
import { living, name, value } from "./contract_values.ts";
import { openStore, type Place } from "./open.ts";

/** What the process is told. */
export interface TakerInput {
  place: Place;
  /** The names of this process and of the other one. */
  self: string;
  other: string;
  /** Where both take from, after what was in there. */
  partition: string;
  /** How many values this one adds while both take. */
  puts: number;
  /** So many takes at once. */
  takers: number;
  limit: number;
}

/** What it got. */
export interface TakerOutput {
  taken: string[];
}

const PATIENCE_MS = 20_000;

/** Goes on when the other one is here too: each leaves word in the store. */
async function meet(store: SessionStore, self: string, other: string): Promise<void> {
  await store.put(`here ${self}`, value(self), living(1));
  const end = Date.now() + PATIENCE_MS;
  while (await store.peek(`here ${other}`) === null) {
    if (Date.now() > end) throw new Error(`${other} did not come within ${PATIENCE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const { place, self, other, partition, puts, takers, limit } = await readInput<TakerInput>();
const { store, close } = await openStore(place);
const taken: string[] = [];
await meet(store, self, other);
let putting = true;
const putAll = async () => {
  for (let i = 0; i < puts; i++) await store.put(partition, value(`${self} ${i}`), living(limit));
  putting = false;
};
const take = async () => {
  for (;;) {
    const last = !putting;
    const got = name(await store.take(partition));
    if (got !== null) taken.push(got);
    else if (last) return;
    else await new Promise((resolve) => setTimeout(resolve, 1));
  }
};
await Promise.all([putAll(), ...Array.from({ length: takers }, take)]);
await close();
writeOutput({ taken } satisfies TakerOutput);

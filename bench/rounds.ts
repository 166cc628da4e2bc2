/**
 * Measures subjects beside each other, on a machine that others use too.
 *
 * Rules:
 * - Interleaved: a round measures each subject once, and the next round starts with another one,
 *   so that whatever else the machine does falls on all of them alike.
 * - One round before the first is not counted: compilers and caches get warm in it.
 * - Medians, with the smallest and the largest beside them; never a mean, never the best.
 * - A ratio is taken within each round, between neighbours in time, and then its median.
 * - CPU time stands beside the rate: it is what a busy machine falsifies least.
 *
 * It does not know what is measured.
 *
 * @module
 */

import process from "node:process";

/** What one subject came to in one round. */
export interface Sample {
  /** Units a second: the more, the better. */
  rate: number;
  /** Milliseconds of CPU for each unit, in all threads of this process. */
  cpu: number;
}

/** Something that can be measured again and again. */
export interface Subject {
  name: string;
  measure(): Promise<Sample>;
}

/** What one subject came to, round by round. */
export interface Measured {
  name: string;
  samples: Sample[];
}

/** A distribution in three numbers. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Measures all subjects in `rounds` rounds. */
export async function interleave(subjects: Subject[], rounds: number): Promise<Measured[]> {
  const measured = subjects.map(({ name }): Measured => ({ name, samples: [] }));
  for (let round = -1; round < rounds; round++) {
    for (let i = 0; i < subjects.length; i++) {
      const at = (i + round + subjects.length) % subjects.length;
      const sample = await subjects[at].measure();
      if (round >= 0) measured[at].samples.push(sample);
    }
  }
  return measured;
}

/** The median, the smallest and the largest. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return {
    median: (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2,
    min: sorted[0],
    max: sorted[sorted.length - 1],
  };
}

/** One subject's rate over another's, round by round. */
export function ratios(measured: Measured[], over: string, under: string): number[] {
  const samples = (name: string) => measured.find((one) => one.name === name)!.samples;
  const below = samples(under);
  return samples(over).map(({ rate }, round) => rate / below[round].rate);
}

/** Measures `action`, which does so many units of work. */
export async function sample(units: number, action: () => Promise<void>): Promise<Sample> {
  const used = process.cpuUsage();
  const started = performance.now();
  await action();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(used);
  return { rate: units / seconds, cpu: (user + system) / 1000 / units };
}

/**
 * What a benchmark found, and how it is told: as text or as JSON.
 *
 * Rule: whatever stands in the text stands in the JSON too, with every round.
 *
 * @module
 */

import { type Measured, ratios, type Spread, spread } from "./rounds.ts";
import { cells, table } from "./table.ts";

/** One comparison: subjects measured in the same rounds, in the same unit. */
export interface Comparison {
  title: string;
  /** Of the rates: so many of them a second. */
  unit: string;
  /** Digits after the point. */
  digits: number;
  measured: Measured[];
  /** Ratios to tell, each of two subjects by name; `prototype` is what the design measured. */
  ratios: { over: string; under: string; prototype?: number }[];
  /** What else a reader must know, a line each. */
  notes: string[];
}

/** The comparison as text. */
export function text(comparison: Comparison): string {
  const { title, unit, digits, measured, notes } = comparison;
  const rows = measured.map(({ name, samples }) => [
    name,
    ...cells(spread(samples.map(({ rate }) => rate)), digits),
    spread(samples.map(({ cpu }) => cpu)).median.toFixed(2),
  ]);
  const head = ["", `${unit}/s`, "range", `CPU ms/${unit}`];
  const parts = [title, table([head, ...rows])];
  if (comparison.ratios.length > 0) {
    const rows = allRatios(comparison).map(({ over, under, spread, prototype }) => [
      `${over} ÷ ${under}`,
      ...cells(spread, 2),
      prototype?.toString() ?? "",
    ]);
    parts.push(table([["", "ratio", "range", "prototype"], ...rows]));
  }
  parts.push(...notes.map((note) => `  ${note}`));
  return parts.join("\n");
}

interface Ratio {
  over: string;
  under: string;
  prototype?: number;
  spread: Spread;
}

function allRatios({ measured, ratios: pairs }: Comparison): Ratio[] {
  return pairs.map((pair) => ({
    ...pair,
    spread: spread(ratios(measured, pair.over, pair.under)),
  }));
}

/** The comparison as something for `JSON.stringify`. */
export function json(comparison: Comparison): unknown {
  const { title, unit, measured, notes } = comparison;
  return {
    title,
    unit,
    subjects: measured.map(({ name, samples }) => ({
      name,
      ...spread(samples.map(({ rate }) => rate)),
      samples,
    })),
    ratios: allRatios(comparison).map(({ spread, ...pair }) => ({ ...pair, ...spread })),
    notes,
  };
}

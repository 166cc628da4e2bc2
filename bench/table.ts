/**
 * Writes results for people: columns of text, numbers to the right.
 *
 * @module
 */

import type { Spread } from "./rounds.ts";

/** Rows of cells as lines; the first column is flush left, the others flush right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])
    ).join("  ");
  return rows.map((row) => `  ${line(row)}`.trimEnd()).join("\n");
}

/** The cells of a distribution: its median, and its range in one cell. */
export function cells({ median, min, max }: Spread, digits: number): [string, string] {
  return [median.toFixed(digits), `${min.toFixed(digits)}–${max.toFixed(digits)}`];
}

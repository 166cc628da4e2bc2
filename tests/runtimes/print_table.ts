/**
 * Prints what `table_test.ts` found, as it stands in the README.
 *
 * @module
 */

import { TABLE } from "./runtime.ts";

/** Prints a table of how many of a cell's sessions were resumed. */
export function printTable(
  versions: readonly string[],
  resumed: (maker: string, user: string) => readonly boolean[],
): void {
  const row = (name: string, cells: readonly string[]) =>
    `${name.padEnd(8)}${cells.map((cell) => cell.padStart(9)).join("")}`;
  const lines = TABLE.map((maker) =>
    row(
      maker,
      TABLE.map((user) => {
        const seen = resumed(maker, user);
        return `${seen.filter((yes) => yes).length} of ${seen.length}`;
      }),
    )
  );
  // deno-lint-ignore no-console -- the table is what the suite is for
  console.log(`\n${[versions.join(", "), "", row("", TABLE), ...lines].join("\n")}\n`);
}

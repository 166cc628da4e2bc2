/**
 * Prints the tables of `table_test.ts`, as they stand in docs/runtimes.md.
 *
 * @module
 */

import type { TlsVersion } from "../peers/openssl.ts";
import { TABLE } from "./runtime.ts";

/** The three tables, and their titles. */
const TITLES = {
  client: "A client's session, as bytes, at OpenSSL's server",
  stateful: "A server's session, in a store, for OpenSSL's client",
  tickets: "A server's ticket, for OpenSSL's client",
} as const;

/** Prints all three in Markdown; a cell is 1.2 and 1.3. */
export function printTable(
  versions: readonly string[],
  resumed: (table: string, version: TlsVersion, maker: string, user: string) => boolean,
): void {
  const lines = [`${versions.join(", ")}. Made by the row, resumed by the column, TLS 1.2 and 1.3`];
  for (const [table, title] of Object.entries(TITLES)) {
    lines.push("", `| ${title} | ${TABLE.join(" | ")} |`);
    lines.push(`|${" --- |".repeat(TABLE.length + 1)}`);
    for (const maker of TABLE) {
      const cells = TABLE.map((user) =>
        (["TLSv1.2", "TLSv1.3"] as const)
          .map((version) => resumed(table, version, maker, user) ? "yes" : "**no**").join(", ")
      );
      lines.push(`| ${maker} | ${cells.join(" | ")} |`);
    }
  }
  // deno-lint-ignore no-console -- the table is what the suite is for
  console.log(`\n${lines.join("\n")}\n`);
}

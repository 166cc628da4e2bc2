// deno-lint-ignore-file no-console
/**
 * How much a user downloads: `deno task size`.
 *
 * Rule: wasm and glue together, gzipped at level 9, stay under the budget. The aim is a wish.
 */
import { join } from "node:path";
import { pkg } from "./wasm/places.ts";
import { gzipSize } from "./wasm/record.ts";

const BUDGET = 380_000;
const AIM = 330_000;

const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} KB`;

let total = 0;
for (const name of ["reprise.wasm", "reprise.js"]) {
  const bytes = await Deno.readFile(join(pkg, name));
  const gzip = gzipSize(bytes);
  total += gzip;
  console.log(`${name}: ${kilobytes(bytes.length)}, ${kilobytes(gzip)} gzipped`);
}
const place = total > BUDGET
  ? "over the budget"
  : total > AIM
  ? "within the budget"
  : "within the aim";
console.log(
  `together: ${kilobytes(total)} gzipped, ${place} (aim ${kilobytes(AIM)}, budget ${
    kilobytes(BUDGET)
  })`,
);
if (total > BUDGET) Deno.exit(1);

/**
 * The counts that `deno task test` prints are read right.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { readReport } from "../../scripts/test/report.ts";
import { Child } from "../peers/child.ts";

/** Every outcome there is, and names that could be taken for the report's own form. */
const TESTS = `
import "./registers.ts";
Deno.test("passes", () => {});
Deno.test("<testcase name=\\"x\\"> & 'y' ]]> > z", () => {});
Deno.test("fails", () => { throw new Error("<skipped/>"); });
Deno.test({ name: "is skipped", ignore: true, fn: () => {} });
Deno.test("has steps", async (t) => {
  await t.step("one", () => {});
  await t.step("two > three", () => {});
});
Deno.test("has a bad step", async (t) => {
  await t.step("one", () => { throw new Error("no"); });
});
`;
const BROKEN = `Deno.test("never runs", () => {}); throw new Error("at once");`;

Deno.test("the report of deno test is read whole", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/a_test.ts`, TESTS);
    await Deno.writeTextFile(`${folder}/registers.ts`, 'Deno.test("is elsewhere", () => {});');
    await Deno.writeTextFile(`${folder}/b_test.ts`, BROKEN);
    const args = ["test", "--no-check", "--no-config", "--junit-path=report.xml"];
    await using child = new Child(Deno.execPath(), { args, cwd: folder });
    await child.exited();
    const results = readReport(await Deno.readTextFile(`${folder}/report.xml`));
    assertEquals(results.map(({ name, outcome }) => [name, outcome]), [
      ["is elsewhere", "passed"],
      ["passes", "passed"],
      [`<testcase name="x"> & 'y' ]]> > z`, "passed"],
      ["fails", "failed"],
      ["is skipped", "skipped"],
      ["has steps", "passed"],
      ["has a bad step", "failed"],
    ]);
    assertEquals(new Set(results.map(({ file }) => file)), new Set(["registers.ts", "a_test.ts"]));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

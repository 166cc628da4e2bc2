/**
 * Reads the JUnit report of `deno test`.
 *
 * Rule: the report escapes every `<` and `"` of names and messages, so its tags are found by
 * their form alone.
 *
 * @module
 */

/** What became of one test. */
export interface Result {
  /** The file of tests that was run, from the root of the repository. */
  file: string;
  name: string;
  outcome: "passed" | "failed" | "skipped";
}

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function unescape(text: string): string {
  return text.replace(
    /&(?:(lt|gt|quot|apos|amp)|#(\d+)|#x([\da-f]+));/gi,
    (_, name, dec, hex) =>
      name === undefined
        ? String.fromCodePoint(dec === undefined ? parseInt(hex, 16) : Number(dec))
        : ENTITIES[name.toLowerCase()],
  );
}

function attribute(tag: string, name: string): string {
  return unescape(new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? "");
}

/** The tests of a report in its order. Steps count with their test, whose outcome is theirs. */
export function readReport(xml: string): Result[] {
  const results: Result[] = [];
  const names = new Set<string>();
  let file = "";
  const tags = /<testsuite( [^<>]*)>|<testcase( [^<>]*?)(?:\/>|>([^]*?)<\/testcase>)/g;
  for (const [, suite, test, body = ""] of xml.matchAll(tags)) {
    // A test's own attributes name the file that calls Deno.test, which may be another.
    if (suite !== undefined) file = attribute(suite, "name").replace(/^\.\//, "");
    else {
      const name = attribute(test, "name");
      const outcome = /<(failure|error)\b/.test(body)
        ? "failed"
        : body.includes("<skipped")
        ? "skipped"
        : "passed";
      results.push({ file, name, outcome });
      names.add(`${file}\0${name}`);
    }
  }
  return results.filter(({ file, name }) => {
    const parts = name.split(" > ");
    return !parts.slice(1).some((_, at) =>
      names.has(`${file}\0${parts.slice(0, at + 1).join(" > ")}`)
    );
  });
}

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
  /** The file that calls `Deno.test`, from the root of the repository. */
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
  const cases = xml.matchAll(/<testcase( [^<>]*?)(?:\/>|>([^]*?)<\/testcase>)/g);
  const all = Array.from(cases, ([, tag, body = ""]): Result => ({
    file: attribute(tag, "classname").replace(/^\.\//, ""),
    name: attribute(tag, "name"),
    outcome: /<(failure|error)\b/.test(body)
      ? "failed"
      : body.includes("<skipped")
      ? "skipped"
      : "passed",
  }));
  const names = new Set(all.map(({ file, name }) => `${file}\0${name}`));
  return all.filter(({ file, name }) => {
    const parts = name.split(" > ");
    return !parts.slice(1).some((_, at) =>
      names.has(`${file}\0${parts.slice(0, at + 1).join(" > ")}`)
    );
  });
}

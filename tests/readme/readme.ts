/**
 * The programs in the README, as their readers would copy them.
 *
 * Rule: a test changes only where a program connects to, what it trusts and how long it waits, and adds
 * lines that print; each change has to find its place, or the test fails.
 *
 * @module
 */

/** A program by its heading. */
export interface Program {
  heading: string;
  code: string;
}

/** The text. */
export const readme = (): Promise<string> =>
  Deno.readTextFile(new URL("../../README.md", import.meta.url));

/** All programs, in their order. */
export async function programs(): Promise<Program[]> {
  const found: Program[] = [];
  for (const section of (await readme()).split(/^## /m).slice(1)) {
    const [heading] = section.split("\n", 1);
    for (const [, code] of section.matchAll(/^```ts[^\n]*\n([\s\S]*?)^```$/gm)) {
      found.push({ heading, code });
    }
  }
  return found;
}

/** The first program under a heading. */
export async function program(heading: string): Promise<string> {
  const found = (await programs()).find((each) => each.heading === heading);
  if (found === undefined) throw new Error(`The README has no program under "${heading}"`);
  return found.code;
}

/** Replaces each text, all over; every one has to be there. */
export function changed(code: string, changes: Record<string, string>): string {
  for (const [from, to] of Object.entries(changes)) {
    if (!code.includes(from)) throw new Error(`The program has no ${from}`);
    code = code.replaceAll(from, to);
  }
  return code;
}
